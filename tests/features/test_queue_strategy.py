"""Which agents of a queue are rung next."""

import pytest

from features._queue_strategy import Memory, Tries, choose

AGENTS = ("201", "202", "203", "204")


def reverse(agents: list[str]) -> None:
    agents.reverse()


def rounds(
    strategy: str,
    count: int,
    *,
    available: tuple[str, ...] = AGENTS,
    memory: Memory | None = None,
    penalties: dict[str, int] | None = None,
) -> list[list[str]]:
    """Whom one caller tries who is never answered."""
    tries, memory = Tries(), memory or Memory()
    found = []
    for n in range(count):
        chosen = choose(strategy, AGENTS, available, penalties or {}, memory, tries, reverse)
        for agent in chosen:
            memory.called_at[agent] = 100.0 + n
        found.append(chosen)
    return found


def singles(found: list[list[str]]) -> list[str]:
    return [agent for chosen in found for agent in chosen]


@pytest.mark.row("QUE-6")
def test_ringall_rings_everybody_who_is_available() -> None:
    assert rounds("ringall", 2, available=("201", "203")) == [["201", "203"], ["201", "203"]]


@pytest.mark.row("QUE-7")
def test_leastrecent_rings_who_was_not_called_for_longest() -> None:
    memory = Memory(called_at={"201": 9.0, "202": 3.0, "203": 7.0})
    assert singles(rounds("leastrecent", 4, memory=memory)) == ["204", "202", "203", "201"]


@pytest.mark.row("QUE-8")
def test_fewestcalls_rings_who_has_answered_least() -> None:
    memory = Memory(answered={"201": 2, "202": 5, "203": 1, "204": 2})
    assert singles(rounds("fewestcalls", 5, memory=memory)) == ["203", "201", "204", "202", "203"]


@pytest.mark.row("QUE-9")
def test_random_rings_in_the_order_of_chance_each_once_a_round() -> None:
    found = singles(rounds("random", 4))
    assert found[0] == "204", "as the shuffle says"
    assert sorted(found) == list(AGENTS)


@pytest.mark.row("QUE-10")
@pytest.mark.parametrize(
    ("last", "order"), [("", ["201", "202", "203", "204", "201"]), ("203", ["204", "201", "202", "203", "204"])]
)
def test_rrmemory_begins_behind_who_took_the_last_call(last: str, order: list[str]) -> None:
    assert singles(rounds("rrmemory", 5, memory=Memory(last=last))) == order


@pytest.mark.row("QUE-11")
def test_linear_begins_from_the_top_with_every_call() -> None:
    assert singles(rounds("linear", 5, memory=Memory(last="202"))) == ["201", "202", "203", "204", "201"]


@pytest.mark.parametrize("strategy", ["ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "linear"])
def test_only_available_agents_are_rung_and_nobody_when_there_are_none(strategy: str) -> None:
    assert set(singles(rounds(strategy, 6, available=("202", "204")))) == {"202", "204"}
    assert rounds(strategy, 1, available=()) == [[]]


@pytest.mark.parametrize("strategy", ["ringall", "linear", "leastrecent"])
def test_a_higher_penalty_waits_until_nobody_of_a_lower_is_there(strategy: str) -> None:
    penalties = {"201": 2, "202": 1, "203": 1}
    assert set(singles(rounds(strategy, 4, penalties=penalties))) == {"204"}
    assert set(singles(rounds(strategy, 4, penalties=penalties, available=AGENTS[:3]))) == {"202", "203"}
    assert set(singles(rounds(strategy, 4, penalties=penalties, available=AGENTS[:1]))) == {"201"}
