"""Digits in RTP (RFC 4733), receiving side, in plain Python: reference of `digits.pxd`.

One press is many packets with one timestamp: updates with growing duration, then three with the end bit. It is
reported once: at its first end packet, or when the next event begins, or when nothing came for 200 ms (all end
packets lost). A press longer than 65535 timestamp units goes on in a new segment, whose timestamp is 65535 later
(§2.5.1.3). After two seconds without events an earlier timestamp is a restarted sender, not a late packet.
"""

from frozen import dataclass

GONE_NS = 200_000_000
FORGET_NS = 2_000_000_000
SEGMENT = 0xFFFF
SYMBOLS = "0123456789*#ABCD"


@dataclass(frozen=True, slots=True)
class Press:
    """One finished event; `duration` in timestamp units."""

    event: int
    duration: int


@dataclass(slots=True)
class _Event:
    event: int
    timestamp: int
    heard_ns: int
    base: int = 0
    duration: int = 0
    open: bool = True


@dataclass(slots=True)
class DigitReceiver:
    """Feed it every telephone-event payload and the time; it returns the presses that ended."""

    _last: _Event | None = None

    def packet(self, payload: bytes, timestamp: int, now_ns: int) -> list[Press]:
        """Raises ValueError for a payload that is too short."""
        if len(payload) < 4:
            raise ValueError("bad_event")
        if self._is_repetition(payload[0], timestamp, now_ns):
            return []
        ended = self._advance(payload[0], timestamp, now_ns)
        event = self._last
        assert event is not None
        event.heard_ns = now_ns
        event.duration = max(event.duration, int.from_bytes(payload[2:4], "big"))
        return ended + (self._close() if payload[1] & 0x80 else [])

    def tick(self, now_ns: int) -> list[Press]:
        event = self._last
        return self._close() if event and event.open and now_ns - event.heard_ns >= GONE_NS else []

    def _is_repetition(self, event: int, timestamp: int, now_ns: int) -> bool:
        last = self._last
        if last is None:
            return False
        if timestamp == last.timestamp and not last.open:
            return True
        if now_ns - last.heard_ns >= FORGET_NS:
            return False
        return _signed(timestamp - last.timestamp) < 0 or (timestamp == last.timestamp and event != last.event)

    def _advance(self, event: int, timestamp: int, now_ns: int) -> list[Press]:
        last = self._last
        if last and timestamp == last.timestamp:
            return []
        if last and last.open and last.event == event and _signed(timestamp - last.timestamp) == SEGMENT:
            last.timestamp, last.base, last.duration = timestamp, last.base + SEGMENT, 0
            return []
        ended = self._close()
        self._last = _Event(event, timestamp, now_ns)
        return ended

    def _close(self) -> list[Press]:
        if self._last is None or not self._last.open:
            return []
        self._last.open = False
        return [Press(self._last.event, self._last.base + self._last.duration)]


def _signed(difference: int) -> int:
    return (difference + (1 << 31)) % (1 << 32) - (1 << 31)
