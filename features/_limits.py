"""The limits of `[outbound]`: what each counts, for whom, how much of it is used, how long a call may go on."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from math import ceil
from zoneinfo import ZoneInfo

from pbx.api import AppContext, DialTemplate, Leg, OutboundPolicy, Said, price, say

AREA = "outside-spent"  # of what is remembered over a restart: "calls 201", "seconds 201", "number 7916…" → DAY:AMOUNT
LONGEST_S = 86_400


@dataclass(slots=True)
class Running:
    """A conversation with somebody outside: `who` pays for it, since `began_at` (monotonic)."""

    leg: Leg
    call: str
    who: str
    number: str
    provider: str
    began_at: float
    is_warned: bool = False


Amount = Callable[[Running, AppContext], int]


@dataclass(frozen=True, slots=True)
class Limit:
    """The setting `name`, what is counted under `key`, the `most` of it, and the end of a sentence that says so.
    `a_call`: each call counts as so much when it is made; `of_talk`: what a conversation comes to so far."""

    name: str
    key: str
    most: int
    what: Said
    a_call: int = 0
    of_talk: Amount | None = None

    @property
    def counts_talk(self) -> bool:
        return self.of_talk is not None

    def is_for(self, running: Running) -> bool:
        return self.key.partition(" ")[2] == running.who

    def amount(self, running: Running, ctx: AppContext) -> int:
        return self.of_talk(running, ctx) if self.of_talk is not None and self.is_for(running) else 0

    def least(self, ctx: AppContext, provider: str, number: str) -> int:
        """What the first second of a conversation comes to."""
        return _cost(ctx, provider, number, 1.0) if self.of_talk is _money else 0

    def reached(self, used: int) -> Said:
        return say("{used} {what} today, {most} are allowed", used=used, what=self.what, most=self.most)


class Ledger:
    """What was used today."""

    def __init__(self, ctx: AppContext) -> None:
        self._states = ctx.states
        self._today = datetime.fromtimestamp(ctx.wall(), ZoneInfo(ctx.office.timezone)).date().isoformat()

    def used(self, key: str) -> int:
        day, _, amount = (self._states.of(AREA).get(key) or "").partition(":")
        return int(amount) if day == self._today else 0

    def add(self, key: str, amount: int) -> None:
        if not amount:
            return
        total = self.used(key) + amount
        for old in [each for each, value in self._states.of(AREA).items() if not value.startswith(f"{self._today}:")]:
            self._states.put(AREA, old, None)
        self._states.put(AREA, key, f"{self._today}:{total}")


def limits_of(policy: OutboundPolicy, who: str, number: str) -> Sequence[Limit]:
    """Those of a day that the office has, for calls of `who` to the number."""
    payer = who if who.isdecimal() else say(who)
    limits = (
        Limit("calls_a_day", f"calls {who}", policy.calls_a_day, say("calls of {who}", who=payer), a_call=1),
        Limit(
            "minutes_a_day",
            f"seconds {who}",
            policy.minutes_a_day * 60,
            say("seconds of calls of {who}", who=payer),
            of_talk=_seconds,
        ),
        Limit(
            "money_a_day",
            f"money {who}",
            policy.money_a_day,
            say("hundredths for calls of {who}", who=payer),
            of_talk=_money,
        ),
        Limit(
            "calls_to_one",
            f"number {number.lstrip('+')}",
            policy.calls_to_one,
            say("calls to {number}", number=number),
            a_call=1,
        ),
    )
    return [each for each in limits if each.most]


def amounts_of(policy: OutboundPolicy) -> Sequence[tuple[str, Said]]:
    """Those of a single call, by name, as the end of a sentence."""
    found = []
    if policy.minutes_a_call:
        found.append(("minutes_a_call", say("the call is cut after {n} minutes", n=policy.minutes_a_call)))
    if policy.money_a_call:
        found.append(("money_a_call", say("the call is cut when it has cost {n} hundredths", n=policy.money_a_call)))
    return found


def seconds_left(ctx: AppContext, running: Running, others: Collection[Running]) -> tuple[float, Said]:
    """How long a conversation may still go on, and the end of a sentence that says which limit it reaches then. What is
    left of a day is shared by all that its payer talks now."""
    return min(_left(ctx, running, others), key=lambda each: each[0], default=(float(LONGEST_S), say("")))


def _left(ctx: AppContext, running: Running, others: Collection[Running]) -> Iterator[tuple[float, Said]]:
    policy, talked_s = ctx.office.outbound, ctx.now() - running.began_at
    if policy.minutes_a_call:
        yield policy.minutes_a_call * 60 - talked_s, say("{n} minutes a call are allowed", n=policy.minutes_a_call)
    if policy.money_a_call:
        affordable_s = _affordable(ctx, running, policy.money_a_call)
        yield affordable_s - talked_s, say("{n} hundredths a call are allowed", n=policy.money_a_call)
    ledger = Ledger(ctx)
    for limit in limits_of(policy, running.who, running.number):
        if limit.of_talk is None:
            continue
        together = [each for each in others if limit.is_for(each)]
        used = ledger.used(limit.key) + sum(limit.amount(each, ctx) for each in together)
        why = limit.reached(min(used, limit.most))
        if limit.of_talk is _seconds:
            yield (limit.most - used) / len(together), why
        else:
            spent = limit.amount(running, ctx)
            yield _affordable(ctx, running, limit.most - used + spent) - talked_s, why


def is_locked(policy: OutboundPolicy, numbers: Sequence[str], now: time) -> bool:
    """Whether what is dialled, or sent for it, may not be called at this time of the day."""
    if not policy.lock_hours:
        return False
    first, last = map(time.fromisoformat, policy.lock_hours.split("-"))
    is_time = first <= now < last if first <= last else now >= first or now < last
    templates = [DialTemplate.of(each) for each in policy.locked] if is_time else []
    return any(each.fits(number) or each.fits(number.lstrip("+")) for each in templates for number in numbers)


def _seconds(running: Running, ctx: AppContext) -> int:
    return ceil(ctx.now() - running.began_at)


def _money(running: Running, ctx: AppContext) -> int:
    return _cost(ctx, running.provider, running.number, ctx.now() - running.began_at)


def _cost(ctx: AppContext, provider: str, number: str, talk_s: float) -> int:
    return price(ctx.office.tariffs, provider, number, talk_s) or 0


def _affordable(ctx: AppContext, running: Running, money: int) -> float:
    """For how many seconds of talk that is enough."""
    if money < 0:
        return 0.0
    cost = lambda talk_s: _cost(ctx, running.provider, running.number, float(talk_s))  # noqa: E731
    return float(bisect_right(range(LONGEST_S), money, key=cost)) - 1
