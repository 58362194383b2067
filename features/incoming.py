"""Calls from outside (INB-*): who is let in, the hours, a greeting, whom the caller talked to last, then the cascade.
A script of the office looks at each before the hours are asked, one of the account before the greeting (INB-21).

Each rule has its time, which only a human answer stops; after the last one stands the default of the office.
"""

from collections.abc import Iterator
from typing import ClassVar

from features._cascade import Step, asks_no_calendar, external_number, refusing_list, steps
from features._refusal import refusal_of
from features.conversation import talk
from features.dial_in import desk_of, dial_in
from features.external import named
from features.fax import FAX, unless_fax
from features.ivr import Choices, may_be_dialled
from features.last_agent import is_owner_away, last_agent
from features.off_hours import OFF_HOURS, is_closed, tell_closed
from pbx.api import (
    BUSY,
    DECLINED,
    NOT_FOUND,
    UNAVAILABLE,
    AppContext,
    Arrival,
    Arrived,
    Call,
    Cause,
    Collect,
    ExternalNumber,
    GoTo,
    Inquiry,
    Next,
    Ringing,
    Said,
    collect,
    say,
    try_target,
)

LONGEST_NUMBER = 8
NEXT_DIGIT_S = 2.0  # IVR-5
ENDS_CASCADE = {"busy": BUSY, "hangup": UNAVAILABLE, "did2user": NOT_FOUND}  # INB-14, INB-18


class Incoming:
    """The app of one call that a provider brings."""

    name: ClassVar[str] = "incoming"
    stage: ClassVar[str] = "incoming"

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    async def run(self, call: Call, ctx: AppContext) -> Next:
        office, arrival = ctx.office, self._arrival
        refused_by = refusing_list(office, arrival)
        if refused_by:
            call.log.info("the caller is on a list", list=refused_by, caller=arrival.caller.shown_number)
            return DECLINED
        taken = await look_at(call, ctx, office.inbound.script)
        if taken is not None:
            return taken
        number = external_number(office, arrival)
        is_left_aside = asks_no_calendar(office, arrival, call.variables)
        if not is_left_aside and is_closed(ctx, number, arrival.called, call.moment):
            return GoTo(OFF_HOURS)
        taken = await look_at(call, ctx, arrival.provider.script)
        if taken is not None:
            return taken
        call.label = label_of(number)
        if number is not None:
            dialled = await dial_in(call, ctx, number, arrival.caller)
            if dialled is not None:
                return dialled
            if number.fax == "only":
                return GoTo(FAX)
            ended = await self._greet(call, ctx, number) or await self._ring_last_agent(call, ctx, number)
            if ended is not None:
                return ended
        return await self._cascade(call, ctx)

    # --- the steps ----------------------------------------------------------------------------------------------

    async def _greet(self, call: Call, ctx: AppContext, number: ExternalNumber) -> Next | None:
        """Play the greeting (INB-2) and take a number of the office meanwhile and after it (INB-3); None when the call
        goes on."""

        async def greeted() -> str:
            if number.direct_dial:
                return await self._dialled(call, ctx, number)
            await play_answered(call, ctx, number.greeting)
            return ""

        is_fax, dialled = await unless_fax(call, ctx, number, greeted)
        if is_fax:
            return GoTo(FAX)
        return await self._try(call, ctx, Step("direct_dial", dialled)) if dialled else None

    async def _dialled(self, call: Call, ctx: AppContext, number: ExternalNumber) -> str:
        """What the caller has dialled, "" for nothing that leads anywhere."""
        await ctx.prepare(call)
        call.caller.answer()
        choices = Choices((), frozenset(ctx.numbers))
        wanted = Collect(LONGEST_NUMBER, float(number.dial_timeout), NEXT_DIGIT_S, is_complete=choices.is_complete)
        stock = ctx.prompts.say("ivr-enter-number", language=call.caller.party.language)
        for _ in range(number.dial_attempts):
            entered = await collect(call.caller, wanted, ctx.sound(number.greeting) or stock)
            call.stage_digits = entered.digits or call.stage_digits
            if entered.digits in ctx.numbers and may_be_dialled(call, ctx, entered.digits):
                return entered.digits
        return ""

    async def _ring_last_agent(self, call: Call, ctx: AppContext, number: ExternalNumber) -> Cause | None:
        """INB-7: the cause when the employee has answered, else None and the call goes on."""
        agent = await last_agent(ctx, self._arrival.caller, number) if number.last_agent else ""
        terminal = ctx.terminal(agent)
        if terminal is None:
            if agent and not ctx.calls_at(agent) and not is_owner_away(ctx, agent, call.moment):  # a mobile
                return await self._try(call, ctx, Step("last agent", agent, float(number.last_agent_ring)))
            return None
        if ctx.calls_at(agent) or refusal_of(ctx, terminal, call.moment) is not None:
            return None
        how = Ringing(float(number.last_agent_ring), follows=False)
        outcome = await ctx.ring(call, terminal, how=how)
        return None if outcome.answered is None else await talk(call, outcome.answered)

    async def _cascade(self, call: Call, ctx: AppContext) -> Next:
        for step in steps(ctx.office, self._arrival):
            ended = await self._try(call, ctx, step)
            if ended is not None:
                return ended
        return await self._default(call, ctx)

    async def _try(self, call: Call, ctx: AppContext, step: Step) -> Cause | None:
        """One rule; None when nobody has answered and the next one is due (INB-12)."""
        await play_answered(call, ctx, step.sound)
        call.goes_on = True
        try:
            tried = await try_target(call, step.target, ctx, step.timeout_s)
        finally:
            call.goes_on = False
        if tried.is_reached:
            return tried.cause
        return ENDS_CASCADE.get(tried.at.number)

    async def _default(self, call: Call, ctx: AppContext) -> Next:
        """INB-16."""
        await play_answered(call, ctx, ctx.office.inbound.sound)
        return GoTo(ctx.office.inbound.default)

    # --- explained ----------------------------------------------------------------------------------------------

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        office, arrival = ctx.office, self._arrival
        refused_by = refusing_list(office, arrival)
        away = say("turned away by {list}", list=refused_by)
        asked.tried(
            "caller_lists", matched=bool(refused_by), why=away if refused_by else say("nothing turns the caller away")
        )
        if refused_by:
            return DECLINED
        _tell_script(asked, "inbound.script", office.inbound.script)
        number = external_number(office, arrival)
        if tell_closed(asked, ctx, number, arrival.called, is_left_aside=asks_no_calendar(office, arrival)):
            return GoTo(OFF_HOURS)
        _tell_script(asked, "provider.script", arrival.provider.script)
        if number is not None:
            desk = desk_of(ctx, arrival.caller) if number.employee_dial else None
            if number.employee_dial:
                nobody = say("the caller is no mobile of an employee")
                why = nobody if desk is None else say("dials on as {number}", number=desk.number)
                asked.tried("employee_dial", matched=desk is not None, why=why)
            if number.fax != "off":
                some = say("a call with the tone of a fax, while it is greeted")
                why = say("every call") if number.fax == "only" else some
                asked.tried("fax", matched=number.fax == "only", why=why)
            if number.fax == "only":
                return GoTo(FAX)
            for rule, is_on, why in _on_arrival(number):
                asked.tried(rule, matched=is_on, why=why)
        found = steps(office, arrival)
        for place, step in enumerate(found):
            limit = say("for {s:g} s", s=step.timeout_s) if step.timeout_s else say("until nobody answers there")
            why = say(
                "then to {target} {limit}" if place else "goes to {target} {limit}", target=step.target, limit=limit
            )
            asked.tried(step.rule, matched=not place, why=why)
        default = office.inbound.default
        why = say("goes to {target} when nobody has answered", target=default)
        asked.tried("inbound.default", matched=not found, why=why)
        return GoTo(found[0].target if found else default)


