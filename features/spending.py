"""What may be spent on calls outside, so that a stolen password costs little: limits of a day and of a call, locked
numbers, countries that are new, calls while the office is closed.

A call that meets a limit is not made; one that goes on is cut when it reaches one, wherever it has been transferred.
A day is that of the office's time zone. What was used is remembered over a restart. Emergency numbers ask nobody here.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from features._limits import Ledger, Limit, Running, amounts_of, is_locked, limits_of, seconds_left
from pbx.api import (
    LIMIT_REACHED,
    AppContext,
    BusEvent,
    Call,
    Inquiry,
    Leg,
    LegEnded,
    OutsideRefused,
    Said,
    WayOut,
    calling_codes,
    country_of,
    home_code,
    say,
)

COUNTRIES = "outside-countries"  # of what is remembered over a restart: calling code → when it was called first
OFFICE = "office"  # who sends callers outside without an employee: menus, queues
TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a call may not go outside, or (`is_alert`) why somebody should look at it: the setting that says so, and a
    sentence's end for people."""

    rule: str
    why: Said
    is_alert: bool = False


class Spending:
    """One per server; an `Observer`."""

    def __init__(self) -> None:
        self._running: dict[int, Running] = {}  # conversations that count, by the leg that leads outside
        self._timer: asyncio.TimerHandle | None = None
        self._ctx: AppContext | None = None

    async def begin(self, ctx: AppContext) -> None:
        self._ctx = ctx
        ctx.bus.subscribe([LegEnded], self._ended)

    async def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # --- before the call ------------------------------------------------------------------------------------------

    def judge(self, asked: Call | Inquiry, ctx: AppContext, number: str, ways: Sequence[WayOut]) -> Sequence[Stop]:
        """What a call to that number meets now: a first one that is no alert keeps it from going outside."""
        who = _who(asked, ctx)
        policy, numbers = ctx.office.outbound, [number, *(way.number for way in ways)]
        if is_locked(policy, numbers, _now(ctx).time()):
            first, _, last = policy.lock_hours.partition("-")
            why = say("such numbers are locked from {first} to {last}", first=first, last=last)
            return [Stop("outbound.locked", why)]
        found = [*self._of_countries(ctx, numbers), *self._off_hours(ctx)]
        ledger = Ledger(ctx)
        for limit in limits_of(policy, who, number):
            used = ledger.used(limit.key) + sum(limit.amount(each, ctx) for each in self._running.values())
            if used >= limit.most or self._costs_too_much(ctx, limit, used, number, ways):
                found.append(Stop(f"outbound.{limit.name}", limit.reached(used)))
        return sorted(found, key=lambda each: each.is_alert)

    def tell(self, asked: Inquiry, ctx: AppContext, number: str, ways: Sequence[WayOut]) -> Stop | None:
        """The same for a call that nobody makes, each limit written down; what stops it."""
        stops = self.judge(asked, ctx, number, ways)
        for each in stops:
            asked.tried(each.rule, matched=not each.is_alert, why=each.why)
        stop = next((each for each in stops if not each.is_alert), None)
        if stop is None:
            for rule, why in self._ahead(asked, ctx, number):
                asked.tried(rule, matched=False, why=why)
        return stop

    def _of_countries(self, ctx: AppContext, numbers: Sequence[str]) -> Iterator[Stop]:
        policy = ctx.office.outbound
        if policy.new_country == "allow":
            return
        known = {*policy.countries, *ctx.states.of(COUNTRIES)}
        for code in sorted(self._codes(ctx, numbers) - known):
            why = say("nobody has called a number that begins with +{code} before", code=code)
            yield Stop("outbound.new_country", why, is_alert=policy.new_country == "alert")

    @staticmethod
    def _codes(ctx: AppContext, numbers: Sequence[str]) -> frozenset[str]:
        """Other countries that a number, or what is sent for it, is in."""
        country = country_of(ctx.office.country, ctx.office.language)
        return calling_codes(numbers, country) - {home_code(country)}

    @staticmethod
    def _off_hours(ctx: AppContext) -> Iterator[Stop]:
        policy = ctx.office.outbound
        made = Ledger(ctx).used("closed")
        if _is_closed(ctx) and made >= policy.off_hours_calls:
            why = say(
                "{made} calls outside were made today while {calendar} is closed, {usual} are usual",
                made=made,
                calendar=policy.off_hours_calendar,
                usual=policy.off_hours_calls,
            )
            yield Stop("outbound.off_hours_calls", why, is_alert=policy.off_hours_action == "alert")

    @staticmethod
    def _costs_too_much(ctx: AppContext, limit: Limit, used: int, number: str, ways: Sequence[WayOut]) -> bool:
        """Not even the first second can be paid, over any way."""
        costs = [limit.least(ctx, way.provider.id, number) for way in ways]
        return bool(costs) and used + min(costs) > limit.most

    @staticmethod
    def _ahead(asked: Inquiry, ctx: AppContext, number: str) -> Iterator[tuple[str, Said]]:
        ledger = Ledger(ctx)
        for limit in limits_of(ctx.office.outbound, _who(asked, ctx), number):
            yield f"outbound.{limit.name}", limit.reached(ledger.used(limit.key))
        for name, why in amounts_of(ctx.office.outbound):
            yield f"outbound.{name}", why

    # --- what happens -----------------------------------------------------------------------------------------------

    def refused(self, call: Call, ctx: AppContext, number: str, stop: Stop) -> None:
        """Let the administrator know; of an alert too."""
        who = _who(call, ctx)
        said = "a call outside is noticed" if stop.is_alert else "a call outside was stopped"
        call.log.warning(said, who=who, number=number, rule=stop.rule, why=str(stop.why))
        action = "noticed" if stop.is_alert else "stopped"
        ctx.bus.publish(OutsideRefused(ctx.wall(), call.id, who, number, stop.why, action))

    def begun(self, call: Call, ctx: AppContext, number: str, ways: Sequence[WayOut]) -> None:
        """A call goes out."""
        ledger = Ledger(ctx)
        for limit in limits_of(ctx.office.outbound, _who(call, ctx), number):
            ledger.add(limit.key, limit.a_call)
        if _is_closed(ctx):
            ledger.add("closed", 1)
        for code in self._codes(ctx, [number, *(way.number for way in ways)]):
            if code not in ctx.states.of(COUNTRIES):
                ctx.states.put(COUNTRIES, code, f"{ctx.wall():.0f}")

    def talks(self, call: Call, ctx: AppContext, callee: Leg, number: str) -> None:
        """Somebody outside has answered: what it costs counts until that leg ends."""
        policy = ctx.office.outbound
        if not any(limit.counts_talk for limit in limits_of(policy, "", number)) and not amounts_of(policy):
            return
        running = Running(callee, call.id, _who(call, ctx), number, callee.line.provider, ctx.now())
        self._running[callee.id] = running
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick, ctx)

    def _ended(self, event: BusEvent) -> None:
        running = self._running.pop(event.leg, None) if isinstance(event, LegEnded) else None
        if running is None or self._ctx is None:
            return
        ledger = Ledger(self._ctx)
        for limit in limits_of(self._ctx.office.outbound, running.who, running.number):
            ledger.add(limit.key, limit.amount(running, self._ctx))

    def _tick(self, ctx: AppContext) -> None:
        self._timer = None
        for running in list(self._running.values()):
            self._look_at(ctx, running)
        if self._running:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick, ctx)

    def _look_at(self, ctx: AppContext, running: Running) -> None:
        left_s, why = seconds_left(ctx, running, self._running.values())
        policy = ctx.office.outbound
        if left_s <= 0:
            running.leg.call.log.warning("a call outside is cut", who=running.who, number=running.number, why=str(why))
            cut = OutsideRefused(ctx.wall(), running.leg.call.id, running.who, running.number, why, "cut")
            ctx.bus.publish(cut)
            running.leg.hangup(LIMIT_REACHED)
        elif left_s <= policy.warn_before and not running.is_warned:
            running.is_warned = True
            bridge = running.leg.bridge
            for leg in bridge.members.values() if bridge is not None else ():
                if leg is not running.leg:
                    said = ctx.prompts.say("call-limit-soon", language=leg.party.language, left=float(round(left_s)))
                    leg.start_play(said)


def _who(asked: Call | Inquiry, ctx: AppContext) -> str:
    employee = ctx.employee_behind(asked)
    return employee.number if employee is not None else OFFICE


def _now(ctx: AppContext) -> datetime:
    return datetime.fromtimestamp(ctx.wall(), ZoneInfo(ctx.office.timezone))


def _is_closed(ctx: AppContext) -> bool:
    policy = ctx.office.outbound
    if not policy.off_hours_calls or not policy.off_hours_calendar:
        return False
    return not ctx.calendars.decide(policy.off_hours_calendar, ctx.wall()).is_open
