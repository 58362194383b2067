"""The engine thread runs before ordinary work where the system allows that."""

import os
import threading
import time

import pytest

from media.engine.priority import LOWEST, RECORDER_NICE, ask_for_precedence, ask_for_real_time
from media.engine.shard import ShardThread


def _allowed() -> bool:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(ask_for_real_time()))
    thread.start()
    thread.join()
    return found[0]


def _engine_thread() -> int:
    names = {entry.native_id: entry.name for entry in threading.enumerate()}
    return next(number for number, name in names.items() if name == "media-engine" and number is not None)


@pytest.mark.skipif(not _allowed(), reason="real-time threads are not allowed here")
def test_the_engine_thread_is_real_time_and_its_owner_is_not() -> None:
    engine = ShardThread(30.0, 46)
    try:
        thread = _engine_thread()
        until = time.monotonic() + 5
        while os.sched_getscheduler(thread) != os.SCHED_RR | os.SCHED_RESET_ON_FORK and time.monotonic() < until:
            time.sleep(0.001)
        assert os.sched_getscheduler(thread) == os.SCHED_RR | os.SCHED_RESET_ON_FORK
        assert os.sched_getparam(thread).sched_priority == LOWEST
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
    finally:
        engine.close()


def test_a_system_that_does_not_allow_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert ask_for_real_time() is False


def test_one_processor_is_left_to_signalling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert ask_for_real_time() is False


def test_who_goes_before_ordinary_work_says_whether_that_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "setpriority", lambda *arguments: asked.append(arguments))
    assert ask_for_precedence() is True
    assert asked == [(os.PRIO_PROCESS, 0, RECORDER_NICE)]

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    assert ask_for_precedence() is False
