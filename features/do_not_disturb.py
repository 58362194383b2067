"""Do not disturb, kept by the server for a person (FEAT-23): all terminals of the person are busy."""

from typing import ClassVar

from features.announcement import confirm
from pbx.api import DO_NOT_DISTURB, AppContext, Call, Cause, Terminal, owner_or_number


def wants_no_calls(ctx: AppContext, terminal: Terminal) -> bool:
    """Whether whoever is at the terminal does not want to be disturbed now."""
    return owner_or_number(terminal) in ctx.states.of(DO_NOT_DISTURB)


class SetDoNotDisturb:
    """The app behind the codes that switch it on and off."""

    name: ClassVar[str] = "do not disturb"
    stage: ClassVar[str] = "application"

    def __init__(self, *, is_on: bool, dialled_after: str) -> None:
        self._is_on, self._is_known = is_on, not dialled_after

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        terminal = ctx.terminal(call.caller.party.number)
        if terminal is None or not self._is_known:
            return await confirm(call, ctx, None)
        ctx.states.put(DO_NOT_DISTURB, owner_or_number(terminal), "on" if self._is_on else None)
        prompt = "disturb-on" if self._is_on else "disturb-off"
        return await confirm(call, ctx, ctx.prompts.say(prompt, language=call.caller.party.language))
