"""Which agents of a queue are rung next (QUE-6…QUE-11): a pure choice.

Agents of a lower penalty come first; those with a higher one are only asked while none of the lower is available.
Within one round no agent is tried twice: when all that are available have been tried, a new round begins.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Memory:
    """What a queue remembers of its agents. `called_at` and `answered` by number; `last` took the last call."""

    called_at: dict[str, float] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    last: str = ""


@dataclass(slots=True)
class Tries:
    """Of one caller: who was tried in this round, and who last of all."""

    round: set[str] = field(default_factory=set)
    last: str = ""


Shuffle = Callable[[list[str]], None]


def choose(
    strategy: str,
    agents: Sequence[str],
    available: Sequence[str],
    penalties: Mapping[str, int],
    memory: Memory,
    tries: Tries,
    shuffle: Shuffle,
) -> list[str]:
    """Of all `agents` in their order those `available` ones to ring now; `tries` notes them."""
    if not available:
        return []
    lowest = min(penalties.get(agent, 0) for agent in available)
    candidates = [agent for agent in available if penalties.get(agent, 0) == lowest]
    if strategy == "ringall":
        return candidates
    left = [agent for agent in candidates if agent not in tries.round]
    if not left:
        tries.round.clear()
        left = candidates
    found = _first(strategy, agents, left, memory, tries, shuffle)
    tries.round.add(found)
    tries.last = found
    return [found]


def _first(
    strategy: str, agents: Sequence[str], left: list[str], memory: Memory, tries: Tries, shuffle: Shuffle
) -> str:
    match strategy:
        case "leastrecent":
            return min(left, key=lambda agent: memory.called_at.get(agent, 0.0))
        case "fewestcalls":
            return min(left, key=lambda agent: memory.answered.get(agent, 0))
        case "random":
            shuffled = list(left)
            shuffle(shuffled)
            return shuffled[0]
        case "rrmemory":
            return _next_after(tries.last or memory.last, agents, left)
        case _:
            return _next_after(tries.last, agents, left)


def _next_after(last: str, agents: Sequence[str], left: list[str]) -> str:
    """The first of `left` behind `last` in the order of `agents`, round and round."""
    start = agents.index(last) + 1 if last in agents else 0
    order = [*agents[start:], *agents[:start]]
    return next(agent for agent in order if agent in left)
