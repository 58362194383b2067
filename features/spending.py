"""What may be spent on calls outside: limits of a day and locked numbers, so that a stolen password costs little.

A day is that of the office's time zone. What was used is remembered over a restart. Emergency numbers ask nobody here.
"""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from pbx.api import AppContext, Call, DialTemplate, Inquiry, OutsideRefused

AREA = "outside-spent"  # of what is remembered over a restart: "calls 201", "seconds 201", "number 7916…" → DAY:AMOUNT
OFFICE = "office"  # who sends callers outside without an employee: menus, queues


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a call may not go outside: the setting that says so, and a sentence's end for people."""

    rule: str
    why: str


class Spending:
    """One per server."""

    def stop(self, asked: Call | Inquiry, ctx: AppContext, number: str) -> Stop | None:
        """The first limit that keeps a call from going outside now."""
        policy, who = ctx.office.outbound, _who(asked, ctx)
        lock = _locked_hours(policy.lock_hours)
        if lock is not None and _is_within(lock, _now(ctx).time()) and _fits_any(policy.locked, number):
            return Stop("outbound.locked", f"such numbers are locked from {policy.lock_hours.replace('-', ' to ')}")
        for limit, key, what in (
            (policy.calls_a_day, f"calls {who}", f"calls of {who}"),
            (policy.minutes_a_day * 60, f"seconds {who}", f"seconds of calls of {who}"),
            (policy.calls_to_one, f"number {_digits(number)}", f"calls to {number}"),
        ):
            used = self._used(ctx, key)
            if limit and used >= limit:
                name = {"calls": "calls_a_day", "seconds": "minutes_a_day", "number": "calls_to_one"}[key.split()[0]]
                return Stop(f"outbound.{name}", f"{used} {what} today, {limit} are allowed")
        return None

    def refused(self, call: Call, ctx: AppContext, number: str, stop: Stop) -> None:
        """Let the administrator know."""
        who = _who(call, ctx)
        call.log.warning("a call outside was stopped", who=who, number=number, rule=stop.rule, why=stop.why)
        ctx.bus.publish(OutsideRefused(ctx.wall(), call.id, who, number, stop.why))

    def begun(self, call: Call, ctx: AppContext, number: str) -> None:
        """A call goes out."""
        self._add(ctx, f"calls {_who(call, ctx)}", 1)
        self._add(ctx, f"number {_digits(number)}", 1)

    def talked(self, call: Call, ctx: AppContext, seconds: float) -> None:
        self._add(ctx, f"seconds {_who(call, ctx)}", round(seconds))

    @staticmethod
    def _used(ctx: AppContext, key: str) -> int:
        day, _, amount = (ctx.states.of(AREA).get(key) or "").partition(":")
        return int(amount) if day == _now(ctx).date().isoformat() else 0

    def _add(self, ctx: AppContext, key: str, amount: int) -> None:
        policy = ctx.office.outbound
        if not (policy.calls_a_day or policy.minutes_a_day or policy.calls_to_one):
            return
        today = f"{_now(ctx).date().isoformat()}:"
        for old in [each for each, value in ctx.states.of(AREA).items() if not value.startswith(today)]:
            ctx.states.put(AREA, old, None)
        ctx.states.put(AREA, key, f"{today}{self._used(ctx, key) + amount}")


def _who(asked: Call | Inquiry, ctx: AppContext) -> str:
    employee = ctx.employee_behind(asked)
    return employee.number if employee is not None else OFFICE


def _now(ctx: AppContext) -> datetime:
    return datetime.fromtimestamp(ctx.wall(), ZoneInfo(ctx.office.timezone))


def _digits(number: str) -> str:
    return number.lstrip("+")


def _fits_any(templates: tuple[str, ...], number: str) -> bool:
    return any(DialTemplate.of(each).fits(number) or DialTemplate.of(each).fits(_digits(number)) for each in templates)


def _locked_hours(text: str) -> tuple[time, time] | None:
    if not text:
        return None
    first, _, last = text.partition("-")
    return time.fromisoformat(first), time.fromisoformat(last)


def _is_within(hours: tuple[time, time], now: time) -> bool:
    """Overnight where they end before they begin."""
    first, last = hours
    return first <= now < last if first <= last else now >= first or now < last
