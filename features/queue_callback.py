"""Callers of a queue who are called back (QUE-30): they keep their place in the line without holding it by the ear.

When it is their turn an agent is rung, then they are. An order is done when both have talked for long enough, or when
the caller has talked to an agent by other means; it outlives a restart.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from features._queue_agent import agents_of
from features._queue_line import Lines, Ticket
from pbx.api import AppContext, Call, GoTo, Next, Party, Queue, Terminal

ORDERS = "queue-orders"  # area of what outlives a restart: QUEUE/NUMBER → since when
ORDERED = "callback"  # in place of the id of a call


class Callbacks:
    """The orders of all queues, each a task that waits for its turn."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._orders: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._talked_at: dict[tuple[str, str], float] = {}

    def restore(self, ctx: AppContext, wake: "Changes") -> None:
        for key, since in ctx.states.of(ORDERS).items():
            number, _, client = key.partition("/")
            queue = _queue(ctx, number)
            if queue is None:
                ctx.states.put(ORDERS, key, None)
            else:
                self._begin(ctx, queue, Ticket(ORDERED, client, "", float(since)), wake)

    async def end(self) -> None:
        """The orders wait for the next start."""
        tasks = list(self._orders.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def order(self, ctx: AppContext, queue: Queue, waited: Ticket, wake: "Changes") -> bool:
        """Call that caller back; False when the number cannot be dialled (an anonymous one) or is ordered already."""
        key = (queue.number, waited.number)
        is_number = waited.number.removeprefix("+").isdecimal()
        if not is_number or key in self._orders or ctx.route(waited.number)[1] is None:
            return False
        ctx.states.put(ORDERS, f"{queue.number}/{waited.number}", str(waited.since))
        self._begin(ctx, queue, Ticket(ORDERED, waited.number, waited.name, waited.since), wake)
        return True

    def has_talked(self, queue: Queue, number: str, now: float) -> None:
        """The caller has been served by other means."""
        self._talked_at[queue.number, number] = now

    def _begin(self, ctx: AppContext, queue: Queue, ticket: Ticket, wake: "Changes") -> None:
        key = (queue.number, ticket.number)
        self._lines.enter_by_age(queue, ticket)
        task = self._orders[key] = asyncio.ensure_future(self._serve(ctx, queue, ticket, wake))
        task.add_done_callback(lambda _: self._orders.pop(key, None))

    async def _serve(self, ctx: AppContext, queue: Queue, ticket: Ticket, wake: "Changes") -> None:
        is_done = False
        try:
            for _ in range(queue.callback.attempts):
                agent = await self._turn(ctx, queue, ticket, wake)
                if agent is None or await self._try(ctx, queue, ticket, agent, wake):
                    break
                await asyncio.sleep(queue.callback.delay)
            is_done = True
        finally:
            self._lines.leave(queue, ticket)
            if is_done:
                ctx.states.put(ORDERS, f"{queue.number}/{ticket.number}", None)

    async def _turn(self, ctx: AppContext, queue: Queue, ticket: Ticket, wake: "Changes") -> Terminal | None:
        """The agent at a terminal who is free for this caller; None when nobody need be called any longer."""
        while not self._is_served(ctx, queue, ticket):
            ticket.barred = frozenset(each.number for each in agents_of(ctx, queue) if each.terminal is None)
            agents = [each.terminal for each in self._lines.offer(ctx, queue, ticket) if each.terminal is not None]
            if agents:
                ticket.ringing = (agents[0].number,)
                return agents[0]
            await wake.until_change(self._lines.next_change_s(ctx, queue, ticket))
        return None

    def _is_served(self, ctx: AppContext, queue: Queue, ticket: Ticket) -> bool:
        at = self._talked_at.get((queue.number, ticket.number))
        return at is not None and ctx.now() - at <= queue.callback.look_back

    async def _try(self, ctx: AppContext, queue: Queue, ticket: Ticket, agent: Terminal, wake: "Changes") -> bool:
        """Whether the agent and the caller have talked for long enough."""
        client = Party.unknown(ticket.number)
        call = ctx.call_out(agent, client, DialClient(ticket.number))
        self._lines.answered(queue, ticket, agent.number)
        await call.wait()
        talked_s = call.talked_s
        if talked_s:
            self._lines.finished(ctx, queue, agent.number, talked_s)
        else:
            self._lines.refused(queue, ticket, {agent.number: True}, ctx.now())
        wake.wake()
        return talked_s >= queue.callback.min_talk


class DialClient:
    """The app of an agent who has answered for a callback: the caller is dialled."""

    name: ClassVar[str] = "callback"
    stage: ClassVar[str] = "application"

    def __init__(self, number: str) -> None:
        self._number = number

    async def run(self, call: Call, ctx: AppContext) -> Next:
        return GoTo(self._number)


class Changes:
    """Wakes everybody who waits for something to change."""

    def __init__(self, forget: Callable[[], None]) -> None:
        """`forget`: what was known before."""
        self._forget = forget
        self._changed = asyncio.Event()

    def wake(self, _: object = None) -> None:
        """Somebody may be free now."""
        self._forget()
        self._changed.set()
        self._changed = asyncio.Event()

    async def until_change(self, within_s: float | None) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            pass


def _queue(ctx: AppContext, number: str) -> Queue | None:
    return next((each for each in ctx.office.queues if each.number == number), None)
