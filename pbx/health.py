"""Whether somebody answers OPTIONS (REG-4, PRV-7): a fold of answers and misses, without clock and network."""

from dataclasses import dataclass

MISSES = 2  # one may be a lost moment of the network: datagrams are repeated, but within seconds
REPEAT_S = 1.0


@dataclass(slots=True)
class Health:
    """`is_reachable` is None until the first verdict; `latency_ms` is that of the latest answer."""

    is_reachable: bool | None = None
    latency_ms: float | None = None
    misses: int = 0

    def answered(self, latency_s: float) -> bool:
        """Somebody answered, whatever it was; True when that is news."""
        is_news = self.is_reachable is not True
        self.is_reachable, self.latency_ms, self.misses = True, round(latency_s * 1e3, 1), 0
        return is_news

    def missed(self) -> bool:
        """Nobody did; True when that is the news that nobody is there."""
        self.misses += 1
        if self.misses < MISSES or self.is_reachable is False:
            return False
        self.is_reachable, self.latency_ms = False, None
        return True

    def pause_s(self, interval_s: float) -> float:
        """Until the next question: a first miss is looked into at once."""
        return REPEAT_S if 0 < self.misses < MISSES else interval_s
