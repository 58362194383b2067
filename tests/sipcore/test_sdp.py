"""Session descriptions: reading, what is tolerated, what is refused, printing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import ParseError
from sipcore.sdp.model import Direction, MediaSection, Origin, RtpFormat, SessionDescription
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.write import write_sdp

HEAD = "v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example.com\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
TYPICAL = HEAD + (
    "m=audio 49170 RTP/AVP 8 0 18 96 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
    "a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)


def test_the_parts_of_a_typical_description() -> None:
    description = parse_sdp(TYPICAL.encode())
    assert description.origin == Origin("2890844526", 2890844527, "host.example.com", "alice")
    (section,) = description.media
    assert (section.media, section.port, section.protocol) == ("audio", 49170, "RTP/AVP")
    assert description.address_of(section) == "192.0.2.1"
    assert description.direction_of(section) is Direction.SENDRECV
    assert section.ptime_ms == 20
    assert section.formats == (
        RtpFormat(8, "PCMA"),
        RtpFormat(0, "PCMU"),
        RtpFormat(18, "G729", fmtp="annexb=no"),
        RtpFormat(96, "opus", 48000, 2),
        RtpFormat(101, "telephone-event", fmtp="0-15"),
    )


def test_a_description_prints_as_it_was() -> None:
    assert write_sdp(parse_sdp(TYPICAL)).decode() == TYPICAL


def test_a_section_overrides_address_and_direction_of_the_session() -> None:
    text = HEAD + "a=sendonly\r\nm=audio 1 RTP/AVP 0\r\nm=audio 2 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\na=recvonly\r\n"
    description = parse_sdp(text)
    first, second = description.media
    assert (description.address_of(first), description.direction_of(first)) == ("192.0.2.1", Direction.SENDONLY)
    assert (description.address_of(second), description.direction_of(second)) == ("2001:db8::1", Direction.RECVONLY)
    assert b"c=IN IP6 2001:db8::1\r\n" in write_sdp(description)


@pytest.mark.parametrize(
    ("address", "stated", "effective"),
    [
        ("192.0.2.1", "sendrecv", "sendrecv"),
        ("0.0.0.0", "sendrecv", "sendonly"),
        ("0.0.0.0", "recvonly", "inactive"),
        ("0.0.0.0", "sendonly", "sendonly"),
        ("0.0.0.0", "inactive", "inactive"),
    ],
)
def test_an_unspecified_address_receives_nothing(address: str, stated: str, effective: str) -> None:
    description = parse_sdp(HEAD + f"m=audio 1 RTP/AVP 0\r\nc=IN IP4 {address}\r\na={stated}\r\n")
    assert description.effective_direction(description.media[0]) == effective


def test_static_payload_types_need_no_map() -> None:
    description = parse_sdp(HEAD + "m=audio 1 RTP/AVP 0 3 8 9 13 18 34 35 97\r\n")
    names = [f"{each.number} {each.name}/{each.clock_rate}" for each in description.media[0].formats]
    assert names == [
        "0 PCMU/8000",
        "3 GSM/8000",
        "8 PCMA/8000",
        "9 G722/8000",
        "13 CN/8000",
        "18 G729/8000",
        "34 H263/90000",
    ]


@pytest.mark.parametrize(
    "mapped", ["x", "x/", "/8000", "x/0", "x/8k", "x/8000/", "x/8000/0", "x/8000/a", "", "x/99999999"]
)
def test_a_payload_type_with_a_malformed_map_is_left_out(mapped: str) -> None:
    description = parse_sdp(HEAD + f"m=audio 1 RTP/AVP 97 0\r\na=rtpmap:97 {mapped}\r\n")
    numbers = [each.number for each in description.media[0].formats]
    assert numbers == ([97, 0] if mapped == "x/8000/" else [0])


@pytest.mark.parametrize("payload", ["128", "999", "1000", "-1", "x", "٣", "0x1", "+0"])
def test_what_is_no_payload_type_is_left_out(payload: str) -> None:
    description = parse_sdp(HEAD + f"m=audio 1 RTP/AVP {payload} 8\r\na=rtpmap:{payload} a/8000\r\n")
    assert description.media[0].formats == (RtpFormat(8, "PCMA"),)


def test_rtcp_attributes() -> None:
    text = (
        HEAD
        + "m=audio 1 RTP/AVP 0\r\na=rtcp:53020\r\na=rtcp-mux\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:53020 IN IP4 1.2.3.4\r\n"
    )
    first, second = parse_sdp(text).media
    assert (first.rtcp, first.rtcp_mux) == (("", 53020), True)
    assert (second.rtcp, second.rtcp_mux) == (("1.2.3.4", 53020), False)


@pytest.mark.parametrize(
    ("value", "ptime_ms"),
    [("20", 20), ("7.5", 7), (" 30 ", 30), ("0", None), ("x", None), ("-20", None), ("999999", None)],
)
def test_packet_time(value: str, ptime_ms: int | None) -> None:
    assert parse_sdp(HEAD + f"m=audio 1 RTP/AVP 0\r\na=ptime:{value}\r\n").media[0].ptime_ms == ptime_ms


def test_what_is_not_rtp_has_no_formats() -> None:
    (section,) = parse_sdp(HEAD + "m=image 4000 udptl t38\r\n").media
    assert section.payloads == ("t38",)
    assert section.formats == ()


@pytest.mark.parametrize(
    "text",
    [
        TYPICAL.replace("\r\n", "\n"),
        TYPICAL.replace("\r\n", "\r"),
        TYPICAL.rstrip("\r\n"),
        TYPICAL + "\r\n\r\n",
        TYPICAL.replace("s=-\r\n", ""),
        TYPICAL.replace("t=0 0\r\n", ""),
        TYPICAL.replace("s=-", "s= "),
        TYPICAL.replace("s=-\r\nc=IN IP4 192.0.2.1\r\n", "c=IN IP4 192.0.2.1\r\ni=late\r\ns=-\r\n"),
        TYPICAL.replace("t=0 0", "X=unknown\r\nnonsense\r\nt=0 0"),
        TYPICAL.replace("a=ptime:20", "a=ptime:20  "),
        TYPICAL.replace("IP4 192.0.2.1\r", "ip4 192.0.2.1/127\r"),
        TYPICAL.replace("v=0\r", "v=0 \r"),
    ],
)
def test_what_the_field_sends_is_tolerated(text: str) -> None:
    assert parse_sdp(text) == parse_sdp(TYPICAL)


def test_an_origin_without_a_user_name_and_octets_that_are_no_utf_8() -> None:
    body = TYPICAL.replace("o=alice ", "o=").encode().replace(b"s=-", b"s=\xff")
    assert parse_sdp(body).origin.username == "-"
    assert parse_sdp(body).name == "\ufffd"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("hello", 400),
        (TYPICAL[5:], 400),
        (TYPICAL.replace("v=0", "v=1"), 400),
        (TYPICAL.replace("o=alice 2890844526 2890844527 IN IP4 host.example.com\r\n", ""), 400),
        (TYPICAL.replace("2890844527", "x"), 400),
        (TYPICAL.replace("IN IP4 host.example.com", "IP4 host.example.com x y"), 400),
        (TYPICAL.replace("c=IN IP4 192.0.2.1\r\n", ""), 400),
        (TYPICAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4"), 400),
        (TYPICAL.replace("c=IN IP4 192.0.2.1", "c=ATM NSAP 1"), 400),
        (TYPICAL.replace("49170 RTP", "99999 RTP"), 400),
        (TYPICAL.replace("49170 RTP", "-1 RTP"), 400),
        (TYPICAL.replace("49170 RTP", "49170/x RTP"), 400),
        (TYPICAL.replace("m=audio 49170 RTP/AVP 8 0 18 96 101", "m=audio"), 400),
        (TYPICAL.replace("s=-", "s=\x00"), 400),
        (HEAD + "m=audio 0 RTP/AVP 0\r\n" * 33, 488),
        (HEAD + "a=x\r\n" * 2000, 488),
    ],
)
def test_malformed_descriptions_are_refused_with_a_sentence(text: str, status: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse_sdp(text)
    assert caught.value.status == status
    assert " " in caught.value.reason


def test_no_address_is_needed_where_the_media_is_off() -> None:
    text = HEAD.replace("c=IN IP4 192.0.2.1\r\n", "") + "m=video 0 RTP/AVP 31\r\n"
    assert parse_sdp(text).address == ""
    assert parse_sdp(HEAD).media == ()


@pytest.mark.parametrize("direction", list(Direction))
def test_a_direction_is_made_of_its_halves(direction: Direction) -> None:
    assert Direction.of(sends=direction.sends, receives=direction.receives) is direction


_WORDS = st.from_regex(r"[a-zA-Z0-9.\-]{1,12}", fullmatch=True)
_VALUES = st.from_regex(r"([a-zA-Z0-9=/:;\-]{1,8}( [a-z0-9:]{1,5})?)?", fullmatch=True)
_ATTRIBUTES = st.lists(st.tuples(_WORDS, _VALUES), max_size=5).map(tuple)
_ADDRESSES = st.ip_addresses().map(str)
_SECTIONS = st.builds(
    MediaSection,
    media=st.sampled_from(["audio", "video", "image"]),
    port=st.integers(0, 65535),
    protocol=st.sampled_from(["RTP/AVP", "RTP/SAVPF", "udptl"]),
    payloads=st.lists(_WORDS, max_size=4).map(tuple),
    address=st.one_of(st.just(""), _ADDRESSES),
    attributes=_ATTRIBUTES,
    bandwidth=st.lists(st.just("AS:64"), max_size=2).map(tuple),
    port_count=st.integers(1, 9),
)
DESCRIPTIONS = st.builds(
    SessionDescription,
    origin=st.builds(Origin, st.integers(0, 2**63).map(str), st.integers(0, 2**63), _ADDRESSES, _WORDS),
    media=st.lists(_SECTIONS, max_size=3).map(tuple),
    address=_ADDRESSES,
    name=st.one_of(st.just("-"), _WORDS),
    attributes=_ATTRIBUTES,
    times=st.sampled_from([("0 0",), ("1 2", "3 4")]),
)


@given(DESCRIPTIONS)
def test_a_printed_description_parses_to_the_same_one(description: SessionDescription) -> None:
    assert parse_sdp(write_sdp(description)) == description
