"""What callers hear of an office that is nobody's voice: tones of its country, music while they are held."""

import asyncio
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from frozen import dataclass
from media.api import FileSource, PlaySource, SharedSource, ToneSource
from pbx.cause import Cause
from pbx.tones import CountryTones, tones_of
from storage.records import Office

if TYPE_CHECKING:
    from pbx.leg import Leg

log = structlog.get_logger("sound")

# Without music: two short soft tones every five seconds say that the line is alive.
HOLD_TONE = ToneSource((((425.0,), 120), ((), 160), ((425.0,), 120), ((), 4600)), loop=True, level_db=-24.0)
INSTALLED_MUSIC = Path("/usr/share/asterisk/moh")  # Debian's asterisk-moh-opsound-wav
FAILURE_S = 5.0  # long enough to be understood, short enough not to be waited for
BUSY_STATUS = (486, 600, 603)
MUSIC_GAIN_DB = -6.0  # mastered for loudspeakers, heard at an ear


@dataclass(frozen=True, slots=True)
class OfficeSound:
    """Replaced as a whole when the office changes. `hold` is the same source for everybody, so all hear one position
    of one decoded stream (FEAT-25, SND-6)."""

    tones: CountryTones
    hold: PlaySource
    files: Mapping[str, str] = field(default_factory=dict)  # by the id of the sound

    @classmethod
    def of(cls, office: Office) -> "OfficeSound":
        own = tuple(each.file for each in office.sounds if each.music)
        music = SharedSource(own) if own else _installed()
        files = {each.id: each.file for each in office.sounds}
        return cls(tones_of(office.country, office.language), music or HOLD_TONE, files)

    def file(self, id: str) -> FileSource | None:
        """A sound of the office by its id."""
        path = self.files.get(id)
        return FileSource(path) if path is not None else None

    def music(self, id: str) -> PlaySource:
        """A sound of the office as music that plays on for ever; that of who is held where there is none."""
        path = self.files.get(id)
        return SharedSource((path,)) if path is not None else self.hold

    async def play_failure(self, leg: "Leg", cause: Cause) -> None:
        """Who is answered already cannot be refused: the tone of the country says it for a while."""
        if leg.is_answered:
            leg.start_play(self.tones.busy if cause.status in BUSY_STATUS else self.tones.congestion)
            try:
                await asyncio.sleep(FAILURE_S)
            finally:
                leg.stop_plays()

    def play_hold(self, leg: "Leg") -> None:
        """Music to a held party until `stop_plays`, that of its call if it has some; the tone when the music cannot be
        played, and the log says why."""
        music = self.music(leg.call.music)
        playing = leg.start_play(music)
        if music is not HOLD_TONE:
            playing.add_done_callback(lambda done: _ended(leg, done))


def _ended(leg: "Leg", done: "asyncio.Future[str]") -> None:
    if done.cancelled() or done.result() in ("finished", "stopped"):
        return
    log.warning("hold music cannot be played, a tone is heard instead", why=done.result())
    if not leg.is_ended:
        leg.start_play(HOLD_TONE)


def installed_music() -> tuple[str, ...]:
    """The files of the music that came with the prompts."""
    return tuple(str(path) for path in sorted(INSTALLED_MUSIC.glob("*.wav")))


def _installed() -> SharedSource | None:
    files = installed_music()
    return SharedSource(files, MUSIC_GAIN_DB) if files else None
