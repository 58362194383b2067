"""A 503 for a request that nobody has time for and that is not written in the usual way (`sipcore/glance_ref.py`):
made from its bytes, without transaction, parser or state.

The response is what `response_to` would make (RFC 3261 §8.2.6, stateless as in §8.2.7): all Via lines, the source in
the first (RFC 3581 §4), From, Call-ID, CSeq, and To with a tag. Requests that are too odd for that are left to the
stack.
"""

import re
import zlib
from typing import NamedTuple

from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.headers import Via
from sipcore.ids import MAGIC_COOKIE
from sipcore.inspection import reply_flow
from sipcore.overload import OverloadReport, with_overload
from sipcore.transaction.keys import Key

_WANTED = re.compile(
    rb"\r\n(via|v|from|f|to|t|call-id|i|cseq|authorization|proxy-authorization)[ \t]*:([^\r\n]*)", re.IGNORECASE
)
_KINDS = {b"via": b"v", b"from": b"f", b"to": b"t", b"call-id": b"i", b"cseq": b"c", b"authorization": b"a"}
_KINDS |= {b"proxy-authorization": b"a"}
_KINDS |= {spelling: kind for name, kind in _KINDS.items() for spelling in (name.title(), name.capitalize())}
_KINDS |= {b"Call-ID": b"i", b"CSeq": b"c"}
_MOST_HEAD = 16_384


class Sketch(NamedTuple):
    """What a refusal needs of a request. `has_credentials`: it carries the answer to a challenge."""

    method: str
    vias: tuple[bytes, ...]
    from_: bytes
    to: bytes
    call_id: bytes
    cseq: bytes
    has_credentials: bool

    @property
    def is_in_dialog(self) -> bool:
        """To has a tag (RFC 3261 §12.2.2); a tag anywhere in the line counts, to be on the safe side."""
        return b"tag" in self.to.rpartition(b">")[2].lower()


def sketch(data: bytes) -> Sketch | None:
    """The request, None when it is not written in the usual way."""
    end = data.find(b"\r\n\r\n", 0, _MOST_HEAD)
    if end < 0 or data.find(b"\r\n ", 0, end) >= 0 or data.find(b"\r\n\t", 0, end) >= 0:
        return None  # without an end, or with folded lines
    method = data[: data.find(b" ")]
    found: dict[bytes, bytes] = {}
    vias: list[bytes] = []
    for name, value in _WANTED.findall(data, 0, end):
        kind = _KINDS.get(name) or _KINDS.get(name.lower(), name.lower())
        if kind == b"v":
            vias.append(value.strip())
        elif kind in found and kind != b"a":
            return None
        else:
            found[kind] = value.strip()
    if not vias or not all(found.get(kind) for kind in (b"f", b"t", b"i", b"c")) or not method.isalpha():
        return None
    return Sketch(method.decode(), tuple(vias), found[b"f"], found[b"t"], found[b"i"], found[b"c"], b"a" in found)


class Top(NamedTuple):
    """The first Via: `key` of the transaction as `server_key` makes it; `value` with the source of the request."""

    key: Key
    value: bytes


def top_of(request: Sketch, flow: Flow, report: OverloadReport) -> Top | None:
    """None when the first Via cannot be read, is one of several on a line, has no branch with the magic cookie, or
    wants the answer elsewhere than at the source. `report`: for a server that offers overload control."""
    text = request.vias[0]
    if not text.isascii():
        return None
    try:
        via = Via.parse(text.decode())
    except ParseError:
        return None
    host, port, branch = via.host, str(via.port or ""), via.branch or ""
    sent = (host, port, branch, via.rport)
    if not branch.startswith(MAGIC_COOKIE) or len(branch) == len(MAGIC_COOKIE) or reply_flow(sent, flow) is not flow:
        return None
    value = str(with_overload(via.with_source(*flow.remote), report)).encode()
    return Top((branch, host, port, request.method), value)


def unavailable(request: Sketch, top: Top, retry_after_s: int) -> bytes:
    """503 with Retry-After (RFC 3261 §21.5.4), the same for a retransmission."""
    tag = b"%08x" % zlib.crc32(request.call_id + request.vias[0])
    lines = [
        b"SIP/2.0 503 Service Unavailable",
        b"Via: " + top.value,
        *(b"Via: " + each for each in request.vias[1:]),
        b"From: " + request.from_,
        b"To: " + request.to + b";tag=" + tag,
        b"Call-ID: " + request.call_id,
        b"CSeq: " + request.cseq,
        b"Retry-After: %d" % retry_after_s,
        b"Content-Length: 0\r\n\r\n",
    ]
    return b"\r\n".join(lines)
