"""What holds for every leaf parser: a value or ParseError, nothing printed that could end a line.

A printed value parses to the same value again, whatever odd text it came from.
"""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import sipcore.headers as headers
from sipcore.errors import ParseError
from sipcore.grammar import split_list, unquote
from sipcore.params import Params
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.write import write_sdp
from sipcore.uri import parse_uri

Parser = Callable[[str], object]


def _header_kinds() -> list[type[headers.Header]]:
    values = [getattr(headers, name) for name in headers.__all__]
    return [
        value for value in values if isinstance(value, type) and hasattr(value, "NAME") and value is not headers.Header
    ]


KINDS = _header_kinds()
PARSERS: dict[str, Parser] = {f"{kind.__module__}.{kind.__qualname__}": kind.parse for kind in KINDS}
PARSERS |= {"uri": parse_uri, "params": Params.parse}
OTHERS: dict[str, Parser] = {
    "split_list": split_list,
    "unquote": unquote,
    "sdp": parse_sdp,
}

PIECES = [
    '"', "\\", "<", ">", ";", ",", "=", "@", ":", "?", "&", "%", "%00", "%0d%0a", "%ff", "%41", " ", "\t", "\r\n",
    "\n", "\x00", "\x7f", "\x85", "\u2028", "é", "Ж", "٣", "\udc80", "*", "/", ".", "[", "]", "(", ")", "-",
    "0", "1", "9999999999", "sip:", "sips:", "tel:", "SIP/2.0/UDP", "1.2.3.4", "[::1]", "a", "host", "tag", "q=",
    "expires", "lr", "received=", "rport", "branch=z9hG4bK", "Digest ", "Basic ", "nonce=", "realm=", "qop=",
    "INVITE", "application/sdp", "to-tag=1", "from-tag=2", "cause=", "text=", "+sip.instance=",
]  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")),
)


def _try(parse: Parser, text: str) -> object:
    try:
        return parse(text)
    except ParseError as error:
        return None if error.reason else pytest.fail("a ParseError without a reason")


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example('"\\\r" <sip:a@b>')
@example("<sip:a@b>;tag=\x85")
@example("SIP/2.0/UDP a;branch=\u2028")
def test_every_parser_gives_a_value_or_a_parse_error(text: str) -> None:
    for parse in (*PARSERS.values(), *OTHERS.values()):
        _try(parse, text)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example('Digest username="a\\\\"')
@example("Digest nonce=\x85")
@example("100 (a)b")
@example("<sip:%25%41@h?%25=%41>")
def test_a_printed_value_parses_to_the_same_value_and_cannot_end_the_line(text: str) -> None:
    for name, parse in PARSERS.items():
        value = _try(parse, text)
        if value is None:
            continue
        printed = str(value)
        assert not {"\r", "\n", "\x00"} & set(printed), name
        printed.encode()
        again = parse(printed)
        assert str(parse(str(again))) == str(again), name
        assert again == value or str(again) == printed, name


SDP_PIECES = [
    "v=0\r\n", "o=- 1 1 IN IP4 1.2.3.4\r\n", "s=-\r\n", "t=0 0\r\n", "c=IN IP4 1.2.3.4\r\n", "c=IN IP6 ::1\n",
    "m=audio 4000 RTP/AVP 0 8 96\r\n", "m=video 0 RTP/AVP 31\n", "m=audio 1/2 RTP/SAVP 0\n",
    "a=rtpmap:96 opus/48000/2\r\n", "a=rtpmap:96 x/\n", "a=fmtp:96 a=b\n", "a=sendonly\r\n", "a=inactive\n",
    "a=ptime:20\n", "a=ptime:x\n", "a=rtcp:9\n", "a=rtcp:9 IN IP4 1.1.1.1\r\n", "a=:\n", "a=\n", "b=AS:64\n", "b=\n",
    "t=\n", "s=\n", "z", "=", " ", "\r", "\n", "\x00", "é",
]  # fmt: skip
SDP_TEXTS = st.one_of(
    st.lists(st.sampled_from(SDP_PIECES), max_size=20).map("".join),
    st.lists(st.sampled_from(SDP_PIECES), max_size=20).map(
        lambda lines: "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n" + "".join(lines)
    ),
)


@settings(max_examples=600, deadline=None)
@given(SDP_TEXTS)
def test_a_printed_description_parses_to_the_same_description(text: str) -> None:
    value = _try(parse_sdp_text, text)
    if value is None:
        return
    printed = write_sdp(parse_sdp(text))
    assert parse_sdp(printed) == value
    assert write_sdp(parse_sdp(printed)) == printed
    for section in parse_sdp(text).media:
        assert all(0 <= each.number < 128 for each in section.formats)
        _ = (section.direction, section.ptime_ms, section.maxptime_ms, section.rtcp, section.rtcp_mux)


def parse_sdp_text(text: str) -> object:
    return parse_sdp(text)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_sdp_of_random_octets_is_a_description_or_a_parse_error(body: bytes) -> None:
    for data in (body, b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n" + body):
        with contextlib.suppress(ParseError):
            parse_sdp(data)
