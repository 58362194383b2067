"""A lite ICE agent (RFC 8445 §2.5, §7.3): the peer finds the way by its checks and says which one it takes.

Pure: a packet and its source in, the answer out. A lite agent sends no checks of its own, so it needs no candidates of
the peer: those that come late (trickle, RFC 8838), as host names (mDNS) or never are all the same to it.
"""

import struct

from frozen import dataclass
from media.api import HostPort, IceSpec
from media.webrtc.stun import (
    ERROR,
    ERROR_CODE,
    ICE_CONTROLLED,
    REQUEST,
    SUCCESS,
    UNKNOWN_ATTRIBUTES,
    USE_CANDIDATE,
    USERNAME,
    XOR_MAPPED_ADDRESS,
    Stun,
    error_code,
    mapped_address,
    read_stun,
    write_stun,
)

MAX_CHECKED = 32  # addresses that a peer may show; a browser has one for each of its networks


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reply` goes back to the source; `is_chosen`: this is where to send from now on; `is_valid`: it was a check of
    the peer, and in order."""

    reply: bytes = b""
    is_chosen: bool = False
    is_valid: bool = False


NOTHING = Outcome()


class LiteAgent:
    """One stream's agent. `chosen`: the path that the peer has nominated, until then the first one that it has checked
    (§12.1: browsers nominate late, after they have begun to talk); `checked`: the sources that have proved to know our
    password."""

    def __init__(self, spec: IceSpec) -> None:
        self.spec = spec
        self.chosen: HostPort | None = None
        self.checked: set[HostPort] = set()

    def restart(self, spec: IceSpec) -> None:
        """Other credentials (§9): the path in use stays in use until the peer has chosen again."""
        self.spec = spec

    def receive(self, data: bytes, source: HostPort) -> Outcome:
        """A packet that looks like STUN, from wherever."""
        message = read_stun(data)
        if message is None or message.kind != REQUEST:
            return NOTHING  # indications keep paths open; nobody owes us responses
        status, reason = self._judge(message)
        if status:
            return Outcome(self._refusal(message, status, reason))
        if source not in self.checked and len(self.checked) >= MAX_CHECKED:
            return NOTHING
        self.checked.add(source)
        mapped = {XOR_MAPPED_ADDRESS: mapped_address(source.host, source.port, message.transaction)}
        reply = write_stun(SUCCESS, message.transaction, mapped, self.spec.password.encode())
        is_chosen = self.chosen is None or (USE_CANDIDATE in message.attributes and source != self.chosen)
        if is_chosen:
            self.chosen = source
        return Outcome(reply, is_chosen, True)

    def _judge(self, message: Stun) -> tuple[int, str]:
        """The error to answer with, 0 for none (RFC 8489 §9.1.3, §6.3.1; RFC 8445 §7.3.1.1)."""
        name = message.attributes.get(USERNAME)
        if name is None or not message.signed:
            return 400, "Bad Request"
        if name.partition(b":")[0] != self.spec.ufrag.encode() or not message.is_signed_with(
            self.spec.password.encode()
        ):
            return 401, "Unauthenticated"
        if message.unknown:
            return 420, "Unknown Attribute"
        return (487, "Role Conflict") if self._conflict(message) else (0, "")

    def _conflict(self, message: Stun) -> bool:
        """A full agent controls a lite one, whoever made the offer (§6.1.1)."""
        return ICE_CONTROLLED in message.attributes

    def _refusal(self, message: Stun, status: int, reason: str) -> bytes:
        attributes = {ERROR_CODE: error_code(status, reason)}
        if status == 420:
            attributes[UNKNOWN_ATTRIBUTES] = struct.pack(f"!{len(message.unknown)}H", *message.unknown)
        is_known = status in (420, 487)
        return write_stun(ERROR, message.transaction, attributes, self.spec.password.encode() if is_known else b"")
