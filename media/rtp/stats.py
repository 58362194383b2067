"""Reception statistics in plain Python (RFC 3550 appendix A.1, A.3, A.8): reference of `reception.pxd`."""

from dataclasses import dataclass

MAX_DROPOUT = 3000
MAX_MISORDER = 100
SEQ_MOD = 1 << 16


@dataclass(slots=True)
class _Source:
    ssrc: int
    base: int
    highest: int
    cycles: int = 0
    received: int = 0
    bad: int = SEQ_MOD + 1

    @property
    def lost(self) -> int:
        return self.cycles + self.highest - self.base + 1 - self.received


@dataclass(slots=True)
class Reception:
    """Counts one incoming stream; a new SSRC continues the sum of losses."""

    jitter: float = 0.0
    _source: _Source | None = None
    _lost_before: int = 0
    _rate: int = 0
    _transit: int | None = None

    @property
    def lost(self) -> int:
        return self._lost_before + (max(0, self._source.lost) if self._source else 0)

    def packet(self, ssrc: int, sequence: int) -> None:
        if self._source is None or self._source.ssrc != ssrc:
            self._begin(ssrc, sequence)
            self.jitter = 0.0
        assert self._source is not None
        self._sequence(self._source, sequence)

    def arrival(self, timestamp: int, rate: int, now_ns: int) -> None:
        if rate != self._rate:
            self._rate, self.jitter, self._transit = rate, 0.0, None
        transit = (now_ns // 1000 * rate // 1_000_000 - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            delta = (transit - self._transit + (1 << 31)) % (1 << 32) - (1 << 31)
            self.jitter += (abs(delta) - self.jitter) / 16
        self._transit = transit

    def _begin(self, ssrc: int, sequence: int) -> None:
        self._lost_before = self.lost
        self._source = _Source(ssrc, base=sequence, highest=sequence)
        self._transit = None

    def _sequence(self, source: _Source, sequence: int) -> None:
        delta = (sequence - source.highest) % SEQ_MOD
        if delta < MAX_DROPOUT:
            source.cycles += SEQ_MOD if sequence < source.highest else 0
            source.highest = sequence
        elif delta <= SEQ_MOD - MAX_MISORDER:
            if sequence != source.bad:
                source.bad = (sequence + 1) % SEQ_MOD
                return
            self._begin(source.ssrc, sequence)
            source = self._source or source
        source.received += 1
