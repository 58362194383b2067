"""What is offered and answered: the list of the system, what can be converted, and what is passed through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.codecs import EVENTS, USUAL, Codecs, Formats
from sipcore.sdp.model import RtpFormat
from tests.support.builders import FORMATS

PCMA, PCMU, G722, ILBC, EVENT, OPUS = (
    FORMATS[name] for name in ("PCMA", "PCMU", "G722", "iLBC", "telephone-event", "opus")
)
G729 = RtpFormat(18, "G729")
WIDE_EVENT = RtpFormat(126, "telephone-event", 48000)
CODECS = Codecs()


def names(formats: Formats) -> list[str]:
    """Of the codecs."""
    return [each.name for each in formats if each.is_audio]


@pytest.mark.parametrize(
    ("offered", "forwarded"),
    [
        ((PCMA, EVENT), ["PCMA", "PCMU", "G729", "opus", "G722"]),
        ((PCMU, PCMA), ["PCMA", "PCMU", "G729", "opus", "G722"]),
        ((PCMA, G722, EVENT), ["G722", "PCMA", "opus", "PCMU", "G729"]),
        ((PCMA, OPUS), ["opus", "PCMA", "G722", "PCMU", "G729"]),
        ((ILBC, PCMU), ["iLBC", "PCMU", "PCMA", "G729", "opus", "G722"]),
        ((ILBC,), ["iLBC"]),
        ((), []),
    ],
)
def test_the_other_side_is_offered_what_the_caller_has_and_then_what_sounds_like_it(
    offered: Formats, forwarded: list[str]
) -> None:
    assert names(CODECS.for_peer(offered)) == forwarded


def test_what_the_caller_offered_keeps_its_number_and_the_rest_gets_free_ones() -> None:
    theirs = (RtpFormat(111, "iLBC"), RtpFormat(96, "opus", 48000, 2, "maxplaybackrate=16000"), RtpFormat(9, "G722"))
    found = CODECS.for_peer((*theirs, RtpFormat(8, "telephone-event")))
    assert set(theirs) < set(found)
    numbers = {each.name: each.number for each in found}
    assert numbers["telephone-event"] != 8 or numbers["PCMA"] != 8
    assert len({each.number for each in found}) == len(found)


def test_digits_are_offered_at_the_clock_rates_of_all_codecs_when_the_caller_can_send_them() -> None:
    found = CODECS.for_peer((OPUS, WIDE_EVENT))
    assert {each.clock_rate for each in found if not each.is_audio} == {8000, 48000}
    assert WIDE_EVENT in found
    assert all(each.is_audio for each in CODECS.for_peer((OPUS,)))


@pytest.mark.parametrize(
    ("codec", "answered"),
    [
        (PCMU, ["PCMU", "PCMA", "G729", "opus", "G722"]),
        (G729, ["G729", "PCMA", "PCMU", "opus", "G722"]),
        (G722, ["G722", "opus", "PCMA", "PCMU", "G729"]),
        (OPUS, ["opus", "G722", "PCMA", "PCMU", "G729"]),
        (ILBC, ["iLBC"]),
        (None, ["opus", "G722", "PCMA", "PCMU", "G729"]),
    ],
)
def test_a_side_speaks_like_the_other_one_or_as_good_as_it(codec: RtpFormat | None, answered: list[str]) -> None:
    assert names(CODECS.like(codec)) == answered


def test_digits_go_with_the_codec_and_old_phones_find_theirs_first() -> None:
    assert [each.clock_rate for each in CODECS.like(OPUS) if not each.is_audio] == [8000, 48000]
    assert [each for each in Codecs(("PCMA",)).basic if not each.is_audio] == [EVENTS[8000]]


@pytest.mark.row("REG-13")
def test_the_list_of_the_system_says_what_is_used_and_in_which_order() -> None:
    codecs = Codecs(("G722", "PCMU"))
    assert names(codecs.basic) == ["G722", "PCMU", "PCMA"], "G.711 is always there in the end"
    assert names(codecs.usable((OPUS, PCMU, G722, ILBC))) == ["G722", "PCMU", "iLBC"]
    assert names(codecs.for_peer((OPUS, PCMA))) == ["PCMA", "PCMU", "G722"]
    assert names(codecs.for_peer((OPUS,))) == []


def test_a_codec_without_its_library_is_passed_through_and_not_offered() -> None:
    codecs = Codecs(USUAL, ("PCMU", "PCMA", "G722", "L16"))
    assert codecs.missing == ("opus", "G729")
    assert names(codecs.basic) == ["G722", "PCMA", "PCMU"]
    assert names(codecs.for_peer((OPUS, PCMA))) == ["opus", "PCMA", "PCMU", "G722"]
    assert names(codecs.for_peer((OPUS,))) == names(codecs.like(OPUS)) == ["opus"]
    assert not codecs.can_convert(OPUS)


def test_the_target_of_who_talks_already_is_offered_their_codec_and_then_everything() -> None:
    assert names(CODECS.for_whom_talks(ILBC)) == ["iLBC", *USUAL]
    assert names(CODECS.for_whom_talks(PCMA)) == ["PCMA", "PCMU", "G729", "opus", "G722"]


@given(st.lists(st.sampled_from([PCMA, PCMU, G722, OPUS, G729, ILBC, EVENT, WIDE_EVENT]), unique=True).map(tuple))
def test_whatever_is_offered_on_can_come_back(offered: Formats) -> None:
    """For every codec that a callee may choose out of what it is offered, the caller has one that fits."""
    found = CODECS.for_peer(offered)
    for chosen in (each for each in found if each.is_audio):
        back = {each.encoding for each in CODECS.like(chosen) if each.is_audio}
        mine = [each for each in offered if each.encoding in back]
        assert mine
        for each in mine:
            assert each.encoding == chosen.encoding or (CODECS.can_convert(each) and CODECS.can_convert(chosen))
    assert len({each.number for each in found}) == len(found)
