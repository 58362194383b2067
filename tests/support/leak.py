"""Guards around every test: what it opened is closed again, and it does not sleep in real time."""

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn
from unittest import mock

OURS = frozenset({"tests", "bench", "zvon", "web", "features", "pbx", "storage", "media", "sipcore", "conf"})
TOLERATED_FDS = ("/dev/null", "/dev/urandom", "/dev/random")
TOLERATED_THREADS = ("MainThread", "execnet", "pytest_timeout")
THREAD_GRACE_S = 1.0


class Leak(AssertionError):
    """A descriptor or a thread outlived the test."""


class RealTimeUsed(AssertionError):
    """A test slept in real time without the marks `real_loop` or `e2e`."""


def open_fds() -> dict[int, str]:
    """Open descriptors of this process with what they point to."""
    found: dict[int, str] = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the descriptor of this very listing is gone by now
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return {fd: target for fd, target in found.items() if not target.startswith(TOLERATED_FDS)}


def running_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(TOLERATED_THREADS)}


@contextmanager
def no_leaks() -> Iterator[None]:
    """Raise `Leak` when the body leaves a descriptor or a thread behind. An exception of the body goes first."""
    fds_before, threads_before = open_fds(), running_threads()
    yield
    threads = _threads_left(threads_before)
    fds = _fds_left(fds_before)
    if threads or fds:
        raise Leak("left behind: " + "; ".join(sorted(threads + fds)))


def _threads_left(before: set[threading.Thread]) -> list[str]:
    deadline = time.monotonic() + THREAD_GRACE_S
    for thread in running_threads() - before:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [f"thread {thread.name}" for thread in running_threads() - before]


def _fds_left(before: dict[int, str]) -> list[str]:
    if not _new(before):
        return []
    gc.collect()
    return [f"descriptor {fd} -> {target}" for fd, target in _new(before).items()]


def _new(before: dict[int, str]) -> dict[int, str]:
    return {fd: target for fd, target in open_fds().items() if before.get(fd) != target}


@contextmanager
def no_real_sleep() -> Iterator[None]:
    """`time.sleep` raises when our code or a test calls it; the standard library may still pause."""
    real_sleep = time.sleep

    def strict_sleep(seconds: float) -> None:
        caller = str(sys._getframe(1).f_globals.get("__name__", ""))
        if caller.partition(".")[0] in OURS:
            _refuse(seconds, caller)
        real_sleep(seconds)

    with mock.patch.object(time, "sleep", strict_sleep):
        yield


def _refuse(seconds: float, caller: str) -> NoReturn:
    raise RealTimeUsed(f"{caller} sleeps {seconds:g} s of real time; use virtual time or mark the test `real_loop`")
