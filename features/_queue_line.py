"""The state of the queues: who waits, in which order, and what each agent does. One writer: the event loop.

Callers are served in the order in which they came; the one further behind gets an agent only when those before it have
none to be offered.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from features._queue_agent import Agent, agents_of, is_paused, is_reachable, is_silent, is_working, party_of
from features._queue_kept import Kept
from features._queue_strategy import Memory, Shuffle, Tries, choose
from pbx.api import AgentView, AppContext, Queue, QueueView, WaitingView

SMOOTHING = 0.2  # of the mean handling time: the last ten calls count


@dataclass(eq=False, slots=True)
class Ticket:
    """One caller's place in a line. `skips` are agents that refused, and until when they are left alone; `barred` those
    to whom the caller may not be led."""

    call: str
    number: str
    name: str
    since: float
    tries: Tries = field(default_factory=Tries)
    skips: dict[str, float] = field(default_factory=dict)
    ringing: tuple[str, ...] = ()
    barred: frozenset[str] = frozenset()


@dataclass(slots=True)
class Line:
    """One queue: its callers, first come first, and what it has learned."""

    tickets: list[Ticket] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    handling_s: float = 0.0  # mean time of an agent for a caller; 0: not known yet


@dataclass(frozen=True, slots=True)
class _Glance:
    """Who was free when the agents of a queue were looked at, and until when that holds if nothing changes."""

    queue: Queue
    free: Mapping[str, Agent]
    until: float


class Lines:
    """All queues of the server."""

    def __init__(self, shuffle: Shuffle = random.shuffle) -> None:
        self._lines: dict[str, Line] = {}
        self._shuffle = shuffle
        self._free_at: dict[str, float] = {}  # agents after a call: when the next may come (QUE-13)
        self._serves: dict[str, str] = {}  # agent → the queue whose caller it talks to
        self._glances: dict[str, _Glance] = {}
        self._kept = Kept()

    def restore(self, ctx: AppContext) -> None:
        """Go on where the server stopped."""
        self._kept.restore(ctx)
        for number, (memory, handling_s) in self._kept.memories().items():
            self._lines[number] = Line(memory=memory, handling_s=handling_s)
        for agent, until in self._kept.rests().items():
            self._free_at[agent] = ctx.now() + until - ctx.wall()

    def line(self, number: str) -> Line:
        return self._lines.setdefault(number, Line())

    # --- callers ----------------------------------------------------------------------------------------------

    def enter(self, queue: Queue, ticket: Ticket) -> None:
        """At the end, or where the caller was before a restart."""
        self.forget()
        since = self._kept.since(queue.number, ticket.number, ticket.since)
        self._kept.waits(queue.number, ticket.call, ticket.number, since)
        if since == ticket.since:
            self.line(queue.number).tickets.append(ticket)
        else:
            ticket.since = since
            self.enter_by_age(queue, ticket)

    def enter_by_age(self, queue: Queue, ticket: Ticket) -> None:
        """Keep a place that was taken before."""
        tickets = self.line(queue.number).tickets
        place = sum(each.since <= ticket.since for each in tickets)
        tickets.insert(place, ticket)

    def leave(self, queue: Queue, ticket: Ticket, *, keeps_place: bool = False) -> None:
        """`keeps_place`: the server stops."""
        self.forget()
        if not keeps_place:
            self._kept.waits_no_longer(queue.number, ticket.call)
        tickets = self.line(queue.number).tickets
        if ticket in tickets:
            tickets.remove(ticket)

    def place(self, queue: Queue, ticket: Ticket) -> int:
        """1 is the next to be served."""
        return self.line(queue.number).tickets.index(ticket) + 1

    def expected_wait_s(self, ctx: AppContext, queue: Queue, ticket: Ticket) -> float | None:
        """From the mean handling time, the callers before and the agents there are; None before the first call."""
        line = self.line(queue.number)
        agents = sum(is_working(ctx, each) for each in agents_of(ctx, queue))
        if not line.handling_s or not agents:
            return None
        return line.handling_s * self.place(queue, ticket) / agents

    # --- agents -----------------------------------------------------------------------------------------------

    def offer(self, ctx: AppContext, queue: Queue, ticket: Ticket) -> list[Agent]:
        """The agents to ring for this caller now; they are its own until `refused` or `answered`."""
        found, memory = self.choice(ctx, queue, ticket), self.line(queue.number).memory
        free = self._free(ctx, queue)
        ticket.ringing = tuple(found)
        if found:
            self.forget()
        for agent in found:
            memory.called_at[agent] = ctx.wall()
        return [free[agent] for agent in found]

    def choice(self, ctx: AppContext, queue: Queue, ticket: Ticket) -> list[str]:
        """The agents that the strategy rings now for this caller, or for one who comes behind all others; only the
        caller's own tries are noted."""
        free = self._free(ctx, queue)
        left = list(free)
        for before in self.line(queue.number).tickets:
            if before is ticket or not left:
                break
            if not before.ringing:
                wanted = set(self._for_ticket(ctx, before, left))
                left = [agent for agent in left if agent not in wanted]
        available = [agent for agent in self._for_ticket(ctx, ticket, left) if self._is_free(ctx, queue, free[agent])]
        if not available:
            return []
        agents = [each.number for each in agents_of(ctx, queue)]
        memory = self.line(queue.number).memory
        return choose(queue.strategy, agents, available, queue.penalties, memory, ticket.tries, self._shuffle)

    def refused(self, queue: Queue, ticket: Ticket, agents: Mapping[str, bool], now: float) -> None:
        """Nobody answered. `agents` says of each whether it refused by itself (QUE-15)."""
        self.forget()
        ticket.ringing = ()
        for agent, by_itself in agents.items():
            if by_itself:
                ticket.skips[agent] = now + float(queue.reject_pause or queue.ring_time)

    def answered(self, queue: Queue, ticket: Ticket, agent: str) -> None:
        self.forget()
        ticket.ringing = ()
        self._serves[agent] = queue.number
        self.line(queue.number).memory.last = agent

    def finished(self, ctx: AppContext, queue: Queue, agent: str, seconds: float) -> None:
        """The agent's talk is over: it counts, and the agent rests."""
        self.forget()
        line = self.line(queue.number)
        self._serves.pop(agent, None)
        self._free_at[agent] = ctx.now() + queue.wrap_up
        self._kept.rest(agent, ctx.wall() + queue.wrap_up)
        line.memory.answered[agent] = line.memory.answered.get(agent, 0) + 1
        took_s = seconds + queue.wrap_up
        line.handling_s = took_s if not line.handling_s else line.handling_s + SMOOTHING * (took_s - line.handling_s)
        self._kept.remember(queue.number, line.memory, line.handling_s)

    def next_change_s(self, ctx: AppContext, queue: Queue, ticket: Ticket) -> float | None:
        """Seconds until an agent rests no longer, or may be asked again; None when nothing of that kind is near."""
        self._free(ctx, queue)
        times = (self._glances[queue.number].until, *ticket.skips.values())
        return min((at - ctx.now() for at in times if ctx.now() < at < float("inf")), default=None)

    def is_registered(self, ctx: AppContext, queue: Queue) -> bool:
        """At least one agent has a phone that could be rung (QUE-24): busy, paused and resting ones count."""
        return any(is_reachable(ctx, each) for each in agents_of(ctx, queue))

    def is_somebody_free(self, ctx: AppContext, queue: Queue, ticket: Ticket) -> bool:
        """An agent rings, or could be rung: not all are busy (AMB-27)."""
        line = self.line(queue.number)
        return any(each.ringing for each in line.tickets) or bool(self._for_ticket(ctx, ticket, self._free(ctx, queue)))

    def forget(self) -> None:
        """Something has changed: who is free is looked at anew."""
        self._glances.clear()

    def has_work(self, ctx: AppContext) -> bool:
        """Somebody waits whom a free agent could serve."""
        return any(
            any(not ticket.ringing for ticket in self.line(queue.number).tickets) and self._free(ctx, queue)
            for queue in ctx.office.queues
        )

    @staticmethod
    def _for_ticket(ctx: AppContext, ticket: Ticket, agents: Iterable[str]) -> list[str]:
        return [each for each in agents if each not in ticket.barred and ticket.skips.get(each, 0.0) <= ctx.now()]

    def _free(self, ctx: AppContext, queue: Queue) -> Mapping[str, Agent]:
        """The agents who could be rung, looked at once after each change: hundreds may wait and ask. One who has begun
        a call of their own meanwhile is found out when it is their turn."""
        glance = self._glances.get(queue.number)
        if glance is None or glance.queue is not queue or ctx.now() >= glance.until:
            glance = self._glances[queue.number] = self._look(ctx, queue)
        return glance.free

    def _look(self, ctx: AppContext, queue: Queue) -> "_Glance":
        rung = {agent for line in self._lines.values() for ticket in line.tickets for agent in ticket.ringing}
        agents = agents_of(ctx, queue)
        free = {each.number: each for each in agents if each.number not in rung and self._is_free(ctx, queue, each)}
        times = [at for each in agents if (at := self._free_at.get(each.number, 0.0)) > ctx.now()]
        changes = [ctx.calendars.next_change(each.calendar) for each in agents if each.calendar]
        times += [ctx.now() + at - ctx.wall() for at in changes if at is not None]
        return _Glance(queue, free, min(times, default=float("inf")))

    def _is_free(self, ctx: AppContext, queue: Queue, agent: Agent) -> bool:
        return (
            self._free_at.get(agent.number, 0.0) <= ctx.now()
            and (queue.ring_in_use or not ctx.calls_at(agent.number))
            and is_working(ctx, agent)
        )

    # --- for people ---------------------------------------------------------------------------------------------

    def view(self, ctx: AppContext, queue: Queue) -> QueueView:
        line, now = self.line(queue.number), ctx.wall()
        rung = {agent for ticket in line.tickets for agent in ticket.ringing}
        waiting = tuple(
            WaitingView(each.call, each.number, each.name, round(now - each.since, 1)) for each in line.tickets
        )
        agents = tuple(self._agent(ctx, queue, each, rung) for each in agents_of(ctx, queue))
        return QueueView(queue.number, queue.name, queue.strategy, waiting, agents, queue.note)

    def _agent(self, ctx: AppContext, queue: Queue, agent: Agent, rung: set[str]) -> AgentView:
        number, memory = agent.number, self.line(queue.number).memory
        state = "idle"
        if not is_reachable(ctx, agent):
            state = "unavailable"
        elif not ctx.calendars.decide(agent.calendar).is_open:
            state = "off duty"
        elif is_paused(ctx.states, number):
            state = "paused"
        elif number in rung:
            state = "ringing"
        elif ctx.calls_at(number):
            state = "busy"
        elif self._free_at.get(number, 0.0) > ctx.now():
            state = "resting"
        elif is_silent(ctx, agent):
            state = "do not disturb"
        return AgentView(number, party_of(ctx, agent).name, state, memory.answered.get(number, 0))
