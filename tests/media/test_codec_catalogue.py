"""What is opened for what was negotiated."""

import pytest

from media.api import Payload
from media.codec.catalogue import Coding, coding_of, packet_ms, parameters
from media.codec.coder import Codec, available

OPUS = pytest.mark.skipif(not available("opus"), reason="libopus is not installed")


def opus(fmtp: str = "", most: int = 48000) -> Coding:
    found = coding_of(Payload(111, "opus", 48000, 2, fmtp), most)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("payload", "rate"),
    [
        (Payload(0, "PCMU"), 8000),
        (Payload(8, "pcma"), 8000),
        (Payload(9, "G722"), 16000),
        (Payload(96, "L16", 16000), 16000),
        (Payload(97, "L16", 48000), 48000),
    ],
)
def test_each_codec_has_the_rate_of_its_sound(payload: Payload, rate: int) -> None:
    found = coding_of(payload)
    assert found is not None
    assert found.rate == rate
    assert Codec(found.name, found.rate).rate == rate


@pytest.mark.parametrize(
    "payload",
    [
        Payload(96, "iLBC"),
        Payload(98, "H264", 90000),
        Payload(101, "telephone-event"),
        Payload(13, "CN"),
        Payload(11, "L16", 44100),
        Payload(10, "L16", 48000, 2),
        Payload(9, "G722", 16000),
        Payload(111, "opus", 8000),
    ],
)
def test_what_cannot_be_converted_is_nothing(payload: Payload) -> None:
    assert coding_of(payload) is None


@OPUS
def test_opus_runs_at_no_more_than_the_other_side_can_use() -> None:
    assert [opus(most=most).rate for most in (8000, 16000, 48000)] == [8000, 16000, 48000]
    assert opus("maxplaybackrate=16000; sprop-maxcapturerate=16000").rate == 16000
    assert opus("maxplaybackrate=8000; sprop-maxcapturerate=48000").rate == 48000, "its microphone is still heard"
    assert opus("maxplaybackrate=12000;sprop-maxcapturerate=12000").rate == 16000


@OPUS
def test_what_the_peer_says_of_its_receiver_rules_our_encoder() -> None:
    """RFC 7587 §6.1"""
    assert opus("maxplaybackrate=8000").max_rate == 8000
    assert opus("maxaveragebitrate=12000").bitrate == 12000
    assert opus("maxaveragebitrate=510000").bitrate == 0, "a limit is no wish"
    assert opus("useinbandfec=1; usedtx=1;cbr=1") == Coding("OPUS", 48000, 0, 0, 5, True, True, True)
    assert opus("minptime=10") == opus() == Coding("OPUS", 48000)


@OPUS
@pytest.mark.parametrize(
    "fmtp",
    ["maxplaybackrate=", "maxplaybackrate=-1", "maxplaybackrate=9999999999", "usedtx", "=;=;;", "MaxPlaybackRate"],
)
def test_nonsense_in_the_parameters_changes_nothing(fmtp: str) -> None:
    assert opus(fmtp) == Coding("OPUS", 48000)


def test_parameters_are_named_without_case() -> None:
    assert parameters(" UseInbandFEC=1 ;a = b; c") == {"useinbandfec": "1", "a": "b"}


def test_opus_takes_the_longest_packet_time_that_it_has() -> None:
    payload = Payload(111, "opus", 48000, 2)
    assert [packet_ms(payload, ms) for ms in (10, 20, 30, 40, 50, 60, 120)] == [10, 20, 20, 40, 40, 60, 60]
    assert packet_ms(Payload(0, "PCMU"), 30) == 30
