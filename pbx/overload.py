"""Overload control: new work is refused while there is no time for it, so that what was begun goes on as always.

The measure is how long a message waits before it is looked at: what lies in the sockets' receive queues, times what one
message costs. Above `NEW_S` requests that begin something are refused; those that answer a challenge, refreshes of
registrations among them, only above `KNOWN_S`, for part of their work is done already. Both are below the 500 ms
after which phones send everything again (T1, RFC 3261 §17.1.1.1): queues that reach it make the load that fills them.

Pure: time, lengths and queues are told.
"""

from enum import IntEnum

NEW_S, KNOWN_S = 0.25, 0.4
CALM = 0.5  # a level is left at this part of its limit, so that decisions do not flap with each message
FEW = 100  # messages in the queues are a burst, whatever they cost
FIRST_COST_S = 0.0002  # of a message, until it is known
MOST_COST_S = 0.002
COST_OVER_S = 0.05  # without a moment of rest: shorter, a pause of the machine would look like the cost of a message
SMOOTHING = 0.2
RETRY_FROM_S, RETRY_MOST_S = 2, 20
_WINDOW_S = 1.0


class Level(IntEnum):
    """What is refused."""

    NOTHING = 0
    NEW = 1
    ALL_NEW = 2


LEAST_REDUCTION = {Level.NEW: 10, Level.ALL_NEW: 50}


class OverloadControl:
    """Tell it of every message (`fed`) and, every few milliseconds, of the queues (`measure`); ask `refuses`."""

    def __init__(self) -> None:
        self.level = Level.NOTHING
        self.delay_s = 0.0
        self._cost_s = FIRST_COST_S
        self._fed = 0
        self._busy_since: float | None = None
        self._window_at = 0.0
        self._refused_now = self._passed_now = 0
        self._pressure = 0.0
        self.refused = {"new": 0, "known": 0}
        self.worst_delay_s = 0.0

    def fed(self) -> None:
        """A message was handed on."""
        self._fed += 1
        self._passed_now += 1

    def measure(self, now: float, waiting: float, lag_s: float = 0.0) -> None:
        """`waiting`: messages in the receive queues; `lag_s`: how late the event loop runs its timers."""
        self._learn_cost(now, is_busy=waiting > 1)
        self.delay_s = max(waiting * self._cost_s if waiting > FEW else 0.0, lag_s)
        self.worst_delay_s = max(self.worst_delay_s, self.delay_s)
        self.level = self._level()
        if now - self._window_at >= _WINDOW_S:
            self._pressure = self._refused_now / max(self._passed_now, 1)
            self._window_at, self._refused_now, self._passed_now = now, 0, 0

    def _learn_cost(self, now: float, *, is_busy: bool) -> None:
        """While messages wait there is no rest between them: time by their number is what each costs."""
        since = self._busy_since
        if since is not None and is_busy and now - since < COST_OVER_S:
            return
        if since is not None and is_busy and self._fed:
            cost_s = min((now - since) / self._fed, MOST_COST_S)
            self._cost_s += SMOOTHING * (cost_s - self._cost_s)
        self._busy_since, self._fed = (now if is_busy else None), 0

    def _level(self) -> Level:
        delay_s, level = self.delay_s, self.level
        if delay_s > KNOWN_S or (level is Level.ALL_NEW and delay_s > CALM * KNOWN_S):
            return Level.ALL_NEW
        if delay_s > NEW_S or (level >= Level.NEW and delay_s > CALM * NEW_S):
            return Level.NEW
        return Level.NOTHING

    def refuses(self, *, known: bool) -> bool:
        """Whether a request that begins something is to be refused now; it is counted. `known`: with credentials."""
        if self.level < (Level.ALL_NEW if known else Level.NEW):
            return False
        self.refused["known" if known else "new"] += 1
        self._refused_now += 1
        self._fed += 1  # it took its time as well
        return True

    def retry_after_s(self, seed: int) -> int:
        """Seconds until the peer should come back: the longer, the more are refused for each that is served, and not
        the same for all, or they would all come at once."""
        spread = RETRY_FROM_S * (1 + self._pressure)
        return min(RETRY_FROM_S + int(seed % 1000 / 1000 * spread), RETRY_MOST_S)

    @property
    def reduction(self) -> int:
        """Per cent of their new work that other servers are asked to keep back (RFC 7339 §4.1): what is refused now,
        and while anything is, never so little that it changes nothing."""
        if self.level is Level.NOTHING:
            return 0
        refused = 100 * self._pressure / (1 + self._pressure)
        return max(round(refused), LEAST_REDUCTION[self.level])

    def describe(self) -> dict[str, object]:
        """Live dump."""
        return {
            "level": self.level.name.lower(),
            "delay_ms": round(self.delay_s * 1e3, 1),
            "worst_delay_ms": round(self.worst_delay_s * 1e3, 1),
            "message_cost_us": round(self._cost_s * 1e6),
            "refused_new": self.refused["new"],
            "refused_known": self.refused["known"],
        }
