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
_CACHED_TEXT = 1024


def parse_sdp(body: bytes | str) -> SessionDescription:
    """The description in `body`; raises ParseError and nothing else."""
    head, *sections = _text(body).split("\nm=")
    if len(sections) > _MOST_SECTIONS:
        raise ParseError("the session description has too many media sections", 488)
    media = tuple([_section(text) for text in sections])
    description = _session(head, media)
    if not description.address and any(section.port and not section.address for section in media):
        raise ParseError("the session description has no connection address")
    return description


def _text(body: bytes | str) -> str:
    """Lines ended by LF."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ParseError("the session description holds a NUL")
    if text.count("\n") >= _MOST_LINES:
        raise ParseError("the session description has too many lines", 488)
    if not text.startswith("v=0"):
        raise ParseError("the session description does not start with v=0")
    return text


def _session(text: str, media: tuple[MediaSection, ...]) -> SessionDescription:
    """What is the same in every call of a phone is read once."""
    if text.count("\no=") != 1:
        origin, others = _last_origin(text)
    else:
        before, _, rest = text.partition("\no=")
        line, _, after = rest.partition("\n")
        origin, others = _origin(line), f"{before}\n{after}" if "\n" in before else after
    address, name, attributes, bandwidth, times = _of_session(others)
    return SessionDescription(origin, media, address, name, attributes, bandwidth, times)


def _last_origin(text: str) -> tuple[Origin, str]:
    """The o= line that counts where there are several, and the lines without it."""
    lines = text.split("\n")
    origins = [_origin(line[2:]) for line in lines if line[:2] == "o="]
    if not origins:
        raise ParseError("the session description has no o= line")
    return origins[-1], "\n".join([line for line in lines if line[:2] != "o="])


_Session = tuple[str, str, Attributes, tuple[str, ...], tuple[str, ...]]
_Section = tuple[str, Attributes, tuple[str, ...]]


def _of_session(text: str) -> _Session:
    return _read_session_cached(text) if len(text) <= _CACHED_TEXT else _read_session(text)


def _read_session(text: str) -> _Session:
    """Address, name, attributes, bandwidth and times."""
    address, name = "", "-"
    attributes: list[tuple[str, str]] = []
    bandwidth: list[str] = []
    times: list[str] = []
    for line in text.split("\n"):
        kind, value = line[:2], line[2:]
        if kind == "a=":
            attributes.append(_attribute(value))
        elif kind == "c=":
            address = _address(value)
        elif kind == "s=":
            name = value.strip() or "-"
        elif kind == "t=":
            times.append(value.strip() or "0 0")
        elif kind == "b=":
            bandwidth.append(value.strip())
    return address, name, tuple(attributes), tuple(bandwidth), tuple(times) or ("0 0",)


def _section(text: str) -> MediaSection:
    line, _, rest = text.partition("\n")
    media, port, port_count, protocol, payloads = _media_line(line)
    is_unique = len(rest) > _CACHED_TEXT or "a=crypto:" in rest or "a=ice-pwd:" in rest
    address, attributes, bandwidth = _read_section(rest) if is_unique else _read_section_cached(rest)
    return MediaSection(media, port, protocol, payloads, address, attributes, bandwidth, port_count)


def _read_section(text: str) -> _Section:
    """Address, attributes and bandwidth: what follows an m= line."""
    address = ""
    attributes: list[tuple[str, str]] = []
    bandwidth: list[str] = []
    for line in text.split("\n"):
        kind = line[:2]
        if kind == "a=":
            attributes.append(_attribute(line[2:]))
        elif kind == "c=":
            address = address or _address(line[2:])
        elif kind == "b=":
            bandwidth.append(line[2:].strip())
    return address, tuple(attributes), tuple(bandwidth)


# Phones describe themselves in the same words in each call; ports and the o= line are what differs.
_read_session_cached = lru_cache(maxsize=1024)(_read_session)
_read_section_cached = lru_cache(maxsize=1024)(_read_section)


def _media_line(line: str) -> tuple[str, int, int, str, tuple[str, ...]]:
    words = line.split()
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
    is_unique = len(text) > _CACHED_LENGTH or text.startswith(("crypto:", "ice-"))
    return _split_attribute(text) if is_unique else _attribute_cached(text)


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
