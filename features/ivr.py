"""Voice menus (IVR-*): a greeting, digits or spoken commands during and after it, and where they lead.

A key of the menu stands before an equal number of the office; the longest that still can come is waited for. What leads
nowhere, and silence, cost one attempt; when the last is gone the call goes to the default target.
"""

from typing import ClassVar

from frozen import dataclass
from pbx.api import (
    PLAYED,
    AppContext,
    Arrived,
    Call,
    Collect,
    Collected,
    GoTo,
    Inquiry,
    Ivr,
    Leg,
    Next,
    PartyKind,
    PlaySource,
    Why,
    collect,
    say,
)

LONGEST_INPUT = 10
NOTHING, INVALID = "t", "i"  # in the digit trail of the history (IVR-13)


class Menu:
    """The app behind the number of a menu."""

    name: ClassVar[str] = "ivr"
    stage: ClassVar[str] = "ivr"

    def __init__(self, ivr: Ivr) -> None:
        self._ivr = ivr

    async def run(self, call: Call, ctx: AppContext) -> Next:
        leg = call.caller
        await ctx.prepare(call)
        leg.answer()
        if not self._ivr.phrases:
            return await self._choose(call, ctx)
        listening = ctx.listen(leg, self._ivr.phrases)
        try:
            return await self._choose(call, ctx)
        finally:
            listening.stop()

    async def _choose(self, call: Call, ctx: AppContext) -> Next:
        """Where the caller wants to go, in as many attempts as there are."""
        trail: list[str] = []
        for _ in range(self._ivr.attempts):
            entered = await self._ask(call.caller, ctx)
            target = self._target(call, ctx, entered.digits)
            trail.append(entered.digits if target else NOTHING if entered.why is Why.NOTHING else INVALID)
            call.stage_digits = ",".join(trail)
            if target:
                return GoTo(target)
        return GoTo(self._ivr.default)

    def explain(self, asked: Inquiry, ctx: AppContext) -> Arrived:
        ivr = self._ivr
        for key, target in ivr.keys.items():
            asked.tried(f"key {key}", matched=False, why=say("goes on to {target} when it is pressed", target=target))
        for key, phrases in ivr.phrases.items():
            why = say("say {phrases} instead of {key}", phrases=" / ".join(phrases), key=key)
            asked.tried(f"phrases {key}", matched=False, why=why)
        internal = say("any number of the office may be dialled" if ivr.allow_internal else "only keys are taken")
        asked.tried("allow_internal", matched=ivr.allow_internal, why=internal)
        default = say("goes on to {target} after {n} attempts in vain", target=ivr.default, n=ivr.attempts)
        asked.tried("default", matched=False, why=default)
        return Arrived((ivr.number,), say("answers and waits for keys"))

    async def _ask(self, leg: Leg, ctx: AppContext) -> Collected:
        """One attempt. A greeting that cannot be played is replaced by the stock prompt (IVR-12)."""
        choices = Choices(tuple(self._ivr.keys), frozenset(ctx.numbers) if self._ivr.allow_internal else frozenset())
        wanted = Collect(
            LONGEST_INPUT, float(self._ivr.timeout), float(self._ivr.digit_timeout), is_complete=choices.is_complete
        )
        greeting = ctx.sound(self._ivr.greeting)
        if greeting is not None:
            entered = await collect(leg, wanted, greeting)
            if entered.digits or entered.prompt in PLAYED:
                return entered
        return await collect(leg, wanted, self._stock_prompt(leg, ctx))

    @staticmethod
    def _stock_prompt(leg: Leg, ctx: AppContext) -> PlaySource:
        return ctx.prompts.say("ivr-enter-number", language=leg.party.language)

    def _target(self, call: Call, ctx: AppContext, digits: str) -> str:
        """Where the digits lead, "" for nowhere."""
        if digits in self._ivr.keys:
            return self._ivr.keys[digits]
        is_open = self._ivr.allow_internal and digits in ctx.numbers
        return digits if is_open and may_be_dialled(call, ctx, digits) else ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be entered: keys of the menu, numbers of the office."""

    keys: tuple[str, ...]
    numbers: frozenset[str]

    def is_complete(self, digits: str) -> bool:
        """Something was entered, and nothing longer begins with it (IVR-5)."""
        every = (*self.keys, *self.numbers)
        return digits in every and not any(each != digits and each.startswith(digits) for each in every)


def may_be_dialled(call: Call, ctx: AppContext, number: str) -> bool:
    """Terminals that outside callers may not reach directly are not there for them (EXT-24), nor are numbers that lead
    outside again (SEC-17)."""
    terminal = ctx.terminal(number)
    caller = call.caller.party
    is_outside = bool(caller.presented) or caller.kind is PartyKind.OUTSIDE
    leads_out = any(each.number == number for each in ctx.office.short_numbers)
    return not is_outside or (terminal.public_access if terminal is not None else not leads_out)
