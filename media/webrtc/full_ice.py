"""A full ICE agent for one component with one local address (RFC 8445): it checks the peer's candidates by itself.

For a server whose own address nobody outside can reach: its checks open the way through its NAT, and the peer learns
where they come from. And for peers that are lite themselves. Pure: packets and moments in, packets out; `chance` makes
the transaction identifiers.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from media.api import HostPort, IceSpec
from media.webrtc.ice import LiteAgent, Outcome
from media.webrtc.stun import (
    ERROR,
    ERROR_CODE,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
    PRIORITY,
    REQUEST,
    SUCCESS,
    USE_CANDIDATE,
    USERNAME,
    Stun,
    read_stun,
    write_stun,
)

PACE_S = 0.05  # Ta (§14.2)
FIRST_RETRY_S = 0.5  # RTO (§14.3), doubled each time
MOST_TRIES = 6
MOST_PAIRS = 64
CONSENT_S = 5.0  # RFC 7675 §5.1
CONSENT_LOST_S = 30.0
PEER_REFLEXIVE_PRIORITY = (110 << 24) + (65535 << 8) + 255  # §7.1.1: what the peer shall give to our address


@dataclass(slots=True, eq=False)
class Pair:
    """Our address and one of the peer's. `due_at`: the next check; None when there is nothing to check any more."""

    remote: HostPort
    due_at: float | None
    tries: int = 0
    transaction: bytes = b""
    nominating: bool = False
    is_valid: bool = False
    is_wanted: bool = False  # the peer, in control, has nominated it


