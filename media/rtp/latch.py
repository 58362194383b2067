"""From whom RTP is accepted and where it is sent: symmetric RTP that cannot be hijacked. Plain reference.

The rule, in the words of RFC 4961 and RFC 7362 made safe:

1. A packet from an IP address that neither the SDP nor the signalling named is a stranger's: dropped, counted,
   without any effect.
2. Until a source is learned, we send to the address of the SDP only.
3. The first packet from a permitted address is learned at once: a phone behind NAT loses nothing.
4. The address of the SDP itself always wins at once, whoever was learned before it.
5. Another port or another permitted address replaces a learned source only when that source has been silent for
   two seconds, and only after two packets in sequence of one SSRC (the probation of RFC 3550 §6.2.1, appendix A.1).
6. New parameters with another `remote`, or without the learned address among the permitted ones, forget the source.
   What is still on its way from there is not learned again for half a second.

`media/rtp/latching.pxd` is the same for the engine; a property test holds the two together.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from media.api import HostPort

QUIET_NS = 2_000_000_000
LATE_NS = 500_000_000
PROBATION_PACKETS = 2


@dataclass(slots=True)
class _Trial:
    source: HostPort
    ssrc: int
    sequence: int
    run: int = 1

    def continues_with(self, source: HostPort, ssrc: int, sequence: int) -> bool:
        return (source, ssrc, sequence) == (self.source, self.ssrc, (self.sequence + 1) & 0xFFFF)


@dataclass(slots=True)
class Latch:
    """`receive` says "" for a packet to use, else the drop reason; `target` is where to send."""

    remote: HostPort
    permitted: Collection[str]
    source: HostPort | None = None
    _heard_ns: int = 0
    _trial: _Trial | None = None
    _previous: HostPort | None = field(default=None)
    _previous_until_ns: int = 0

    @property
    def target(self) -> HostPort:
        return self.source or self.remote

    def receive(self, source: HostPort, ssrc: int, sequence: int, now_ns: int) -> str:
        if source == self.source:
            self._heard_ns = now_ns
            return ""
        reason = self._objection(source, ssrc, sequence, now_ns)
        if not reason:
            self.source, self._heard_ns, self._trial = source, now_ns, None
        return reason

    def configure(self, remote: HostPort, permitted: Collection[str], now_ns: int) -> None:
        moved = remote != self.remote
        self.remote, self.permitted, self._trial = remote, permitted, None
        if self.source and (moved or self.source.host not in permitted):
            self._previous, self._previous_until_ns = self.source, now_ns + LATE_NS
            self.source = None

    def _objection(self, source: HostPort, ssrc: int, sequence: int, now_ns: int) -> str:
        if source.host not in self.permitted:
            return "stranger"
        if source == self.remote:
            return ""
        if source == self._previous and now_ns < self._previous_until_ns:
            return "late_source"
        if self.source is None:
            return ""
        if now_ns - self._heard_ns < QUIET_NS:
            return "not_source"
        return "probation" if self._on_trial(source, ssrc, sequence) else ""

    def _on_trial(self, source: HostPort, ssrc: int, sequence: int) -> bool:
        if self._trial and self._trial.continues_with(source, ssrc, sequence):
            self._trial.sequence = sequence
            self._trial.run += 1
        else:
            self._trial = _Trial(source, ssrc, sequence)
        return self._trial.run < PROBATION_PACKETS
