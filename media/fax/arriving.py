"""Packets of a fax call in their order. A modem wants every sample at its place: nothing is stretched or concealed, and
what is lost leaves a gap of its length.

    packets = Arriving()
    for part in packets.take(packet): …   # octets that follow each other, or how many samples are missing
"""

from media.rtp.packet import RtpPacket

PATIENCE = 4  # packets that may overtake a late one
LONGEST_GAP = 8000  # samples; after more the sender has begun anew
WRAP, HALF = 1 << 32, 1 << 31


class Arriving:
    """Of one sender; a new SSRC is a new beginning."""

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._next = 0  # the time stamp that is due
        self._early: dict[int, bytes] = {}

    def take(self, packet: RtpPacket) -> list[bytes | int]:
        if packet.ssrc != self._ssrc or abs(_distance(packet.timestamp, self._next)) > LONGEST_GAP:
            self._ssrc, self._next, self._early = packet.ssrc, packet.timestamp, {}
        if packet.payload and _distance(packet.timestamp, self._next) >= 0:
            self._early[packet.timestamp] = packet.payload
        found: list[bytes | int] = []
        while self._early:
            first = min(self._early, key=lambda at: _distance(at, self._next))
            gap = _distance(first, self._next)
            if gap and len(self._early) <= PATIENCE:
                break
            if gap > 0:
                found.append(gap)
            payload = self._early.pop(first)
            found.append(payload)
            self._next = (first + len(payload)) % WRAP
        return found


def _distance(later: int, earlier: int) -> int:
    return (later - earlier + HALF) % WRAP - HALF
