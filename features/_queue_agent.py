"""Who serves a queue: terminals, and numbers outside such as mobiles (QUE-5); what each agent does now."""

from collections.abc import Iterable, Sequence

from features.do_not_disturb import wants_no_calls
from features.forwarding import is_same
from frozen import dataclass
from pbx.api import AppContext, Call, Inquiry, Party, Queue, States, Terminal, User, WayOut

LOGINS, PAUSES = "queue-agents", "queue-pauses"  # areas of what outlives a restart


@dataclass(frozen=True, slots=True)
class Agent:
    """`terminal` is None for a number outside."""

    number: str
    terminal: Terminal | None

    @property
    def calendar(self) -> str:
        return self.terminal.calendar if self.terminal is not None else ""


def agents_of(ctx: AppContext, queue: Queue) -> list[Agent]:
    """The agents of a queue in its order, then those who logged in; each must know what the queue asks for."""
    logged_in = dict.fromkeys(queue.agents)
    for key, state in ctx.states.of(LOGINS).items():
        number, _, agent = key.partition("/")
        if number == queue.number:
            logged_in = logged_in | {agent: None} if state == "in" else {k: None for k in logged_in if k != agent}
    found = [each for each in (_agent(ctx, number) for number in logged_in) if each is not None]
    return [each for each in found if _knows(ctx, each, queue.skills)]


def ways_to(ctx: AppContext, number: str, call: Call | Inquiry | None = None) -> Sequence[WayOut]:
    """How an agent outside can be dialled now: by the office itself, or for who calls."""
    considered = ctx.consider_outside(call, number)
    return [way for each in considered for way in each.ways if ctx.obstacle(way) is None]


def barred_to(ctx: AppContext, queue: Queue, call: Call | Inquiry) -> frozenset[str]:
    """Agents outside to whom the caller's own rights do not lead."""
    outside = [each.number for each in agents_of(ctx, queue) if each.terminal is None]
    return frozenset(number for number in outside if not any(e.ways for e in ctx.consider_outside(call, number)))


def is_reachable(ctx: AppContext, agent: Agent) -> bool:
    """It has a phone that could be rung, or there is a way to it."""
    return ctx.is_reachable(agent.terminal) if agent.terminal is not None else bool(ways_to(ctx, agent.number))


def is_working(ctx: AppContext, agent: Agent) -> bool:
    """It takes calls of the queue, now or after the one it has."""
    is_there = is_reachable(ctx, agent) and ctx.calendars.decide(agent.calendar).is_open
    return is_there and not is_paused(ctx.states, agent.number) and not is_silent(ctx, agent)


def is_silent(ctx: AppContext, agent: Agent) -> bool:
    """It wants no calls at all."""
    return agent.terminal is not None and wants_no_calls(ctx, agent.terminal)


def is_paused(states: States, number: str) -> bool:
    return number in states.of(PAUSES)


def party_of(ctx: AppContext, agent: Agent) -> Party:
    if agent.terminal is not None:
        return ctx.party(agent.terminal)
    return ctx.outside_party(agent.number) or Party.outside(agent.number)


def _agent(ctx: AppContext, number: str) -> Agent | None:
    terminal = ctx.terminal(number)
    return Agent(number, terminal) if terminal is not None or ctx.outside_party(number) is not None else None


def _knows(ctx: AppContext, agent: Agent, skills: Iterable[str]) -> bool:
    owner = _owner(ctx, agent) if skills else None
    return not skills or (owner is not None and set(skills) <= set(owner.skills))


def _owner(ctx: AppContext, agent: Agent) -> User | None:
    if agent.terminal is not None:
        return ctx.owner(agent.terminal)
    return next((each for each in ctx.office.users if each.mobile and is_same(each.mobile, agent.number)), None)
