"""What `zvon trace` says of the sound of a call."""

import pytest

from pbx.media_doctor import LegSound, diagnosis

GOOD = {"received": 1000.0, "sent": 1000.0, "lost": 0.0, "jitter_ms": 2.0, "mos": 4.38}


def leg(who: str, /, **figures: float) -> LegSound:
    return LegSound(who, GOOD | figures, "10.0.0.7:4000")


def silent(who: str, /, **figures: float) -> LegSound:
    return leg(who, **({"received": 0.0} | figures))


def test_a_call_that_nobody_answered_has_no_sound() -> None:
    assert diagnosis([LegSound("101"), LegSound("102")]) == []


def test_a_call_without_fault_is_said_to_be_without() -> None:
    assert diagnosis([leg("101"), leg("102", mos=4.1), LegSound("103")]) == [
        "Nothing was wrong with the audio: MOS of 101 4.4, 102 4.1."
    ]
    assert diagnosis([leg("101", mos=3.2)]) == ["The sound was poor, for the codec alone: MOS of 101 3.2."]


def test_one_way_audio_comes_first_with_who_was_heard_and_why_not() -> None:
    first, second = diagnosis([leg("101"), silent("102")])
    assert first == "One-way audio: 101 could be heard, 102 could not."
    assert second == (
        "No audio came from 102: it sends none, or what it sends is lost before Zvon. "
        "Its SDP says that its audio is at 10.0.0.7:4000."
    )


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (silent("102", dropped_stranger=9.0, dropped_probation=1.0), "from the wrong source: 10 packets"),
        (silent("102", dropped_srtp_auth=9.0), "The audio of 102 cannot be decrypted: 9 packets"),
        (silent("102", dropped_unknown_payload=9.0), "102 sends a codec that was not agreed on: 9 packets"),
        (leg("102", silent_s=31.2), "102 stopped sending audio 31 s before the end."),
        (leg("102", lost=111.0, burst_ms=80.0), "10.0 % of the audio of 102 was lost between 102 and Zvon, in bursts"),
        (leg("102", jitter_ms=55.0), "The audio of 102 came irregularly: jitter 55 ms."),
        (leg("102", dropped_no_codec_opus=7.0), "7 packets of 102 were in opus, which the other side does not speak."),
        (leg("102", sent=0.0), "Nothing was sent to 102."),
        (leg("102", dropped_send_refused=5.0), "102 did not listen where it wanted its audio: 5 packets"),
        (leg("102", remote_loss_percent=4.25), "4.2 % of the audio for 102 was lost between Zvon and 102."),
        (leg("102", remote_jitter_ms=60.0), "The audio for 102 came irregularly there: jitter 60 ms."),
        (leg("102", round_trip_ms=420.0), "Audio takes long between Zvon and 102: 420 ms there and back."),
    ],
)
def test_each_fault_is_one_sentence_with_its_hop(sound: LegSound, said: str) -> None:
    (sentence,) = diagnosis([sound])
    assert said in sentence
