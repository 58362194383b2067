"""What `sipcore/usual.pyx` does, in plain Python: which form counts as usual, and what is found in it.

The usual form is a part of the grammar of RFC 3261 §25 that needs no look ahead: CRLF lines without folding, names
followed by a colon at once, From and To with a sip URI in brackets, one Via a line. Everything else is left to
`sipcore.parse.parse_any`, which takes all that the grammar allows and says what is wrong with the rest.
"""

import re

from sipcore.headers import CANONICAL, COMPACT
from sipcore.message import Facts, Sent

_ALNUM = "A-Za-z0-9"
_TOKEN = rf"[{_ALNUM}\-.!%*_+`'~]+"
_HIGH = r"\x80-\xff"  # octets of UTF-8, or of no encoding at all
_PORT = r"(?::([1-9][0-9]{0,4}))?"
_URI_PARAMS = rf"(?:;[a-z0-9\-.+]+(?:=[{_ALNUM}\-_.!~*'()\[\]/:&+$]+)?){{0,16}}"
_PARAMS = rf"((?:;[a-z0-9\-.+]+(?:=[{_ALNUM}\-.!%*_+`'~\[\]:/&$()@]+)?){{0,16}})"
URI = rf"sips?:(?:[{_ALNUM}\-_.!~*'()&=+$]+@)?[{_ALNUM}.\-_]+{_PORT}{_URI_PARAMS}"
_ADDRESS = re.compile(rf'(?:"[ !#-\[\]-~{_HIGH}]*" *|[{_ALNUM}\-.!%*_+`\'~ {_HIGH}]*)<{URI}>{_PARAMS}')
_VIA = re.compile(rf"SIP/2\.0/{_TOKEN} ([{_ALNUM}.\-_]+){_PORT}{_PARAMS}")
_PARAM = re.compile(r";([^;=]+)(?:=([^;]*))?")
_REQUEST = re.compile(rf"({_TOKEN}) ([!-~]+) SIP/2\.0")
_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) (.*)")
_LINE = re.compile(rf"({_TOKEN}): *(.*?) *")
_CSEQ = re.compile(rf"([0-9]{{1,10}}) ({_TOKEN})")
_LENGTH = re.compile(r"[0-9]{1,9}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ONCE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length")
_REQUIRED = {"via", "from", "to", "call-id", "cseq"}
_MOST_VALUE = 1024
_MOST_PAIRS = 32
_PAIR = re.compile(rf'({_TOKEN})=(?:"([ !#-\[\]-~]*)"|({_TOKEN}))')
_PAIRS = re.compile(rf"{_PAIR.pattern}(?:, *{_PAIR.pattern})*")


def read(data: bytes, most_head: int, most_fields: int) -> Facts | None:
    end = data.find(b"\r\n\r\n", 0, most_head + 4)
    start, *lines = data[: max(end, 0)].decode("latin-1").split("\r\n")
    if end < 0 or len(lines) > most_fields or any(map(_CONTROL.search, (start, *lines))):
        return None
    fields = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        name = match[1].lower()
        fields.append((COMPACT.get(name, name), match[2]))
    first = dict(reversed(fields))
    if not first.keys() >= _REQUIRED or any(len([1 for key, _ in fields if key == name]) > 1 for name in _ONCE):
        return None
    return _checked(start, fields, first, data[end + 4 :])


def _checked(start: str, fields: list[tuple[str, str]], first: dict[str, str], rest: bytes) -> Facts | None:
    line = _start(start)
    from_, to, sent = _tag(first["from"]), _tag(first["to"]), _sent(first["via"])
    cseq, length = _CSEQ.fullmatch(first["cseq"]), first.get("content-length", str(len(rest)))
    if line is None or from_ is None or to is None or sent is None or cseq is None or not first["call-id"]:
        return None
    if int(cseq[1]) >= 2**31 or (isinstance(line[0], str) and cseq[2] != line[0]):
        return None
    if not _LENGTH.fullmatch(length) or int(length) > len(rest):
        return None
    texts = [(key, _text(value)) for key, value in fields]
    index = dict(reversed(texts))
    return line[0], _text(line[1]), texts, index, rest[: int(length)], sent, (from_[0], to[0])


def _text(octets: str) -> str:
    return octets.encode("latin-1").decode("utf-8", "surrogateescape")


def _start(line: str) -> tuple[str, str] | tuple[int, str] | None:
    if match := _RESPONSE.fullmatch(line):
        return int(match[1]), match[2]
    match = _REQUEST.fullmatch(line)
    return None if match is None or line.startswith("SIP/2.0 ") else (match[1], match[2])


def _first(params: str) -> dict[str, str | None]:
    """A flag is None here."""
    return {name: value or None for name, value in reversed(_PARAM.findall(params))}


def _tag(value: str) -> tuple[str | None] | None:
    match = _ADDRESS.fullmatch(value)
    if match is None or len(value) > _MOST_VALUE or not _is_port(match[1]):
        return None
    params = _first(match[2])
    return None if params.get("tag", "") is None else (params.get("tag"),)


def _sent(value: str) -> Sent | None:
    match = _VIA.fullmatch(value)
    if match is None or len(value) > _MOST_VALUE or not _is_port(match[2]):
        return None
    params = _first(match[3])
    rport = params["rport"] or "" if "rport" in params else None
    return match[1], match[2] or "", params.get("branch") or "", rport


def _is_port(text: str | None) -> bool:
    return text is None or int(text) < 65536


def pairs(text: str) -> dict[str, str] | None:
    if not text.isascii() or len(text) > _MOST_VALUE or text.count(",") > _MOST_PAIRS or not _PAIRS.fullmatch(text):
        return None
    found = [(name.lower(), quoted or plain) for name, quoted, plain in _PAIR.findall(text)]
    return dict(found) if len(dict(found)) == len(found) else None


def write(start: str, fields: list[tuple[str, str]], body: bytes) -> bytes | None:
    lines = [
        start,
        *(f"{CANONICAL.get(name) or name.title()}: {value}" for name, value in fields if name != "content-length"),
    ]
    text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    return text.encode() + body if text.isascii() else None
