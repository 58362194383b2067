"""No input may take more than 5 ms of CPU time per 64 KiB, and twice the input takes about twice the time.

The best of several tries counts: a busy machine makes things slower, never faster. A datagram is never longer than
64 KiB; a stream is cut into pieces of that size by the network.
"""

import contextlib
import time
from collections.abc import Callable, Iterable

import pytest

from pbx.gate import _names
from pbx.refusal import sketch
from pbx.sipmask import call_id_of, masked
from pbx.stir.passport import SignedPassport
from sipcore.body import parts_of
from sipcore.dialog.info import digit_of
from sipcore.errors import ParseError
from sipcore.framing import StreamFramer
from sipcore.glance import glance
from sipcore.grammar import split_list, unquote
from sipcore.message import Message
from sipcore.params import Params
from sipcore.parse import parse_any, parse_message
from sipcore.presence.pidf_read import parse_pidf
from sipcore.sdp.crypto import read_crypto
from sipcore.sdp.dtls import read_fingerprint
from sipcore.sdp.ice import read_candidate, read_fragment
from sipcore.sdp.negotiate import make_answer
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.sections import LocalMedia
from sipcore.stun import binding_response
from sipcore.transport.ws_layer import OriginPolicy, WebSocketLayer
from sipcore.uri import parse_uri
from tests.fuzz.seeds import PIDF, STUN
from tests.fuzz.targets import HANDSHAKE, KINDS, MIXED_HEAD
from tests.support.builders import FORMATS
from tests.support.stranger import UDP, Bench

Parse = Callable[[bytes], object]
Inputs = Callable[[int], Iterable[tuple[str, bytes]]]
SIZE = 65_000
MOST_S = 0.005
GROWTH = 3.0  # four times would be the square; caches that overflow cost a little
NOISE_S = 0.001  # below it the clock and the caches say more than the parser
TRIES = 40


def once_s(parse: Parse, data: bytes) -> float:
    """CPU time of one look at `data`."""
    begun = time.process_time()
    with contextlib.suppress(ParseError):
        parse(data)
    return time.process_time() - begun


def cost_s(parse: Parse, data: bytes) -> float:
    """The best of some looks; no more than it takes to know that it is little."""
    best = once_s(parse, data)
    for _ in range(TRIES):
        if best < MOST_S:
            break
        best = min(best, once_s(parse, data))
    return best


def growth(parse: Parse, whole: bytes, half: bytes) -> float:
    """How many times longer the whole takes than the half, measured in turns: a machine that slows down does so for
    both."""
    costs = once_s(parse, whole), once_s(parse, half)
    for _ in range(TRIES):
        if costs[0] <= max(GROWTH * costs[1], NOISE_S):
            return 1.0
        costs = min(costs[0], once_s(parse, whole)), min(costs[1], once_s(parse, half))
    return costs[0] / costs[1]


