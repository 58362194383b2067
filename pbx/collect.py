"""Digits that a caller dials for an app, perhaps while a prompt plays.

`Collector` is the rule, without a clock of its own; `collect` applies it to a leg. The first digit ends the prompt.
What was dialled before anybody asked counts: who knows a menu need not wait for it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from frozen import dataclass

if TYPE_CHECKING:
    from media.api import PlaySource
    from pbx.leg import Leg


class Why(StrEnum):
    """Why the input ended."""

    COMPLETE = "complete"  # nothing longer would have made sense, or the caller said that this is all
    PAUSE = "pause"  # nothing came for a while after the last digit
    NOTHING = "nothing"  # not one digit came in time


@dataclass(frozen=True, slots=True)
class Collect:
    """What to wait for. `first_s` is counted from the end of the prompt, `next_s` from each digit. `end` are keys that
    end the input and do not belong to it. `is_complete` says of the digits so far that no further one can come."""

    most: int = 1
    first_s: float = 7.0
    next_s: float = 2.0
    end: str = ""
    is_complete: Callable[[str], bool] = lambda _: False


PLAYED = ("finished", "stopped")  # reasons of a prompt that was heard, at least its beginning


@dataclass(frozen=True, slots=True)
class Collected:
    """`prompt` is the reason for which the prompt ended, "" without one: another than `PLAYED` says what was wrong."""

    digits: str
    why: Why
    prompt: str = field(default="", compare=False)


class Collector:
    """Fed with digits and time; `outcome` once it is known. `deadline` is None while the prompt plays."""

    def __init__(self, wanted: Collect) -> None:
        self._wanted = wanted
        self._digits = ""
        self.deadline: float | None = None
        self.outcome: Collected | None = None

    def prompt_ended(self, now: float) -> None:
        """The caller has heard what to do."""
        if not self._digits and self.deadline is None:
            self.deadline = now + self._wanted.first_s

    def digit(self, digit: str, now: float) -> None:
        if self.outcome is not None:
            return
        if digit in self._wanted.end:
            self._end(Why.COMPLETE)
            return
        self._digits += digit
        self.deadline = now + self._wanted.next_s
        if len(self._digits) >= self._wanted.most or self._wanted.is_complete(self._digits):
            self._end(Why.COMPLETE)

    def on_timer(self, now: float) -> None:
        if self.outcome is None and self.deadline is not None and now >= self.deadline:
            self._end(Why.PAUSE if self._digits else Why.NOTHING)

    def give_up(self) -> None:
        """The prompt cannot be heard: whoever has dialled nothing does not know what to do."""
        if self.outcome is None and not self._digits:
            self._end(Why.NOTHING)

    def _end(self, why: Why) -> None:
        self.outcome, self.deadline = Collected(self._digits, why), None


async def collect(
    leg: "Leg", wanted: Collect, prompt: "PlaySource | None" = None, *, tone: "PlaySource | None" = None
) -> Collected:
    """Play `prompt` to the party and wait for its digits; a `tone` does not delay the time to dial. Ends at once when
    the prompt cannot be played."""
    loop = asyncio.get_running_loop()
    collector, changed = Collector(wanted), asyncio.Event()
    playing: asyncio.Future[str] | None = None

    def heard(digit: str) -> None:
        if playing is not None and not playing.done():
            leg.stop_plays()
        collector.digit(digit, loop.time())
        if collector.outcome is not None:
            leg.digits.listen(None)  # what comes now is for the next who asks
        changed.set()

    def prompt_ended(done: "asyncio.Future[str] | None" = None) -> None:
        if done is not None and done.result() not in PLAYED:
            collector.give_up()
        collector.prompt_ended(loop.time())
        changed.set()

    try:
        leg.digits.listen(heard)
        sound = prompt or tone
        if sound is not None and not changed.is_set():
            playing = leg.start_play(sound)
        if playing is not None and prompt is not None:
            playing.add_done_callback(prompt_ended)
        else:
            prompt_ended()
        while collector.outcome is None:
            changed.clear()
            await _until(changed, collector.deadline)
            collector.on_timer(loop.time())
        ended = playing.result() if playing is not None and playing.done() else ""
        return replace(collector.outcome, prompt=ended)
    finally:
        leg.digits.listen(None)
        if playing is not None and not playing.done():
            leg.stop_plays()


async def _until(changed: asyncio.Event, deadline: float | None) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await changed.wait()
    except TimeoutError:
        pass