class FullAgent(LiteAgent):
    """`outgoing` after each call are the checks to send, `deadline` is when `expire` is due."""

    def __init__(self, spec: IceSpec, now: float, chance: Callable[[int], bytes]) -> None:
        super().__init__(spec)
        self._chance = chance
        self._tie_breaker = chance(8)
        self.is_controlling = spec.is_controlling
        self._pairs: dict[HostPort, Pair] = {}
        self._heard_at = now
        self.outgoing: list[tuple[bytes, HostPort]] = []
        self._add_candidates(spec, now)

    def restart_at(self, spec: IceSpec, now: float) -> None:
        """Other credentials or more candidates; the path in use stays in use meanwhile (§9)."""
        if (spec.ufrag, spec.peer_ufrag) != (self.spec.ufrag, self.spec.peer_ufrag):
            self._pairs.clear()
        self.restart(spec)
        self._add_candidates(spec, now)

    @property
    def deadline(self) -> float | None:
        return min((pair.due_at for pair in self._pairs.values() if pair.due_at is not None), default=None)

    def expire(self, now: float) -> None:
        """Send what is due; a way that was silent for too long is none (RFC 7675 §5.1)."""
        if self.chosen is not None and now - self._heard_at >= CONSENT_LOST_S:
            self.chosen = None
            self._pairs.clear()
        for pair in list(self._pairs.values()):
            if pair.due_at is not None and pair.due_at <= now:
                self._check(pair, now)

    def receive_at(self, data: bytes, source: HostPort, now: float) -> Outcome:
        """A packet that looks like STUN."""
        message = read_stun(data)
        if message is not None and message.kind in (SUCCESS, ERROR):
            return self._answered(message, source, now)
        before = self.chosen
        outcome = self.receive(data, source)
        self.chosen = before  # a full agent sends only where its own checks have come through
        if message is None or source not in self.checked or not outcome.is_valid:
            return Outcome(outcome.reply)
        pair = self._add(source, now)
        if pair is None:
            return Outcome(outcome.reply)
        pair.is_wanted |= USE_CANDIDATE in message.attributes and not self.is_controlling
        if not pair.is_valid and (pair.due_at is None or pair.tries):  # a triggered check (§7.3.1.4)
            pair.due_at, pair.tries = now, 0
        return Outcome(outcome.reply, self._choose(pair))

    # --- checks of ours -----------------------------------------------------------------------------------------

    def _add_candidates(self, spec: IceSpec, now: float) -> None:
        for candidate in spec.candidates:
            self._add(candidate, now)

    def _add(self, remote: HostPort, now: float) -> Pair | None:
        if remote not in self._pairs and len(self._pairs) < MOST_PAIRS:
            waiting = sum(pair.due_at is not None for pair in self._pairs.values())
            self._pairs[remote] = Pair(remote, now + PACE_S * waiting)
        return self._pairs.get(remote)

    def _check(self, pair: Pair, now: float) -> None:
        """Send a check, or send it again; after the last one the pair has failed."""
        if pair.is_valid and not pair.nominating:  # consent: a new check each time
            pair.tries = 0
        if pair.tries >= MOST_TRIES:
            pair.due_at, pair.transaction = None, b""
            return
        if not pair.tries:
            pair.transaction = self._chance(12)
        role = ICE_CONTROLLING if self.is_controlling else ICE_CONTROLLED
        attributes = {
            USERNAME: f"{self.spec.peer_ufrag}:{self.spec.ufrag}".encode(),
            PRIORITY: struct.pack("!I", PEER_REFLEXIVE_PRIORITY),
            role: self._tie_breaker,
        }
        if pair.nominating or (self.is_controlling and pair.remote == self.chosen):
            attributes[USE_CANDIDATE] = b""
        packet = write_stun(REQUEST, pair.transaction, attributes, self.spec.peer_password.encode())
        self.outgoing.append((packet, pair.remote))
        is_consent = pair.is_valid and not pair.nominating
        pair.due_at = now + (CONSENT_S if is_consent else FIRST_RETRY_S * 2**pair.tries)
        pair.tries += 1

    def _answered(self, message: Stun, source: HostPort, now: float) -> Outcome:
        """The answer to a check of ours, from where we sent it (§7.2.5.2.1)."""
        pair = self._pairs.get(source)
        if pair is None or not pair.transaction or message.transaction != pair.transaction:
            return Outcome()
        if message.kind == ERROR:
            return self._refused(message, pair, now)
        if not message.is_signed_with(self.spec.peer_password.encode()):
            return Outcome()
        self._heard_at = now
        was_nominating, pair.nominating = pair.nominating, False
        pair.is_valid, pair.transaction, pair.tries = True, b"", 0
        self.checked.add(source)
        if self.is_controlling and self.chosen is None and not was_nominating:
            pair.nominating, pair.due_at = True, now  # the first one that works: voice wants a way soon
            return Outcome()
        pair.due_at = now + CONSENT_S if was_nominating or pair.is_wanted or source == self.chosen else None
        if was_nominating and self.chosen is None:
            self.chosen = source
            return Outcome(is_chosen=True)
        return Outcome(is_chosen=self._choose(pair))

    def _refused(self, message: Stun, pair: Pair, now: float) -> Outcome:
        code = message.attributes.get(ERROR_CODE, b"\0\0\0\0")[2:4]
        if code == b"\x04\x57":  # 487: the other role then, and once more (§7.2.5.1)
            self.is_controlling = not self.is_controlling
            pair.due_at, pair.tries = now, 0
        else:
            pair.due_at = None
        pair.transaction = b""
        return Outcome()

    def _choose(self, pair: Pair) -> bool:
        """Whether this pair, nominated by the peer and found to work, is the way from now on."""
        if not (pair.is_wanted and pair.is_valid) or pair.remote == self.chosen:
            return False
        self.chosen = pair.remote
        return True

    # --- checks of the peer -------------------------------------------------------------------------------------

    def _conflict(self, message: Stun) -> bool:
        """RFC 8445 §7.3.1.1: who has the larger number keeps its role."""
        rival = message.attributes.get(ICE_CONTROLLING if self.is_controlling else ICE_CONTROLLED)
        if rival is None:
            return False
        keeps = self._tie_breaker >= rival
        if self.is_controlling is not keeps:
            self.is_controlling = not self.is_controlling
            return False
        return True
