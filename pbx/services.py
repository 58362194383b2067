"""What legs, bridges and calls need of their surroundings: the engine, the clocks, the bus, identifiers."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from media.api import (
    DigitReceived,
    EndpointId,
    EngineFailed,
    MediaEngine,
    MediaEvent,
    MediaSilent,
    PlayEnded,
    RecordingEnded,
    RecordingStarted,
    RoomPlayEnded,
    SourceLearned,
    StreamReport,
    TalkStarted,
    TalkStopped,
)
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.codecs import Codecs
from pbx.events import BridgeId, BusEvent, LegTalking
from pbx.explained import Explanations
from pbx.fax import Faxes, NoMachine
from pbx.hearing import Deaf, Hearing
from pbx.limits import ActiveCalls
from pbx.masks import Masks
from pbx.media_session import OUTSIDE_SILENCE, SilenceLimits
from pbx.office_sound import OfficeSound
from pbx.prompts import Prompts
from pbx.script.hosts import Processes, ScriptHost
from pbx.stir.signatures import Signatures
from storage.records import Office

if TYPE_CHECKING:
    from pbx.bridge import Bridge
    from pbx.leg import Leg
    from pbx.recording import Recording

log = structlog.get_logger("media")


class Services:
    """One per server. Identifiers of legs, bridges and plays are unique while the process lives."""

    def __init__(
        self,
        engine: MediaEngine,
        clock: Clock,
        bus: Bus,
        recordings_folder: Path = Path("recordings"),
        silence: SilenceLimits = SilenceLimits(),  # noqa: B008 - frozen
        prompts: Prompts | None = None,
        codecs: Codecs | None = None,
        hearing: Hearing | None = None,
        outside_silence: SilenceLimits = OUTSIDE_SILENCE,
        signatures: Signatures | None = None,
    ) -> None:
        self.engine, self.clock, self.bus = engine, clock, bus
        self.silence, self.outside_silence = silence, outside_silence
        self.legs: dict[EndpointId, Leg] = {}
        self.bridges: dict[BridgeId, Bridge] = {}
        self.active, self.channels = ActiveCalls(), ActiveCalls()  # by number, by account at a provider
        self.sound = OfficeSound.of(Office())  # of the office in force
        self.prompts = prompts or Prompts()
        self.codecs = codecs or Codecs()
        self.hearing = hearing or Deaf()
        self.signatures = signatures or Signatures()
        self.scripts: ScriptHost = Processes()
        self.faxes: Faxes = NoMachine()
        self.explanations = Explanations()
        self.masks = Masks()
        self.recordings: dict[int, Recording] = {}
        self.recordings_folder = recordings_folder
        self.new_id: Callable[[], int] = count(1).__next__
        self.submit: Callable[..., None] = engine.submit
        self.publish: Callable[[BusEvent], None] = bus.publish
        engine.listen(self._media_event)

    def recording_path(self, call_id: str, name: str) -> Path:
        """A file of a recording of that call, by day and hour (REC-8): no folder grows without end."""
        at = datetime.fromtimestamp(self.clock.wall(), UTC)
        return self.recordings_folder / f"{at:%Y/%m/%d/%H}" / f"{call_id}-{name}-{self.new_id()}.wav"

    def recording_id(self, path: Path) -> str:
        """By what the index knows the file of a recording, whatever it is converted to."""
        return path.relative_to(self.recordings_folder).with_suffix("").as_posix()

    def _media_event(self, event: MediaEvent) -> None:
        if isinstance(event, EngineFailed):
            log.error("a media worker died, its calls end", worker=event.worker, legs=len(event.endpoints))
            self._recordings_lost(event)
            for endpoint in event.endpoints:
                if (leg := self.legs.get(endpoint)) is not None:
                    leg.media_lost(endpoint)
            return
        if isinstance(event, RecordingStarted | RecordingEnded):
            self._recording_event(event)
            return
        if isinstance(event, RoomPlayEnded):
            return  # of no leg; bridges play to their members one by one
        leg = self.legs.get(event.endpoint)
        if leg is None:
            return
        match event:
            case PlayEnded():
                leg.play_ended(event.play, event.reason)
            case StreamReport():
                leg.reported(event)
            case DigitReceived():
                leg.digit_received(event.digit)
            case MediaSilent():
                leg.media_silent(event.silent_s)
            case TalkStarted() | TalkStopped():
                talks = isinstance(event, TalkStarted)
                self.publish(LegTalking(self.clock.wall(), leg.call.id, leg.id, talks))
            case SourceLearned() if event.endpoint == leg.media.endpoint:
                leg.audio_from = str(event.source)

    def _recording_event(self, event: RecordingStarted | RecordingEnded) -> None:
        recording = self.recordings.get(event.recording)
        if recording is None:
            return
        if isinstance(event, RecordingStarted):
            recording.has_started()
        else:
            recording.has_ended(event)

    def _recordings_lost(self, failed: EngineFailed) -> None:
        for recording in list(self.recordings.values()):
            if recording.endpoints <= set(failed.endpoints):
                recording.lost()
