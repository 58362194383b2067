"""All calls of a terminal go elsewhere, by codes dialled there (FEAT-1, FWD-16)."""

from typing import ClassVar

from features.announcement import confirm
from features.forwarding import AREA
from pbx.api import AppContext, Call, Cause, PartyKind


class ForwardAll:
    """Sends all calls of the terminal that dials to the number after the code; without a number there is none left."""

    name: ClassVar[str] = "forwarding"
    stage: ClassVar[str] = "application"

    def __init__(self, target: str) -> None:
        self._target = target

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        terminal = ctx.terminal(call.caller.party.number)
        if terminal is None or not self._is_known(ctx, terminal.number):
            return await confirm(call, ctx, None)
        ctx.states.put(AREA, terminal.number, self._target)
        language = call.caller.party.language
        return await confirm(call, ctx, ctx.prompts.say("forward-on", number=self._target, language=language))

    def _is_known(self, ctx: AppContext, own: str) -> bool:
        """A number of the office, and not its own, or one outside."""
        party, app = ctx.route(self._target)
        return bool(self._target) and self._target != own and (app is not None or party.kind is PartyKind.OUTSIDE)


class ForwardNoMore:
    """Takes back what the code of `ForwardAll` has set; rules of the document stay."""

    name: ClassVar[str] = "forwarding"
    stage: ClassVar[str] = "application"

    def __init__(self, dialled_after: str) -> None:
        self._is_known = not dialled_after

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        if not self._is_known:
            return await confirm(call, ctx, None)
        ctx.states.put(AREA, call.caller.party.number, None)
        return await confirm(call, ctx, ctx.prompts.say("forward-off", language=call.caller.party.language))
