"""SIP messages as bytes: their Call-ID, and the same text without what opens an account or a media stream."""

import re

from sipcore.parse import DEFAULT_LIMITS

_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_CREDENTIALS = re.compile(
    rb"^(?:(?:proxy-)?authorization|(?:proxy-)?authentication-info)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_SECRETS = re.compile(
    rb'(\b(?:response|rspauth|password)[ \t]*=[ \t]*)("[^"]*"?|[^,\s]+)|(\b(?:basic|bearer)[ \t]+)([^\s,]+)',
    re.IGNORECASE,
)
_MEDIA_KEY = re.compile(rb"(^a=crypto:[^\r\n]*?\binline:)([^|\s]+)", re.MULTILINE)
_SIGN = b"*"
_LONGEST_HEAD = DEFAULT_LIMITS.header_bytes
_COVERED = bytes(octet if octet in b"\r\n" else _SIGN[0] for octet in range(256))


def call_id_of(data: bytes) -> bytes:
    """The value of the Call-ID header (RFC 3261 §20.8), empty when there is none."""
    end = data.find(b"\r\n\r\n")
    found = _CALL_ID.search(data, 0, end + 2 if end >= 0 else len(data))
    return found[1].strip(b" \t") if found else b""


def masked(data: bytes) -> bytes:
    """The message with digest responses (RFC 7616 §3.4), other credentials and SDES keys (RFC 4568) covered by
    asterisks; its length stays. Of a head longer than any that is taken the rest is covered whole."""
    if b"uthoriz" in data or b"UTHORIZ" in data or b"uthentic" in data or b"UTHENTIC" in data:
        end = data.find(b"\r\n\r\n")
        head, rest = (data[:end], data[end:]) if end >= 0 else (data, b"")
        beyond = head[_LONGEST_HEAD:].translate(_COVERED)
        data = _CREDENTIALS.sub(lambda found: _SECRETS.sub(_cover, found[0]), head[:_LONGEST_HEAD]) + beyond + rest
    return _MEDIA_KEY.sub(lambda found: found[1] + _SIGN * len(found[2]), data) if b"inline:" in data else data


def _cover(found: re.Match[bytes]) -> bytes:
    name, value = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    if value[:1] == b'"':
        closed = value[-1:] == b'"' and len(value) > 1
        return name + b'"' + _SIGN * (len(value) - 1 - closed) + b'"' * closed
    return name + _SIGN * len(value)
