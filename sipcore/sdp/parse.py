"""Read a session description (RFC 8866), tolerant where field experience says so.

Tolerated: bare LF or CR, lines without meaning for us, a missing s= or t=, odd order of session lines, spaces at line
ends, a missing c= where the media is switched off. Not tolerated: no v= and o=, a malformed c= or m=, active media
without an address.
"""

from functools import lru_cache

from sipcore.errors import ParseError
from sipcore.sdp.model import Attributes, MediaSection, Origin, SessionDescription

_MOST_SECTIONS = 32
_MOST_LINES = 2000
_MOST_PAYLOADS = 256  # an RTP payload type has seven bits
_CACHED_LENGTH = 80


def parse_sdp(body: bytes | str) -> SessionDescription:
    """The description in `body`; raises ParseError and nothing else."""
    lines = _lines(body)
    starts = [at for at, line in enumerate(lines) if line[:2] == "m="]
    if len(starts) > _MOST_SECTIONS:
        raise ParseError("the session description has too many media sections", 488)
    ends = [*starts[1:], len(lines)]
    media = tuple([_section(lines[start:end]) for start, end in zip(starts, ends, strict=False)])
    description = _session(lines[: starts[0]] if starts else lines, media)
    if not description.address and any(section.port and not section.address for section in media):
        raise ParseError("the session description has no connection address")
    return description


def _lines(body: bytes | str) -> list[str]:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ParseError("the session description holds a NUL")
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        raise ParseError("the session description has too many lines", 488)
    if not lines[0].startswith("v=0"):
        raise ParseError("the session description does not start with v=0")
    return lines


def _session(lines: list[str], media: tuple[MediaSection, ...]) -> SessionDescription:
    origin: Origin | None = None
    address, name = "", "-"
    attributes: list[tuple[str, str]] = []
    bandwidth: list[str] = []
    times: list[str] = []
    for line in lines:
        kind, value = line[:2], line[2:]
        if kind == "a=":
            attributes.append(_attribute(value))
        elif kind == "o=":
            origin = _origin(value)
        elif kind == "c=":
            address = _address(value)
        elif kind == "s=":
            name = value.strip() or "-"
        elif kind == "t=":
            times.append(value.strip() or "0 0")
        elif kind == "b=":
            bandwidth.append(value.strip())
    if origin is None:
        raise ParseError("the session description has no o= line")
    return SessionDescription(
        origin, media, address, name, tuple(attributes), tuple(bandwidth), tuple(times) or ("0 0",)
    )


def _section(lines: list[str]) -> MediaSection:
    media, port, port_count, protocol, payloads = _media_line(lines[0])
    address = ""
    attributes: list[tuple[str, str]] = []
    bandwidth: list[str] = []
    for line in lines:
        kind = line[:2]
        if kind == "a=":
            attributes.append(_attribute(line[2:]))
        elif kind == "c=":
            address = address or _address(line[2:])
        elif kind == "b=":
            bandwidth.append(line[2:].strip())
    kept: Attributes = tuple(attributes)
    return MediaSection(media, port, protocol, payloads, address, kept, tuple(bandwidth), port_count)


def _media_line(line: str) -> tuple[str, int, int, str, tuple[str, ...]]:
    words = line[2:].split()
    if len(words) < 3:
        raise ParseError("an m= line is malformed")
    media, ports, protocol, *payloads = words
    if len(payloads) > _MOST_PAYLOADS:
        raise ParseError("an m= line names too many formats", 488)
    port, _, count = ports.partition("/")
    if not _is_number(port, 5) or int(port) > 65535 or (count and not _is_number(count, 3)):
        raise ParseError("the port of an m= line is malformed")
    return media.lower(), int(port), int(count or 1), protocol, tuple(payloads)


def _attribute(text: str) -> tuple[str, str]:
    return _attribute_cached(text) if len(text) <= _CACHED_LENGTH else _split_attribute(text)


def _split_attribute(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


_attribute_cached = lru_cache(maxsize=2048)(_split_attribute)


def _origin(text: str) -> Origin:
    words = text.split()
    if len(words) == 5:  # an empty user name
        words.insert(0, "-")
    if len(words) != 6 or not _is_number(words[2], 20):
        raise ParseError("the o= line is malformed")
    return Origin(words[1], int(words[2]), words[5], words[0])


def _address(text: str) -> str:
    words = text.split()
    if len(words) != 3 or words[0].upper() != "IN" or words[1].upper() not in ("IP4", "IP6"):
        raise ParseError("a c= line is malformed")
    return words[2].partition("/")[0]


def _is_number(text: str, most_digits: int) -> bool:
    return 0 < len(text) <= most_digits and text.isascii() and text.isdigit()