def _on_arrival(number: ExternalNumber) -> Iterator[tuple[str, bool, Said]]:
    greeting, off = say("plays {sound}", sound=number.greeting), say("switched off")
    yield "greeting", bool(number.greeting), greeting if number.greeting else say("there is none")
    dial = say("a number of the office may be dialled for {s} s", s=number.dial_timeout)
    yield "direct_dial", number.direct_dial, dial if number.direct_dial else off
    last = say(
        "rings whoever talked to the caller within {days} days for {s} s",
        days=number.last_agent_days,
        s=number.last_agent_ring,
    )
    yield "last_agent", number.last_agent, last if number.last_agent else off


async def look_at(call: Call, ctx: AppContext, script: str) -> Next | None:
    """Let an application see the call; what it makes of it, None when the call goes on."""
    application = named(ctx.office, script) if script else None
    return None if application is None else await application.look_at(call, ctx)


def _tell_script(asked: Inquiry, rule: str, script: str) -> None:
    if script:
        asked.tried(rule, matched=True, why=say("the application {script} looks at the call", script=script))


async def play_answered(call: Call, ctx: AppContext, sound: str) -> None:
    """A sound of the office to the end, where it has one with that id; the caller is answered for it."""
    found = ctx.sound(sound)
    if found is not None:
        await ctx.prepare(call)
        call.caller.answer()
        await call.caller.play(found)


def label_of(number: ExternalNumber | None) -> str:
    """What phones show before the caller (INB-28)."""
    return f"{number.name or number.number}: " if number is not None and number.show_name else ""
