"""The virtual loop and the guards of the test suite."""

import asyncio
import itertools
import os
import socket
import threading
import time

import pytest

from tests.support.leak import Leak, RealTimeUsed, no_leaks, no_real_sleep
from tests.support.vloop import START_S, Deadlock, LeftBehind, VirtualLoop, VirtualTimeLimit, run_virtual


async def test_a_coroutine_test_runs_on_a_virtual_loop_that_starts_at_a_known_time() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    assert loop.time() == START_S


@pytest.mark.virtual_limit(40 * 86_400)
async def test_thirty_days_pass_in_milliseconds_and_the_clock_lands_exactly_on_the_deadline() -> None:
    cpu = time.process_time()
    for _ in range(30):
        await asyncio.sleep(86_400)
    assert asyncio.get_running_loop().time() == START_S + 30 * 86_400
    assert time.process_time() - cpu < 0.2


async def test_timers_fire_in_the_order_of_their_deadlines() -> None:
    seen: list[float] = []
    loop = asyncio.get_running_loop()
    for delay in (32.0, 0.5, 2.0, 1.0):
        loop.call_later(delay, lambda: seen.append(loop.time() - START_S))
    await asyncio.sleep(40)
    assert seen == [0.5, 1.0, 2.0, 32.0]


async def test_a_timeout_ends_a_wait_in_virtual_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(180):
            await asyncio.Event().wait()


async def test_local_sockets_work_under_virtual_time() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    theirs.send(b"ring\n")
    assert await reader.readline() == b"ring\n"
    theirs.close()
    writer.close()
    await writer.wait_closed()


async def wait_for_nothing() -> None:
    await asyncio.Event().wait()


def test_a_wait_that_nobody_can_end_is_reported_at_once_with_its_place() -> None:
    with pytest.raises(Deadlock, match=r"locks\.py:\d+, in wait"):
        run_virtual(wait_for_nothing())


def test_endless_timers_meet_the_limit() -> None:
    async def tick() -> None:
        for _ in itertools.count():
            await asyncio.sleep(1)

    with pytest.raises(VirtualTimeLimit, match="60 virtual seconds passed"):
        run_virtual(tick(), limit_s=60)


def test_a_clock_that_stands_still_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spin() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    monkeypatch.setattr("tests.support.vloop.MAX_TURNS_AT_ONE_TIME", 100)
    with pytest.raises(VirtualTimeLimit, match="the clock stands still"):
        run_virtual(spin())


def test_a_task_left_behind_is_named() -> None:
    async def forget() -> None:
        task = asyncio.create_task(wait_for_nothing(), name="forgotten")
        del task
        await asyncio.sleep(1)

    with pytest.raises(LeftBehind, match="task forgotten"):
        run_virtual(forget())


def test_a_timer_left_behind_is_named() -> None:
    async def forget() -> None:
        asyncio.get_running_loop().call_later(5, print)

    with pytest.raises(LeftBehind, match=r"timer .*print"):
        run_virtual(forget())


def test_an_exception_in_a_callback_fails_the_run() -> None:
    async def break_a_callback() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(LeftBehind, match="ZeroDivisionError"):
        run_virtual(break_a_callback())


def test_threads_are_refused_under_virtual_time() -> None:
    with pytest.raises(RuntimeError, match="threads do not follow virtual time"):
        run_virtual(asyncio.to_thread(print))


def test_the_result_and_the_exception_of_the_coroutine_come_back() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("nobody")

    assert run_virtual(answer()) == 42
    with pytest.raises(LookupError, match="nobody"):
        run_virtual(fail())


@pytest.mark.real_loop
async def test_a_real_loop_sleeps_for_real() -> None:
    before = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - before >= 0.01
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)


@pytest.mark.real_loop("uvloop")
async def test_a_real_loop_may_be_uvloop() -> None:
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")


def test_a_descriptor_left_open_is_named() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    guard = no_leaks()
    guard.__enter__()
    leaked = os.dup(reader)
    with pytest.raises(Leak, match=f"descriptor {leaked} -> pipe:"):
        guard.__exit__(None, None, None)
    os.close(leaked)
    os.close(reader)


def test_a_thread_left_running_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.leak.THREAD_GRACE_S", 0.01)
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="forgotten")
    guard = no_leaks()
    guard.__enter__()
    thread.start()
    with pytest.raises(Leak, match="thread forgotten"):
        guard.__exit__(None, None, None)
    release.set()
    thread.join()


def test_real_sleep_is_refused_in_our_code_unless_marked() -> None:
    with pytest.raises(RealTimeUsed, match="sleeps 5 s of real time"):
        time.sleep(5)


@pytest.mark.real_loop
def test_real_sleep_is_allowed_where_marked_and_the_guard_is_taken_off_again() -> None:
    real_sleep = time.sleep
    with no_real_sleep():
        assert time.sleep is not real_sleep
    time.sleep(0)
    assert time.sleep is real_sleep