def textual(parse: Callable[[str], object]) -> Parse:
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def fill(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def everything(data: bytes) -> object:
    """A message with every header in it that we know."""
    message: Message = parse_message(data)
    for kind in KINDS:
        with contextlib.suppress(ParseError):
            message.headers.all(kind)
    return message


def through_the_stack(data: bytes) -> object:
    bench = Bench()
    bench.stack.receive(data, UDP, bench.now)
    return list(bench.stack.outgoing())


def answered(data: bytes) -> object:
    return make_answer(parse_sdp(data), LocalMedia("10.0.0.1", 4000), tuple(FORMATS.values()), session_id=1)


def framed(data: bytes) -> object:
    return list(StreamFramer().feed(data))


def from_a_browser(data: bytes) -> object:
    layer = WebSocketLayer(OriginPolicy())
    list(layer.receive(HANDSHAKE))
    found = list(layer.receive(data))
    layer.take()
    return found


CORE = {
    "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:c@d>",
    "Call-ID": "x",
    "CSeq": "1 INVITE",
}
LINES = (
    *("X: y\r\n", "a:\r\n", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n", "v:SIP/2.0/UDP a\r\n", " \r\n", "\r\n"),
    *("X: a\r\n b\r\n", "\r", "\n", "Route: <sip:a@b;lr>\r\n", "Contact: <sip:a@b>;q=1\r\n", ":", "\0", "\udcff", "é"),
    *(
        "Authorization: Digest response=b\r\n",
        "X\t : y\r\n",
        "From: <sip:a@b>\r\n",
        "l: 1\r\n",
        "Content-Length",
        "\r\n\t",
    ),
)
UNITS = (
    *(
        '"',
        "\\",
        '"\\"',
        '"a"',
        "<",
        ">",
        ";",
        ",",
        ";a",
        ";a=b",
        ', "',
        "a,",
        "<a>,",
        '"a",',
        " ",
        "\t",
        "0",
        "9",
        "%41",
    ),
    *(
        "%",
        "[",
        "::",
        "@",
        ":",
        "SIP/2.0/UDP a,",
        "<sip:a@b>,",
        ";tag=1",
        "é",
        "\udc80",
        "a=b,",
        'a="b", ',
        "(",
        "&a=b",
    ),
    *("-", ".", "/", "=", "?", "*", "a/", "1 ", "\u2028", "\x85"),
)
HEADS = ("", "<sip:a@b>", "SIP/2.0/UDP a", "Digest a=", '"', "sip:", "sip:a@b?", "1 ", 'Digest a="', "x;a=")
NAMES = (
    "Via",
    "From",
    "Contact",
    "Route",
    "CSeq",
    "Call-ID",
    "Content-Length",
    "Accept",
    "Authorization",
    "X",
    "Reason",
)
START = "INVITE sip:a@b SIP/2.0\r\n"


def core_without(name: str) -> str:
    return "".join(f"{key}: {value}\r\n" for key, value in CORE.items() if key != name)


def messages(size: int) -> Iterable[tuple[str, bytes]]:
    """Long in all that a head may hold; a head of allowed length is a quarter of `size`."""
    for length in (size, size // 4 - 400):
        for line in LINES:
            yield f"{line!r} to {length}", _octets(START + core_without("") + fill(line, length) + "\r\n\r\n")
    for name in NAMES:
        for head in ("", "<sip:a@b>", "SIP/2.0/UDP a", '"'):
            for unit in UNITS:
                value = head + fill(unit, size // 4 - 400)
                yield f"{name}: {head}{unit!r}", _octets(f"{START}{core_without(name)}{name}: {value}\r\n\r\n")
    yield "a long URI", _octets(f"INVITE sip:{fill('a;', size // 8)} SIP/2.0\r\n{core_without('')}\r\n")
    yield "a long body", _octets(START + core_without("") + "\r\n" + fill("\r\n\r\n", size))


def values(size: int) -> Iterable[tuple[str, bytes]]:
    for head in HEADS:
        for unit in UNITS:
            yield f"{head}{unit!r}", _octets(head + fill(unit, size))


SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n"


def descriptions(size: int) -> Iterable[tuple[str, bytes]]:
    media = f"{SESSION}m=audio 4000 RTP/AVP 0 8 101\r\n"
    for line in (
        "a=x\r\n",
        "a=rtpmap:0 PCMU/8000\r\n",
        "a=fmtp:101 0-15\r\n",
        "a=ptime:20\r\n",
        "b=AS:1\r\n",
        "\r\n",
        "\r",
    ):
        yield repr(line), (media + fill(line, size)).encode()
        yield f"many sections with {line!r}", (SESSION + fill(f"m=audio 1 RTP/AVP 0 8\r\n{line * 60}", size)).encode()
    for line in ("m=audio 1 RTP/AVP 0\r\n", "m=x 0 y z\r\n", "t=0 0\r\n", "o=- 1 1 IN IP4 a\r\n"):
        yield repr(line), (SESSION + fill(line, size)).encode()
    yield "many payload types", (media[:-2] + fill(" 0", size)).encode()
    yield "many parameters", (media + "a=fmtp:101 " + fill("a=b;", size)).encode()


def streams(size: int) -> Iterable[tuple[str, bytes]]:
    text = START + core_without("")
    for unit in ("\r\n", "\r\n\r\n", "\r\n\r", text + "Content-Length: 0\r\n\r\n", "\r\n\r\n" + text + "l:0\r\n\r\n"):
        yield repr(unit[:30]), fill(unit, size).encode()
    yield "a body of line ends", (f"{text}l: {size - 400}\r\n\r\n" + fill("\r\n", size)).encode()
    yield "many lengths", (text + fill("l: 1\r\n", size // 5) + "\r\n").encode()


def frames(size: int) -> Iterable[tuple[str, bytes]]:
    for kind, first in (("texts", 0x81), ("pings", 0x89), ("fragments", 0x00), ("pongs", 0x8A), ("closes", 0x88)):
        yield kind, fill(chr(first) + "\x80\0\0\0\0", size).encode("latin-1")
    yield "zeros", bytes(size)


def documents(size: int) -> Iterable[tuple[str, bytes]]:
    """Whole ones are limited far below `size`; what is within the limits is as long as it may be."""
    for length in (size, 8000, 540, 180):
        for unit in (
            "<a>",
            "<presence xmlns='urn:ietf:params:xml:ns:pidf'>",
            "&amp;",
            " a='b'",
            "\n",
            "\0",
            "Signal=x\n",
        ):
            yield f"{unit!r} to {length}", (PIDF.decode()[:100] + fill(unit, length)).encode()[-length:]
            yield f"{unit!r} inside, to {length}", PIDF.replace(b"here", fill(unit, length - 600).encode() or b"")
        yield f"attributes to {length}", STUN[:2] + (length // 4 * 4 - 20).to_bytes(2, "big") + STUN[4:] + bytes(length)


def bodies(size: int) -> Iterable[tuple[str, bytes]]:
    """Parts, and what looks like them."""
    for unit in (
        "--b\r\n",
        "\r\n--b",
        "\r\n--",
        "\r\n",
        "--b--",
        "\r\n--b\r\nX: y\r\n",
        "\r\n--b\r\n\r\n",
        "-",
        "X: y\r\n",
    ):
        yield repr(unit), fill(unit, size).encode()
        yield f"one part of {unit!r}", b"--b\r\n" + fill(unit, size).encode()


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


PARSERS: dict[str, tuple[Parse, Inputs]] = {
    "message": (everything, messages),
    "any message": (parse_any, messages),
    "stack": (through_the_stack, messages),
    "sketch": (sketch, messages),
    "names": (lambda data: _names(data, (b"scan",)), messages),
    "glance": (glance, messages),
    "mask": (masked, messages),
    "Call-ID": (call_id_of, messages),
    "stream": (framed, streams),
    "WebSocket": (from_a_browser, frames),
    "body": (lambda data: parts_of(parse_message(MIXED_HEAD + data)), bodies),
    "SDP": (parse_sdp, descriptions),
    "offer": (answered, descriptions),
    "crypto": (textual(read_crypto), values),
    "fingerprint": (textual(read_fingerprint), values),
    "candidate": (textual(read_candidate), values),
    "passport": (textual(SignedPassport.parse), values),
    "fragment": (read_fragment, descriptions),
    "PIDF": (parse_pidf, documents),
    "STUN": (lambda data: binding_response(data, "192.0.2.1", 5060), documents),
    "digit": (digit_of, documents),
    "URI": (textual(parse_uri), values),
    "parameters": (textual(Params.parse), values),
    "list": (textual(split_list), values),
    "quoted": (textual(unquote), values),
}
PARSERS.update({f"{kind.__qualname__} value": (textual(kind.parse), values) for kind in KINDS})


@pytest.mark.parametrize("name", PARSERS)
def test_64_kib_take_at_most_5_ms_and_time_grows_as_the_input_does(name: str) -> None:
    parse, inputs = PARSERS[name]
    slow, steep = {}, {}
    for (what, whole), (_, half) in zip(inputs(SIZE), inputs(SIZE // 2), strict=True):
        cost = cost_s(parse, whole)
        if cost > MOST_S:
            slow[what] = f"{cost * 1e3:.1f} ms"
        elif cost > NOISE_S and (times := growth(parse, whole, half)) > GROWTH:
            steep[what] = f"{times:.1f} times"
    assert (slow, steep) == ({}, {})
