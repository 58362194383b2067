"""What `sipcore/glance.pyx` does, in plain Python: what a request says of itself before anybody parses it, and answers
that need no more than its octets (RFC 3261 §8.2.6, stateless as in §8.2.7).

Requests that are not written in the usual way (`sipcore/usual_ref.py`), or whose answer does not go back to their
source with something noted at the end of their first Via (RFC 3581 §4), are left to the stack.
"""

import re
from dataclasses import field

from frozen import dataclass
from sipcore import usual_ref
from sipcore.flow import Flow
from sipcore.ids import MAGIC_COOKIE
from sipcore.transaction.keys import Key

_MOST_HEAD, _MOST_FIELDS, _MOST_COPIED, _MOST_NAMES = 16_384, 256, 24, 512
_URI = re.compile(usual_ref.URI)
_VIA = re.compile(r"SIP/2\.0/[^a-z ]+ [^A-Z:;]+(?::[0-9]+)?(?:;(?!received|oc)[^;]+)*")
_COPIED = {"via": "Via", "from": "From", "call-id": "Call-ID", "cseq": "CSeq"}
_CREDENTIALS = {"authorization", "proxy-authorization"}


@dataclass(frozen=True, slots=True)
class Glance:
    """A request that begins something. `key` is that of its transaction; `is_plain`: nothing in it has to be looked at
    before its sender is asked who that is."""

    method: str
    key: Key
    call_id: str
    is_in_dialog: bool
    has_credentials: bool
    is_plain: bool
    _to: str = field(repr=False)
    _agent: str = field(repr=False)
    _from: str = field(repr=False)
    _copied: tuple[tuple[str, str], ...] = field(repr=False)

    def names(self, signatures: tuple[bytes, ...]) -> bool:
        texts = [_octets(text.partition(";")[0])[:_MOST_NAMES].lower() for text in (self._agent, self._from)]
        return any(signature in text for signature in signatures for text in texts)

    def answer(self, flow: Flow, start: bytes, tag: bytes, extra: bytes) -> bytes | None:
        host, port = flow.remote
        via = next(value for name, value in self._copied if name == "via")
        asks, is_source = via.endswith(";rport"), host == self.key[1]
        if not asks and not flow.reliable and is_source and port != int(self.key[2] or 5060):
            return None
        top = f"{via}={port};received={host}" if asks else via if is_source else f"{via};received={host}"
        lines, is_first = [start], True
        for name, value in self._copied:
            if name == "via" and is_first:
                value, is_first = top, False
            lines.append(_octets(f"{_COPIED[name]}: {value}"))
        lines.append(_octets(f"To: {self._to};tag=") + tag)
        return b"\r\n".join(lines) + b"\r\n" + extra + b"Content-Length: 0\r\n\r\n"


def glance(data: bytes) -> Glance | None:
    facts = usual_ref.read(data, _MOST_HEAD, _MOST_FIELDS)
    if facts is None or not isinstance(facts[0], str):
        return None
    method, uri, fields, first, _, (host, port, branch, rport), (_, to_tag) = facts
    copied = tuple(each for each in fields if each[0] in _COPIED)
    if not _URI.fullmatch(uri) or len(copied) > _MOST_COPIED or [name for name, _ in fields].count("user-agent") > 1:
        return None
    via = first["via"]
    if not branch.startswith(MAGIC_COOKIE) or branch == MAGIC_COOKIE or not _VIA.fullmatch(via):
        return None
    if rport or (rport == "" and not via.endswith(";rport")):
        return None
    hops = first.get("max-forwards", "70")
    return Glance(
        str(method),
        (branch, host, port, str(method)),
        first["call-id"],
        to_tag is not None,
        not _CREDENTIALS.isdisjoint(first),
        first.keys().isdisjoint(("require", "proxy-require")) and hops.isdigit() and hops.isascii() and len(hops) < 5,
        first["to"],
        first.get("user-agent", ""),
        first["from"],
        copied,
    )


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
