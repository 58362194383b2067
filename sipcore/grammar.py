"""Tokens, quoted strings, comma lists and percent escapes of RFC 3261 §25, as compiled expressions.

Every expression is built of possessive parts that start with different characters, so matching is linear.
"""

import re

from sipcore.errors import ParseError

TOKEN_CHARS = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = re.compile(rf"[{TOKEN_CHARS}]++")
QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]++|\\[^\r\n])*"'
HOST = r"(?:\[[0-9A-Fa-f:.]{2,45}+\]|[A-Za-z0-9_.\-]++)"
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_ITEM = re.compile(rf'(?:[^,"<]++|{QUOTED}|<[^>]*+>)*')
_MOST_ITEMS = 512  # no office sends more; a message may have half as many headers
_MOST_QUOTES = 4 * _MOST_ITEMS
_NEEDS_PAIR = re.compile(r'["\\]')
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_USER_UNSAFE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-_.!~*'()&=+$,;?/%]")
_PASSWORD_UNSAFE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-_.!~*'()&=+$,%]")
_HEADER_UNSAFE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-_.!~*'()\[\]/?:+$%]")


def is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


def quote(text: str) -> str:
    """A quoted-string; characters that no header may hold (line ends, controls) become spaces."""
    if not text.isprintable():
        text = CONTROL.sub(" ", readable(text))
    if '"' in text or "\\" in text:
        text = _NEEDS_PAIR.sub(r"\\\g<0>", text)
    return f'"{text}"'


def unquote(text: str) -> str:
    """The readable text of a quoted-string; text that is not quoted comes back as it is.

    Octets that were no UTF-8 become `?`, quoted controls become spaces: any encoder and any header takes the text.
    """
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    text = text[1:-1]
    if "\\" in text:
        text = "\\".join([part.replace("\\", "") for part in text.split("\\\\")])
    return text if text.isprintable() else CONTROL.sub(" ", readable(text))


def readable(text: str) -> str:
    """Octets that were no UTF-8 (surrogates since decoding) become `?`, so that any encoder takes the text."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def split_list(text: str) -> list[str]:
    """The values of a comma list, stripped, empty ones left out; commas in quotes and angle brackets do not count."""
    if text.count(",") > _MOST_ITEMS or text.count('"') > _MOST_QUOTES:
        raise ParseError("the list is too long")
    if '"' not in text and "<" not in text:
        return [item for part in text.split(",") if (item := part.strip(" \t"))]
    items = []
    at, end = 0, len(text)
    while at <= end:
        match = _ITEM.match(text, at)
        assert match is not None
        stop = match.end()
        if stop < end and text[stop] != ",":
            raise ParseError("a quote or an angle bracket is not closed")
        if item := text[at:stop].strip(" \t"):
            items.append(item)
        at = stop + 1
    return items


def parse_number(text: str, what: str, most: int) -> int:
    """A plain decimal number from 0 to `most`; `what` names it in the error."""
    if not text or len(text) > 20 or not (text.isascii() and text.isdigit()):
        raise ParseError(f"{what} is not a number")
    number = int(text)
    if number > most:
        raise ParseError(f"{what} is greater than {most}")
    return number


def unescape(text: str) -> str:
    """Undo percent escapes that stand for printable text.

    What is no text (broken UTF-8, controls) and `%25` stay as upper-case triplets, so that nothing escaped can
    become a line end, and `escape_*` of the result is the same text again.
    """
    return _ESCAPES.sub(_decode_run, text) if "%" in text else text


def _decode_run(match: re.Match[str]) -> str:
    decoded = bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogateescape")
    return "".join([char if char.isprintable() and char != "%" else _triplets(char) for char in decoded])


def _triplets(char: str) -> str:
    octets = char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "replace")
    return "".join([f"%{octet:02X}" for octet in octets])


def _escape_match(match: re.Match[str]) -> str:
    return _triplets(match[0])


def escape_user(text: str) -> str:
    if text.isalnum() and text.isascii():  # a number, as nearly always
        return text
    return _USER_UNSAFE.sub(_escape_match, text)


def escape_password(text: str) -> str:
    return _PASSWORD_UNSAFE.sub(_escape_match, text)


def escape_header(text: str) -> str:
    return _HEADER_UNSAFE.sub(_escape_match, text)
