"""Do not disturb, kept by the server for a person (FEAT-23): all terminals of the person are busy."""

from typing import ClassVar

from features.announcement import confirm
from pbx.api import AppContext, Call, Cause, Terminal

AREA = "dnd"  # of what is remembered over a restart: id of the person, or number of a terminal that nobody owns


def wants_no_calls(ctx: AppContext, terminal: Terminal) -> bool:
    """Whether whoever is at the terminal does not want to be disturbed now."""
    return _key(terminal) in ctx.states.of(AREA)


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
        ctx.states.put(AREA, _key(terminal), "on" if self._is_on else None)
        prompt = "disturb-on" if self._is_on else "disturb-off"
        return await confirm(call, ctx, ctx.prompts.say(prompt, language=call.caller.party.language))


def _key(terminal: Terminal) -> str:
    return terminal.owner or terminal.number
