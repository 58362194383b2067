"""Offer and answer: RFC 3264 §10 and RFC 4317 examples, hold, numbers, companions, later offers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.sdp.model import Direction, RtpFormat, SessionDescription
from sipcore.sdp.negotiate import Answer, make_answer, make_offer, read_answer, revise
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.sections import LocalMedia
from sipcore.sdp.write import write_sdp
from tests.support.builders import mirrored

PCMU, PCMA = RtpFormat(0, "PCMU"), RtpFormat(8, "PCMA")
G722, OPUS = RtpFormat(9, "G722"), RtpFormat(107, "opus", 48000, 2)
EVENTS = RtpFormat(101, "telephone-event", 8000, 1, "0-16")
EVENTS_48 = RtpFormat(110, "telephone-event", 48000, 1, "0-16")
CN = RtpFormat(13, "CN")
OURS = (PCMA, PCMU, EVENTS)
LOCAL = LocalMedia("10.0.0.9", 10000)


def sdp(*lines: str, address: str = "192.0.2.1") -> SessionDescription:
    head = f"v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
    return parse_sdp(head + "".join(f"{line}\r\n" for line in lines))


def answered(offer: SessionDescription, local: LocalMedia = LOCAL, ours: tuple[RtpFormat, ...] = OURS) -> Answer:
    answer = make_answer(offer, local, ours, session_id=1)
    assert answer is not None
    return answer


def lines_of(description: SessionDescription) -> list[str]:
    return write_sdp(description).decode().split("\r\n")


def test_what_we_do_not_do_is_refused_in_its_place() -> None:
    """The offer of RFC 3264 §10.1."""
    offer = sdp(
        "m=audio 49170 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        "m=video 51372 RTP/AVP 31",
        "a=rtpmap:31 H261/90000",
        "m=video 53000 RTP/AVP 32",
        "a=rtpmap:32 MPV/90000",
    )
    answer = answered(offer)
    sections = [line for line in lines_of(answer.description) if line.startswith("m=")]
    assert sections == ["m=audio 10000 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"]
    assert answer.media.send == answer.media.receive == (PCMU,)
    assert answer.media.remote == ("192.0.2.1", 49170)


def test_the_answer_names_common_codecs_in_our_order() -> None:
    """The offer of RFC 4317 §2.1."""
    offer = sdp(
        "m=audio 49170 RTP/AVP 0 8 97",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:97 iLBC/8000",
        "m=video 51372 RTP/AVP 31 32",
    )
    answer = answered(offer)
    assert lines_of(answer.description) == [
        "v=0",
        "o=- 1 1 IN IP4 10.0.0.9",
        "s=-",
        "c=IN IP4 10.0.0.9",
        "t=0 0",
        "m=audio 10000 RTP/AVP 8 0",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=ptime:20",
        "a=sendrecv",
        "m=video 0 RTP/AVP 31 32",
        "",
    ]
    assert answer.media.index == 0


def test_only_the_first_fitting_audio_stream_is_accepted() -> None:
    offer = sdp(
        "m=video 5000 RTP/AVP 31",
        "m=audio 0 RTP/AVP 8",
        "m=audio 5002 RTP/SAVP 8",
        "m=audio 5004 RTP/AVP 18",
        "m=audio 5006 RTP/AVPF 8",
        "m=audio 5008 RTP/AVP 8",
    )
    answer = answered(offer)
    assert answer.media.index == 4
    assert [section.port for section in answer.description.media] == [0, 0, 0, 0, 10000, 0]
    assert [section.protocol for section in answer.description.media] == [section.protocol for section in offer.media]


@pytest.mark.parametrize(
    "lines",
    [
        ("m=audio 5000 RTP/AVP 18",),
        ("m=audio 0 RTP/AVP 8",),
        ("m=audio 5000 RTP/SAVP 8",),
        ("m=video 5000 RTP/AVP 31",),
        ("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
        (),
    ],
)
def test_without_a_common_codec_there_is_no_answer(lines: tuple[str, ...]) -> None:
    assert make_answer(sdp(*lines), LOCAL, OURS, session_id=1) is None


def test_dynamic_numbers_are_those_of_the_offer() -> None:
    offer = sdp(
        "m=audio 5000 RTP/AVP 96 98 8",
        "a=rtpmap:96 OPUS/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:98 telephone-event/8000",
        "a=fmtp:98 0-15",
    )
    answer = answered(offer, ours=(OPUS, PCMA, EVENTS))
    assert [(each.number, each.name, each.fmtp) for each in answer.media.receive] == [
        (96, "opus", "useinbandfec=1"),
        (8, "PCMA", ""),
        (98, "telephone-event", "0-16"),
    ]
    assert [(each.number, each.fmtp) for each in answer.media.send] == [(96, "useinbandfec=1"), (8, ""), (98, "0-15")]
    assert "a=fmtp:98 0-16" in lines_of(answer.description)
    assert "a=rtpmap:96 opus/48000/2" in lines_of(answer.description)


def test_companions_go_with_a_codec_of_their_clock_rate_and_digits_with_any_when_they_have_to() -> None:
    offer = sdp(
        "m=audio 5000 RTP/AVP 96 8 13 101 110",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:110 telephone-event/48000",
    )
    ours = (OPUS, PCMA, EVENTS, EVENTS_48, CN)

    def numbers(ours: tuple[RtpFormat, ...], only_first: bool = False) -> list[int]:
        answer = make_answer(offer, LOCAL, ours, session_id=1, only_first=only_first)
        assert answer is not None
        return [each.number for each in answer.media.send]

    assert numbers(ours) == [96, 8, 101, 110, 13]
    assert numbers(ours, only_first=True) == [96, 110]
    assert numbers(ours[1:]) == [8, 101, 13]
    assert numbers((OPUS, EVENTS, CN)) == [96, 101]


def test_an_encoding_offered_twice_is_answered_once() -> None:
    offer = sdp("m=audio 5000 RTP/AVP 8 97", "a=rtpmap:97 PCMA/8000")
    assert [each.number for each in answered(offer).media.send] == [8]


@pytest.mark.parametrize(
    ("offered", "wanted", "agreed"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("sendonly", "inactive", "inactive"),
        ("recvonly", "recvonly", "inactive"),
    ],
)
def test_directions_of_the_answer(offered: str, wanted: str, agreed: str) -> None:
    """RFC 3264 §6.1; hold is sendonly or inactive (§8.4)."""
    offer = sdp("m=audio 5000 RTP/AVP 8", f"a={offered}")
    answer = make_answer(offer, LOCAL, OURS, session_id=1, direction=Direction(wanted))
    assert answer is not None
    assert answer.media.direction == agreed
    assert answer.description.media[0].direction == agreed
    assert answer.media.is_held is (not Direction(agreed).sends)


def test_old_style_hold_by_an_unspecified_address() -> None:
    offer = sdp("m=audio 5000 RTP/AVP 8", address="0.0.0.0")
    assert answered(offer).media.direction is Direction.RECVONLY
    assert answered(offer).media.is_held


@pytest.mark.parametrize(
    ("lines", "ptime_ms"),
    [
        ((), 20),
        (("a=ptime:30",), 30),
        (("a=ptime:15",), 20),
        (("a=ptime:2000",), 20),
        (("a=maxptime:10",), 10),
        (("a=ptime:60", "a=maxptime:40"), 40),
        (("a=maxptime:5",), 10),
        (("a=ptime:nonsense",), 20),
    ],
)
def test_the_packet_time_follows_the_peer_within_reason(lines: tuple[str, ...], ptime_ms: int) -> None:
    answer = answered(sdp("m=audio 5000 RTP/AVP 8", *lines))
    assert answer.media.ptime_ms == ptime_ms
    assert answer.description.media[0].ptime_ms == ptime_ms


@pytest.mark.parametrize(("offered", "wanted"), [(True, True), (True, False), (False, True), (False, False)])
def test_rtcp_mux_needs_both_sides(offered: bool, wanted: bool) -> None:
    offer = sdp("m=audio 5000 RTP/AVP 8", *(("a=rtcp-mux",) if offered else ()))
    answer = answered(offer, replace(LOCAL, rtcp_mux=wanted))
    assert answer.media.rtcp_mux is (offered and wanted)
    assert answer.description.media[0].rtcp_mux is (offered and wanted)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["a=rtcp-xr:voip-metrics"], True),
        (["a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss voip-metrics"], True),
        (["a=rtcp-xr:stat-summary=loss,dup"], False),
        (["a=rtcp-xr"], False),
        ([], False),
    ],
)
def test_voip_metrics_are_promised_to_who_asks_for_them(lines: list[str], wanted: bool) -> None:
    """RFC 3611 §5.2: each side asks for what it wants to get."""
    answer = answered(sdp("m=audio 5000 RTP/AVP 8", *lines))
    assert answer.media.rtcp_xr is wanted
    assert answer.description.media[0].attribute("rtcp-xr") == ("voip-metrics" if wanted else None)
    offer = make_offer(LOCAL, OURS, session_id=5)
    agreed = read_answer(offer, sdp("m=audio 5000 RTP/AVP 8", *lines))
    assert agreed is not None
    assert agreed.rtcp_xr is wanted


def test_where_rtcp_goes() -> None:
    assert answered(sdp("m=audio 5000 RTP/AVP 8")).media.rtcp is None
    assert answered(sdp("m=audio 5000 RTP/AVP 8", "a=rtcp:6000")).media.rtcp == ("192.0.2.1", 6000)
    assert answered(sdp("m=audio 5000 RTP/AVP 8", "a=rtcp:6000 IN IP4 1.1.1.1")).media.rtcp == ("1.1.1.1", 6000)
    odd = answered(sdp("m=audio 5000 RTP/AVP 8"), replace(LOCAL, rtcp_port=12001)).description
    assert "a=rtcp:12001" in lines_of(odd)
    assert not any("rtcp" in line for line in lines_of(answered(sdp("m=audio 5000 RTP/AVP 8")).description))


def test_an_offer_of_ours() -> None:
    offer = make_offer(replace(LOCAL, rtcp_mux=True), OURS, session_id=5, version=3, direction=Direction.SENDONLY)
    assert lines_of(offer)[1:] == [
        "o=- 5 3 IN IP4 10.0.0.9",
        "s=-",
        "c=IN IP4 10.0.0.9",
        "t=0 0",
        "m=audio 10000 RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=rtcp-mux",
        "a=rtcp-xr:voip-metrics",
        "a=sendonly",
        "",
    ]


def test_a_later_offer_keeps_every_section_in_its_place_and_uses_one_that_is_off_again() -> None:
    first = answered(sdp("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 8")).description
    later = make_offer(LOCAL, OURS, session_id=1, version=2, previous=first)
    assert [(section.media, section.port) for section in later.media] == [("video", 0), ("audio", 10000)]
    refused = replace(first, media=tuple(replace(section, port=0) for section in first.media))
    again = make_offer(LOCAL, OURS, session_id=1, version=3, previous=refused)
    assert [(section.media, section.port) for section in again.media] == [("video", 0), ("audio", 10000)]


def test_reading_an_answer() -> None:
    offer = make_offer(LOCAL, OURS, session_id=1)
    answer = sdp("m=audio 6000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000", "a=ptime:30", "a=recvonly")
    negotiated = read_answer(offer, answer)
    assert negotiated is not None
    assert negotiated.remote == ("192.0.2.1", 6000)
    assert [each.number for each in negotiated.send] == [0, 96]
    assert [each.number for each in negotiated.receive] == [0, 101]
    assert (negotiated.direction, negotiated.ptime_ms) == (Direction.SENDONLY, 30)


def test_the_answerer_s_preference_comes_first() -> None:
    negotiated = read_answer(make_offer(LOCAL, OURS, session_id=1), sdp("m=audio 6000 RTP/AVP 0 8"))
    assert negotiated is not None
    assert [each.name for each in negotiated.send] == ["PCMU", "PCMA"]


@pytest.mark.parametrize(
    ("offered", "answer", "agreed"),
    [
        ("sendonly", "recvonly", "sendonly"),
        ("sendonly", "sendrecv", "sendonly"),
        ("sendrecv", "sendonly", "recvonly"),
        ("sendonly", "inactive", "inactive"),
        ("inactive", "inactive", "inactive"),
    ],
)
def test_directions_of_a_read_answer(offered: str, answer: str, agreed: str) -> None:
    offer = make_offer(LOCAL, OURS, session_id=1, direction=Direction(offered))
    negotiated = read_answer(offer, sdp("m=audio 6000 RTP/AVP 8", f"a={answer}"))
    assert negotiated is not None
    assert negotiated.direction == agreed


def test_a_refused_stream_is_none() -> None:
    offer = make_offer(LOCAL, OURS, session_id=1)
    assert read_answer(offer, sdp("m=audio 0 RTP/AVP 8")) is None
    assert read_answer(sdp("m=audio 0 RTP/AVP 8"), sdp("m=audio 0 RTP/AVP 8")) is None


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=audio 6000 RTP/AVP 8", "m=video 0 RTP/AVP 31"),
        ("m=video 6000 RTP/AVP 31",),
        ("m=audio 6000 RTP/AVP 18",),
        ("m=audio 6000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
    ],
)
def test_an_answer_that_does_not_belong_to_the_offer_is_a_fault_of_the_peer(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_answer(make_offer(LOCAL, OURS, session_id=1), sdp(*lines))
    assert caught.value.status == 488


def test_the_version_rises_by_one_when_something_changed() -> None:
    first = make_offer(LOCAL, OURS, session_id=1, version=8)
    assert revise(first, make_offer(LOCAL, OURS, session_id=99)) is first
    held = revise(first, make_offer(LOCAL, OURS, session_id=99, direction=Direction.SENDONLY))
    assert (held.origin.session_id, held.origin.version) == ("1", 9)
    assert held.media[0].direction is Direction.SENDONLY


FORMATS = st.lists(st.sampled_from([PCMA, PCMU, G722, OPUS, EVENTS, EVENTS_48, CN]), unique=True).map(tuple)
DIRECTIONS = st.sampled_from(list(Direction))


@given(FORMATS, FORMATS, DIRECTIONS, DIRECTIONS, st.booleans())
def test_both_sides_agree(
    theirs: tuple[RtpFormat, ...], ours: tuple[RtpFormat, ...], offered: Direction, wanted: Direction, mux: bool
) -> None:
    offer = make_offer(LocalMedia("10.1.1.1", 4000, rtcp_mux=mux), theirs, session_id=1, direction=offered)
    offer = parse_sdp(write_sdp(offer))
    answer = make_answer(offer, replace(LOCAL, rtcp_mux=True), ours, session_id=2, direction=wanted)
    if not any(each.is_audio for each in {*theirs} & {*ours}):
        assert answer is None
        return
    assert answer is not None
    seen = read_answer(offer, parse_sdp(write_sdp(answer.description)))
    assert seen is not None
    mine = answer.media
    assert seen.direction is mirrored(mine.direction)
    assert (seen.rtcp_mux, mine.rtcp_mux) == (mux, mux)
    assert [each.encoding for each in seen.send] == [each.encoding for each in mine.receive]
    assert [each.number for each in seen.send] == [each.number for each in mine.receive]
    assert [each.number for each in seen.receive] == [each.number for each in mine.send]
    assert (seen.remote, mine.remote) == (("10.0.0.9", 10000), ("10.1.1.1", 4000))
