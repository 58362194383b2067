"""What is kept of calls beyond their rows: the recordings, and how long everything stays."""

from collections.abc import Callable
from pathlib import Path

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.messages import ControlError, RecordingFileView
from pbx.conversion import ConversionFailed, Converter
from pbx.mailboxes import Mailboxes
from pbx.recordings import Recordings, file_name
from pbx.retention import Retention
from storage.ports import Storage
from storage.records import RecordingPolicy

EXPORTS = "exports"  # files that somebody has asked for, below the data folder


class Archive:
    """One per server."""

    def __init__(
        self,
        policy: Callable[[], RecordingPolicy],
        storage: Storage,
        bus: Bus,
        clock: Clock,
        mailboxes: Mailboxes,
        folder: Path,
        exports: Path,
    ) -> None:
        self.converter = Converter()
        self.recordings = Recordings(storage.recordings, folder, exports, bus, self.converter)
        self.retention = Retention(
            self.recordings, storage.cdrs, folder, exports, clock, policy, mailboxes.needed, bus, storage.audit
        )

    async def start(self) -> None:
        """Complete what a crash left, then keep the house clean."""
        await self.recordings.restore()
        self.retention.start()

    async def close(self) -> None:
        await self.retention.close()
        await self.recordings.close()

    async def as_mp3(self, id: str, timezone: str) -> RecordingFileView:
        """A recording as MP3, and its name for people; raises `ControlError`."""
        recording = await self.recordings.get(id)
        if recording is None:
            raise ControlError(f"there is no recording {id}; `zvon recordings list` shows them")
        try:
            file = await self.recordings.as_mp3(recording)
        except (ConversionFailed, OSError) as error:
            raise ControlError(str(error)) from None
        name = file_name(recording.started_at, recording.from_number, recording.to_number, timezone)
        return RecordingFileView(str(file.absolute()), f"{name}.mp3")
