"""Bans of addresses that attack (SEC-10…SEC-14): who fails too often is not heard for a while.

A ban is for one source: an IPv4 address, the /64 of an IPv6 address. What is kept of it, for 90 days and over
restarts: since when, until when, for which reasons. Memory is bounded: what was seen longest ago goes first.
"""

import json
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from conf.networks import source_key
from frozen import dataclass
from pbx.clock import Clock
from pbx.states import States

log = structlog.get_logger("security")

AREA = "bans"  # of SIP; those of another service have its name before
KEEP_S = 90 * 86400.0
MOST = 10_000


@dataclass(frozen=True, slots=True)
class BanPolicy:
    """`attempts` failures within `within_s` seconds: not heard for `ban_s` seconds. `rate`: requests of a stranger in a
    second, 0 = any number."""

    attempts: int
    within_s: float
    ban_s: float
    rate: int = 0


PRESETS = {
    "weak": BanPolicy(20, 600, 600, 500),
    "normal": BanPolicy(10, 3600, 86_400, 300),
    "enhanced": BanPolicy(5, 21_600, 604_800, 150),
    "paranoid": BanPolicy(3, 86_400, 2_592_000, 100),
}


@dataclass(frozen=True, slots=True)
class Ban:
    """One row of the table; moments are UTC seconds. `reasons`: how often each; `service`: what was attacked, and is
    closed."""

    source: str
    since_at: float
    until_at: float
    reasons: tuple[tuple[str, int], ...]
    service: str = "sip"


@dataclass(slots=True)
class _Failures:
    at: "deque[float]"
    reasons: Counter[str]


class Outpost(Protocol):
    """What keeps banned addresses out before they reach us: the kernel (`pbx.firewall`), the web process
    (`pbx.web_border`)."""

    def ban(self, source: str, seconds: float) -> None: ...

    def unban(self, source: str) -> None: ...


class Bans:
    """`policy` None: nobody is banned. `restore` comes before anything is counted."""

    def __init__(self, policy: BanPolicy | None, clock: Clock, *, most: int = MOST, service: str = "sip") -> None:
        self._policy, self._clock, self._most = policy, clock, most
        self._service, self._area = service, AREA if service == "sip" else f"{service} {AREA}"
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._until: dict[str, float] = {}  # monotonic
        self._table: dict[str, Ban] = {}
        self._states: States | None = None
        self.outposts: list[Outpost] = []
        self.told: Callable[[Ban], None] = lambda _: None  # hears of every new ban

    def beside(self, service: str) -> "Bans":
        """Bans of another service by the same policy: an attack on one closes that one alone."""
        return Bans(self._policy, self._clock, most=self._most, service=service)

    def restore(self, states: States) -> None:
        """Take up the bans of before the restart."""
        self._states = states
        now = self._clock.wall()
        for source, text in list(states.of(self._area).items()):
            ban = _read(source, text, self._service)
            if ban is None or ban.until_at < now - KEEP_S:
                states.put(self._area, source, None)
                continue
            self._table[source] = ban
            if ban.until_at > now and self._policy is not None:
                self._begin(ban, ban.until_at - now)

    def failed(self, source: str, reason: str) -> bool:
        """An attack, or what looks like one, came from an address; whether that bans it."""
        policy = self._policy
        if policy is None:
            return False
        if self.is_banned(source):
            return True
        key, now = source_key(source), self._clock.now()
        found = self._failures.pop(key, None) or _Failures(deque(maxlen=policy.attempts), Counter())
        found.at.append(now)
        found.reasons[reason] += 1
        if len(found.at) == policy.attempts and now - found.at[0] <= policy.within_s:
            self._ban(key, found.reasons, policy.ban_s)
            return True
        if len(self._failures) >= self._most:
            self._failures.popitem(last=False)
        self._failures[key] = found
        return False

    @property
    def are_any(self) -> bool:
        """At least one address is banned now."""
        return bool(self._until)

    def is_banned(self, source: str) -> bool:
        return self.lasts_s(source) > 0.0

    def lasts_s(self, source: str) -> float:
        """For how many seconds nothing of an address is heard, 0: it is heard."""
        key = source_key(source)
        until = self._until.get(key)
        if until is None:
            return 0.0
        left_s = until - self._clock.now()
        if left_s <= 0.0:
            del self._until[key]
            return 0.0
        return left_s

    def now(self) -> dict[str, float]:
        """Everybody who is banned, and for how many seconds yet."""
        now = self._clock.now()
        return {key: until - now for key, until in self._until.items() if until > now}

    def remove(self, source: str) -> bool:
        """Let an address in again, and forget what it did; False when it is not banned."""
        key = source_key(source)
        self._failures.pop(key, None)
        if not self.is_banned(source):
            return False
        self._forget(key)
        log.info("an address is banned no longer", source=key)
        return True

    def table(self) -> Sequence[Ban]:
        """All that are kept, newest first."""
        return sorted(self._table.values(), key=lambda ban: ban.since_at, reverse=True)

    def sweep(self) -> None:
        """Forget what is over, and old."""
        now = self._clock.now()
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key]
        before = self._clock.wall() - KEEP_S
        for source in [source for source, ban in self._table.items() if ban.until_at < before]:
            self._forget(source)

    def describe(self) -> dict[str, object]:
        return {"banned": len(self._until), "watched": len(self._failures), "kept": len(self._table)}

    def _ban(self, source: str, reasons: Counter[str], seconds: float) -> None:
        wall = self._clock.wall()
        ban = Ban(source, wall, wall + seconds, tuple(reasons.most_common()), self._service)
        log.warning(
            "an address is banned",
            source=source,
            service=self._service,
            seconds=int(seconds),
            reasons=dict(ban.reasons),
        )
        if len(self._table) >= self._most:
            self._forget(min(self._table.values(), key=lambda each: each.until_at).source)
        self._table[source] = ban
        self._begin(ban, seconds)
        if self._states is not None:
            self._states.put(self._area, source, json.dumps([ban.since_at, ban.until_at, ban.reasons]))
        self.told(ban)

    def _begin(self, ban: Ban, seconds: float) -> None:
        self._until[ban.source] = self._clock.now() + seconds
        for outpost in self.outposts:
            outpost.ban(ban.source, seconds)

    def _forget(self, source: str) -> None:
        self._table.pop(source, None)
        if self._until.pop(source, None) is not None:
            for outpost in self.outposts:
                outpost.unban(source)
        if self._states is not None:
            self._states.put(self._area, source, None)


def _read(source: str, text: str, service: str) -> Ban | None:
    """What is stored of a ban; None when nobody can read it."""
    try:
        since, until, reasons = json.loads(text)
        return Ban(source, float(since), float(until), tuple((str(why), int(count)) for why, count in reasons), service)
    except (ValueError, TypeError):
        return None
