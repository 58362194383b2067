"""Timer values and the queue of deadlines."""

import pytest

from sipcore.timers import DEFAULT_TIMERS, TimerConfig, TimerQueue, forget_at


class Machine:
    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.queued_at: float | None = None


def test_the_values_of_rfc_3261_table_4() -> None:
    assert (DEFAULT_TIMERS.t1, DEFAULT_TIMERS.t2, DEFAULT_TIMERS.t4) == (0.5, 4.0, 5.0)
    assert DEFAULT_TIMERS.give_up == 32.0
    assert DEFAULT_TIMERS.wait_d == 32.0
    assert TimerConfig(t1=0.1).give_up == pytest.approx(6.4)
    assert TimerConfig(t1=0.1).wait_d == 32.0  # §17.1.1.2: at least 32 s
    assert TimerConfig(t1=2.0).wait_d == 128.0


def test_machines_come_in_the_order_of_their_deadlines() -> None:
    queue = TimerQueue()
    late, soon, same = Machine(3.0), Machine(1.0), Machine(3.0)
    for machine in (late, soon, same):
        queue.push(machine)
    assert queue.deadline() == 1.0
    assert queue.due(0.9) is None
    assert [queue.due(3.0), queue.due(3.0), queue.due(3.0), queue.due(3.0)] == [soon, late, same, None]
    assert queue.deadline() is None


def test_a_machine_without_a_deadline_is_not_queued() -> None:
    queue = TimerQueue()
    queue.push(Machine(None))
    assert len(queue) == 0


def test_pushing_an_unchanged_deadline_is_free() -> None:
    queue, machine = TimerQueue(), Machine(1.0)
    for _ in range(5):
        queue.push(machine)
    assert len(queue) == 1


@pytest.mark.parametrize("later", [5.0, None])
def test_an_entry_counts_only_while_its_machine_wants_that_moment(later: float | None) -> None:
    queue, machine = TimerQueue(), Machine(1.0)
    queue.push(machine)
    machine.deadline = later
    queue.push(machine)
    assert queue.deadline() == later
    assert queue.due(2.0) is None


def test_an_earlier_deadline_overtakes_the_entry_before() -> None:
    queue, machine = TimerQueue(), Machine(5.0)
    queue.push(machine)
    machine.deadline = 2.0
    queue.push(machine)
    assert queue.due(2.0) is machine
    machine.deadline = None
    assert queue.deadline() is None


@pytest.mark.parametrize("look", ["deadline", "due"])
def test_the_same_moment_may_be_wanted_again_after_its_entry_was_dropped(look: str) -> None:
    queue, machine = TimerQueue(), Machine(1.0)
    queue.push(machine)
    machine.deadline = None
    assert (queue.deadline() if look == "deadline" else queue.due(1.0)) is None
    machine.deadline = 1.0
    queue.push(machine)
    assert queue.due(1.0) is machine


def test_entries_that_no_longer_count_do_not_pile_up_and_nothing_else_is_asked() -> None:
    queue, ended, waiting = TimerQueue(), [Machine(5.0) for _ in range(2000)], [Machine(7.0) for _ in range(1000)]
    for machine in (*ended, *waiting):
        queue.push(machine)
    for machine in ended:
        machine.deadline = None
        queue.push(machine)
    for again in range(1, 4000):
        waiting[0].deadline = 7.0 + again
        queue.push(waiting[0])
    assert len(queue) < 6000
    assert queue.deadline() == 7.0
    assert len(list(iter(lambda: queue.due(1e6), None))) == len(waiting)


@pytest.mark.parametrize("now", [0.0, 0.01, 0.24, 0.25, 12345.678])
def test_what_only_waits_for_repetitions_waits_long_enough_and_ends_with_others(now: float) -> None:
    at = forget_at(now, 32.0)
    assert now + 32.0 <= at < now + 32.25
    assert (at / 0.25).is_integer()
