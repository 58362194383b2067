"""Codes of agents (QUE-29): log in to a queue and out of it, take a break and end it; a beep and the words confirm."""

from typing import ClassVar

from features._queue_agent import LOGINS, PAUSES
from features.announcement import confirm
from pbx.api import AgentBreak, AppContext, Call, Cause, Queue, Terminal


class AgentLogin:
    """The code with the number of a queue after it. Who is an agent by the document may come back after a logout;
    others only where `dynamic_agents` lets them."""

    name: ClassVar[str] = "agent login"
    stage: ClassVar[str] = "application"

    def __init__(self, number: str, *, is_in: bool) -> None:
        self._number, self._is_in = number, is_in

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        terminal = ctx.terminal(call.caller.party.number)
        queue = next((each for each in ctx.office.queues if each.number == self._number), None)
        if terminal is None or queue is None or not (queue.dynamic_agents or terminal.number in queue.agents):
            return await confirm(call, ctx, None)
        self._remember(ctx, queue, terminal)
        prompt = "agent-logged-in" if self._is_in else "agent-logged-out"
        return await confirm(call, ctx, ctx.prompts.say(prompt, language=call.caller.party.language))

    def _remember(self, ctx: AppContext, queue: Queue, terminal: Terminal) -> None:
        """What the document says need not be remembered."""
        is_usual = self._is_in is (terminal.number in queue.agents)
        value = None if is_usual else "in" if self._is_in else "out"
        ctx.states.put(LOGINS, f"{queue.number}/{terminal.number}", value)


class AgentPause:
    """The code alone: a break from all queues, or its end."""

    name: ClassVar[str] = "agent pause"
    stage: ClassVar[str] = "application"

    def __init__(self, dialled_after: str) -> None:
        self._is_known = not dialled_after

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        terminal = ctx.terminal(call.caller.party.number)
        if terminal is None or not self._is_known:
            return await confirm(call, ctx, None)
        is_paused = terminal.number in ctx.states.of(PAUSES)
        ctx.states.put(PAUSES, terminal.number, None if is_paused else "paused")
        ctx.bus.publish(AgentBreak(ctx.wall(), terminal.number, is_over=is_paused))
        prompt = "agent-resumed" if is_paused else "agent-paused"
        return await confirm(call, ctx, ctx.prompts.say(prompt, language=call.caller.party.language))
