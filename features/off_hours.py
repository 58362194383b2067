"""Calls from outside that come when nobody is there (INB-5, CAL-11, CAL-16): a message, a sound, or another target."""

from typing import ClassVar

from pbx.api import (
    COMMON,
    NORMAL,
    AppContext,
    Call,
    ExternalNumber,
    GoTo,
    Inquiry,
    Next,
    OffHours,
    PlaySource,
    Said,
    own_box,
    say,
)

OFF_HOURS = "outworktimes"  # the service that handles them, and the stage of history


def is_closed(ctx: AppContext, number: ExternalNumber | None, called: str, moment: float) -> bool:
    """Whether a rule about off-hours holds, or the number's calendar is closed."""
    return _rule(ctx, called, moment) is not None or _is_shut(ctx, number, moment)


def tell_closed(
    asked: Inquiry, ctx: AppContext, number: ExternalNumber | None, called: str, *, is_left_aside: bool
) -> bool:
    """The same for a call that nobody makes, each rule written down."""
    if is_left_aside:
        asked.tried("always_open", matched=True, why=say("no calendar is asked for this caller or account"))
        return False
    for rule, holds in ctx.calendars.off_hours(called, asked.moment):
        asked.tried(
            f"off_hours {rule.id}", matched=holds, why=_action(rule.target, rule.sound) if holds else say("not now")
        )
    if number is not None and number.calendar:
        decision = ctx.calendars.decide(number.calendar, asked.moment)
        asked.tried(
            "calendar",
            matched=not decision.is_open,
            why=say("{calendar}: {why}", calendar=number.calendar, why=decision.why),
        )
    return is_closed(ctx, number, called, asked.moment)


class OutOfHours:
    """The service that such calls go to."""

    name: ClassVar[str] = "off-hours"
    stage: ClassVar[str] = OFF_HOURS

    async def run(self, call: Call, ctx: AppContext) -> Next:
        sound, target = _closed(call, ctx)
        said = ctx.sound(sound) or _prompt(call, ctx, target)
        if said is not None:
            await ctx.prepare(call)
            call.caller.answer()
            await call.caller.play(said)
        return GoTo(target) if target else NORMAL

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next:
        sound, target = _closed(asked, ctx)
        asked.tried("closed", matched=True, why=_action(target, sound))
        return GoTo(target) if target else NORMAL


def _prompt(call: Call, ctx: AppContext, target: str) -> PlaySource | None:
    """What is said where the office has no sound for it; a mailbox with a greeting of its own says all."""
    box = own_box(ctx.office, call.to.number)
    if target and (target != COMMON or (box is not None and box.greeting)):
        return None
    said = "calendar-away" if target else "ivr-closed"
    return ctx.prompts.say(said, language=call.caller.party.language)


def _closed(call: Call | Inquiry, ctx: AppContext) -> tuple[str, str]:
    """The sound that the caller hears and where the call goes then; "" is neither."""
    called = call.to.number
    rule = _rule(ctx, called, call.moment)
    if rule is not None:
        return rule.sound, rule.target
    number = next((each for each in ctx.office.external_numbers if each.number == called), None)
    return ("", "") if number is None else (number.closed_sound, number.closed_target)


def _rule(ctx: AppContext, called: str, moment: float) -> OffHours | None:
    return next((rule for rule, holds in ctx.calendars.off_hours(called, moment) if holds), None)


def _is_shut(ctx: AppContext, number: ExternalNumber | None, moment: float) -> bool:
    return number is not None and bool(number.calendar) and not ctx.calendars.decide(number.calendar, moment).is_open


def _action(target: str, sound: str) -> Said:
    return (
        say("goes to {target}", target=target)
        if target
        else say("plays {sound} and ends", sound=sound or say("a prompt"))
    )
