"""What parties say, kept in a file: a handle on one recording of the engine.

A recording belongs to nobody's leg: legs may end, the file is completed when all of them have, or when it is stopped.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from frozen import dataclass
from media.api import WHOLE_ROOM, PauseRecording, RecordingId, RecordRoom, RoomId, StartRecording, StopRecording
from media.api import RecordingEnded as Outcome
from pbx.events import CallId, RecordingEnded, RecordingStarted
from storage.records import StoredRecording

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services

log = structlog.get_logger("recording")

FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`stereo`: two parties apart. `format`: wav, mp3 or opus. `max_s` 0: as long as it takes. `max_silence_s`: it ends
    after so much silence, and its silent end is cut off in any case; 0 is never. `keep` is "call" for a part of the
    call's history, "message" for one that was left for `to_number`; without it the file is the affair of who asks."""

    path: Path
    stereo: bool = False
    format: str = "wav"
    max_s: float = 0.0
    max_silence_s: float = 0.0
    keep: str = ""
    to_number: str = ""


class Recording:
    """Runs from the moment it is made. `ended` has the outcome: the file, how long it is, why it ended."""

    def __init__(self, services: "Services", legs: "Sequence[Leg]", wanted: Wanted, room: RoomId | None = None) -> None:
        """`room`: whoever is in it now and later; `legs` are those who are there."""
        self.id: RecordingId = services.new_id()
        self._call, self._entry = legs[0].call, _entry(services, legs, wanted)
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._services, self._path = services, str(wanted.path)
        self._endpoint, *others = endpoints = [leg.media.endpoint for leg in legs]
        self.endpoints = frozenset(endpoints)
        services.recordings[self.id] = self
        if room is not None:
            self._endpoint = WHOLE_ROOM
            services.submit(RecordRoom(room, self.id, self._path, wanted.format, wanted.max_s))
            return
        services.submit(
            StartRecording(
                *(self._endpoint, self.id, self._path, tuple(others)),
                stereo=wanted.stereo,
                format=wanted.format,
                max_s=wanted.max_s,
                max_silence_s=wanted.max_silence_s,
            )
        )

    @property
    def call_id(self) -> CallId:
        return self._call.id

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
        at = self._services.clock.wall()
        self._services.publish(RecordingStarted(at, self.call_id, self.id, self._path, self._entry))

    def has_ended(self, outcome: Outcome) -> None:
        """The conversation goes on, whatever the reason."""
        del self._services.recordings[self.id]
        at, seconds = self._services.clock.wall(), outcome.duration_ms / 1000
        if outcome.reason != FINISHED:
            log.error("a recording ended before its time", call=self.call_id, why=outcome.reason)
        entry = self._completed(outcome, seconds)
        self._services.publish(RecordingEnded(at, self.call_id, self.id, outcome.path, seconds, outcome.reason, entry))
        if not self.ended.done():
            self.ended.set_result(outcome)

    def lost(self) -> None:
        """The media worker is gone with it; what it had written is completed at the next start."""
        self._entry = None
        self.has_ended(Outcome(self._endpoint, self.id, self._path, 0, "The media worker died."))

    def _completed(self, outcome: Outcome, seconds: float) -> StoredRecording | None:
        if self._entry is None:
            return None
        state = "done" if seconds or outcome.reason == FINISHED else "failed"
        suffix = Path(outcome.path).suffix
        return replace(self._entry, linkedid=self._call.linkedid, state=state, seconds=seconds, suffix=suffix)


def _entry(services: "Services", legs: "Sequence[Leg]", wanted: Wanted) -> StoredRecording | None:
    """What the index has of it."""
    if not wanted.keep:
        return None
    call = legs[0].call
    caller = call.caller if call.has_caller else legs[0]
    others = [leg.party.shown_number for leg in legs if leg is not caller]
    return StoredRecording(
        id=services.recording_id(wanted.path),
        call=call.id,
        linkedid=call.linkedid,
        started_at=services.clock.wall(),
        from_number=caller.party.shown_number,
        from_name=caller.party.name,
        to_number=wanted.to_number or (others[0] if others else call.to.number),
        kind=wanted.keep,
        channels=2 if wanted.stereo else 1,
        caller_channel=legs.index(caller) + 1 if wanted.stereo and caller in legs else 0,
        format=wanted.format,
        suffix=wanted.path.suffix,
    )
