"""What parties say, kept in a file: a handle on one recording of the engine.

A recording belongs to nobody's leg: legs may end, the file is completed when all of them have, or when it is stopped.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from media.api import PauseRecording, RecordingId, StartRecording, StopRecording
from media.api import RecordingEnded as Outcome
from pbx.events import RecordingEnded, RecordingStarted

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services

log = structlog.get_logger("recording")

FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`stereo`: two parties apart. `format`: wav, mp3 or opus. `max_s`: 0 is as long as it takes."""

    path: Path
    stereo: bool = False
    format: str = "wav"
    max_s: float = 0.0


class Recording:
    """Runs from the moment it is made. `ended` has the outcome: the file, how long it is, why it ended."""

    def __init__(self, services: "Services", legs: "Sequence[Leg]", wanted: Wanted) -> None:
        self.id: RecordingId = services.new_id()
        self.call_id = legs[0].call.id
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._services, self._path = services, str(wanted.path)
        self._endpoint, *others = (leg.media.endpoint for leg in legs)
        self.endpoints = frozenset((self._endpoint, *others))
        services.recordings[self.id] = self
        services.submit(
            StartRecording(
                *(self._endpoint, self.id, self._path, tuple(others)), wanted.stereo, wanted.format, wanted.max_s
            )
        )

    def pause(self) -> None:
        """What is said until `resume` is left out."""
        self._services.submit(PauseRecording(self._endpoint, self.id))

    def resume(self) -> None:
        self._services.submit(PauseRecording(self._endpoint, self.id, paused=False))

    def stop(self) -> None:
        """Complete the file; `ended` tells when that is done."""
        if not self.ended.done():
            self._services.submit(StopRecording(self._endpoint, self.id))

    def discard(self) -> None:
        """Nobody needs the file of a recording that has ended."""
        if self.ended.done() and not self.ended.cancelled():
            Path(self.ended.result().path).unlink(missing_ok=True)

    # --- told by the services ---------------------------------------------------------------------------------------

    def has_started(self) -> None:
        self._services.publish(RecordingStarted(self._services.clock.wall(), self.call_id, self.id, self._path))

    def has_ended(self, outcome: Outcome) -> None:
        """The conversation goes on, whatever the reason."""
        del self._services.recordings[self.id]
        at, seconds = self._services.clock.wall(), outcome.duration_ms / 1000
        if outcome.reason != FINISHED:
            log.error("a recording ended before its time", call=self.call_id, why=outcome.reason)
        self._services.publish(RecordingEnded(at, self.call_id, self.id, outcome.path, seconds, outcome.reason))
        if not self.ended.done():
            self.ended.set_result(outcome)

    def lost(self) -> None:
        """The media worker is gone with it; what it had written is completed at the next start."""
        self.has_ended(Outcome(self._endpoint, self.id, self._path, 0, "The media worker died."))
