"""Virtual time: an event loop whose clock jumps to the next deadline instead of sleeping.

Everything else is a plain asyncio loop, so timeouts, sleeps, tasks and local sockets behave as in production; a month
of timers passes in milliseconds. When nothing is scheduled and nothing can arrive, the coroutine would wait for ever:
`Deadlock` says at once which tasks wait and where. What a test leaves behind (tasks, timers, exceptions nobody looked
at) fails it.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import CoroutineType, FrameType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

START_S = 1000.0  # not zero: code that takes `now` for a truth value must fail
DAY_S = 86_400.0
MAX_TURNS_AT_ONE_TIME = 300_000


class Deadlock(Exception):
    """Nothing is scheduled, nothing can arrive, and the coroutine is not finished."""


class VirtualTimeLimit(Exception):
    """The virtual clock passed the limit of the run, or did not move for too many turns."""


class LeftBehind(Exception):
    """A finished run left tasks, timers or unseen exceptions behind."""


class _JumpingSelector(selectors.DefaultSelector):
    """Polls real descriptors without waiting; where it would sleep, the loop's clock jumps."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            self.loop.count_turn()
            return ready
        if timeout is None:
            raise Deadlock("nothing is scheduled and nothing can arrive; waiting: " + waiting_tasks(self.loop))
        self.loop.jump()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: `time()` starts at `START_S` and moves only when everybody waits."""

    _scheduled: list[asyncio.TimerHandle]  # of asyncio.BaseEventLoop

    def __init__(self, *, limit_s: float = DAY_S) -> None:
        self._now = START_S
        self._limit = START_S + limit_s
        self._turns = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        """Move the clock to the next deadline exactly."""
        when = self._scheduled[0].when()
        if when > self._limit:
            limit_s = self._limit - START_S
            raise VirtualTimeLimit(f"{limit_s:g} virtual seconds passed; waiting: {waiting_tasks(self)}")
        self._now = max(self._now, when)
        self._turns = 0

    def count_turn(self) -> None:
        self._turns += 1
        if self._turns > MAX_TURNS_AT_ONE_TIME:
            raise VirtualTimeLimit(f"the clock stands still; busy: {waiting_tasks(self)}")

    def timers(self) -> list[asyncio.TimerHandle]:
        """Timers that would still fire."""
        return [handle for handle in self._scheduled if not handle.cancelled()]

    def run_in_executor(self, *_: object) -> NoReturn:
        raise RuntimeError("threads do not follow virtual time; mark the test `real_loop`")


def run_virtual(main: Coroutine[Any, Any, T], *, limit_s: float = DAY_S) -> T:
    """Run `main` to its end in virtual time; raises `Deadlock`, `VirtualTimeLimit` or `LeftBehind`."""
    return run_checked(main, lambda: VirtualLoop(limit_s=limit_s))


def run_checked(main: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> T:
    """Run `main` on a new loop; raises `LeftBehind` when it ends well but leaves something behind."""
    unseen: list[str] = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(lambda _, context: unseen.append(_describe(context)))
        result = runner.run(main)
        runner.run(_settle())
        left = [*map(where_task_waits, asyncio.all_tasks(loop)), *_timers_left(loop)]
    if left or unseen:
        raise LeftBehind("; ".join([*left, *unseen]))
    return result


async def _settle(turns: int = 3) -> None:
    """Let cancelled tasks and closed transports take their last steps."""
    for _ in range(turns):
        await asyncio.sleep(0)


def _timers_left(loop: asyncio.AbstractEventLoop) -> Iterable[str]:
    return [f"timer {handle!r}" for handle in loop.timers()] if isinstance(loop, VirtualLoop) else []


def _describe(context: Mapping[str, Any]) -> str:
    error = context.get("exception")
    return f"{context['message']}: {error!r}" if error else str(context["message"])


def waiting_tasks(loop: asyncio.AbstractEventLoop) -> str:
    return "; ".join(sorted(map(where_task_waits, asyncio.all_tasks(loop)))) or "no task at all"


def where_task_waits(task: asyncio.Task[Any]) -> str:
    """The innermost line at which a suspended task waits."""
    frame = _innermost_frame(task.get_coro())
    place = f" at {frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}" if frame else ""
    return f"task {task.get_name()}{place}"


def _innermost_frame(awaited: object) -> FrameType | None:
    frame = None
    while isinstance(awaited, CoroutineType):
        frame = awaited.cr_frame or frame
        awaited = awaited.cr_await
    return frame
