"""The sound library: files taken into one folder, entries of the office that name them (SND-*).

What is taken becomes a WAV file of a rate that telephones have, under a name that is never used again: a version of the
office that comes back finds its sounds. Files that no version names any more go once a day.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from conf.model import validated
from conf.office_numbers import SoundSection
from conf.sound_uses import uses_of_sounds
from frozen import dataclass
from media.api import measuring, saying, taking
from pbx import office_sound
from pbx.clock import Clock
from pbx.control.messages import ControlError
from pbx.control.sounds import AddSound, ChangeSound, GetSounds, RemoveSound, RestoreSounds, SoundRequest, SoundView
from pbx.conversion import ConversionFailed, Converter
from pbx.office_desk import OfficeDesk
from pbx.speech.catalogue import LANGUAGES
from storage.ports import StorageUnavailable, VersionStore
from storage.records import Office, Sound

FOLDER = "sounds"  # below the data folder
MADE = re.compile(r".+-[0-9]{8}-[0-9]{12}\.wav")  # names that we have given
TIDY_S = 86_400.0
MAX_TEXT = 2000

log = structlog.get_logger("sound")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as it is now."""

    path: str
    changed_ns: int = 0
    size: int = 0


class Library:
    """Of a whole server."""

    def __init__(
        self, office: Callable[[], Office], desk: OfficeDesk, versions: VersionStore, data: Path, clock: Clock
    ) -> None:
        self._office, self._desk, self._versions, self._clock = office, desk, versions, clock
        self.folder = data.absolute() / FOLDER
        self._converter = Converter()
        self._measured: dict[Stamp, tuple[float, str]] = {}  # seconds, and why it cannot be played
        self._fresh: set[str] = set()  # names of files that no office names yet
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._keep_tidy())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def answer(self, request: SoundRequest) -> object:
        """Raises `ControlError` with a sentence."""
        match request:
            case GetSounds(id):
                return await self._views([each for each in self._office().sounds if id in ("", each.id)])
            case AddSound():
                return await self._add(request)
            case ChangeSound():
                return await self._change(request)
            case RemoveSound(id, by):
                return await self._remove(id, by)
            case RestoreSounds(by):
                return await self._restore(by)

    # --- changes ----------------------------------------------------------------------------------------------

    async def _add(self, wanted: AddSound) -> SoundView:
        self._checked(wanted.id, wanted.name, wanted.note)
        if not wanted.replaces and _is_there(self._office(), wanted.id):
            raise ControlError(f'there is a sound "{wanted.id}" already; --replace gives it another content')
        stamp = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y%m%d-%H%M%S%f")
        file = self.folder / f"{wanted.id}-{stamp}.wav"

        def with_it(office: Office) -> Office:
            if not _is_there(office, wanted.id):
                made = Sound(wanted.id, str(file), wanted.music, wanted.name, wanted.note)
                return replace(office, sounds=(*office.sounds, made))
            if not wanted.replaces:
                raise ControlError(f'there is a sound "{wanted.id}" already')
            before = _known_in(office, wanted.id)
            name, note = wanted.name or before.name, wanted.note or before.note
            made = replace(before, file=str(file), name=name, note=note, music=before.music or wanted.music)
            return _with(office, made)

        self._fresh.add(file.name)
        try:
            seconds = await self._make(wanted, file)
            self._measured[await asyncio.to_thread(_stamp, str(file))] = seconds, ""
            await self._desk.edit(with_it, wanted.by, "sounds")
        except ControlError:
            file.unlink(missing_ok=True)
            raise
        finally:
            self._fresh.discard(file.name)
        return await self._view(wanted.id)

    async def _make(self, wanted: AddSound, file: Path) -> float:
        language = wanted.language or self._office().language
        try:
            if not wanted.text:
                return float(await self._converter.run(taking(Path(wanted.path), file), file))
            if language not in LANGUAGES:
                raise ControlError(f'no voice speaks "{language}"; those here speak {", ".join(LANGUAGES)}')
            if len(wanted.text) > MAX_TEXT:
                raise ControlError(f"the text has more than {MAX_TEXT} characters")
            return float(await self._converter.run(saying(language, file), file, wanted.text))
        except ConversionFailed as error:
            why = str(error).replace(wanted.path, wanted.file) if wanted.file else str(error)
            raise ControlError(why) from None
        except OSError as error:
            raise ControlError(f"{self.folder} cannot be written: {error.strerror}") from None

    async def _change(self, wanted: ChangeSound) -> SoundView:
        self._checked(wanted.id, wanted.name or "", wanted.note or "")

        def changed(office: Office) -> Office:
            before = _known_in(office, wanted.id)
            given = {"name": wanted.name, "note": wanted.note, "music": wanted.music}
            return _with(office, replace(before, **{key: value for key, value in given.items() if value is not None}))  # type: ignore[arg-type]

        await self._desk.edit(changed, wanted.by, "sounds")
        return await self._view(wanted.id)

    async def _remove(self, id: str, by: str) -> bool:
        def without(office: Office) -> Office:
            gone = _known_in(office, id)
            if users := uses_of_sounds(office).get(id):
                raise ControlError(f'the sound "{id}" is used by {", ".join(users)}; nothing was deleted')
            return replace(office, sounds=tuple(each for each in office.sounds if each is not gone))

        await self._desk.edit(without, by, "sounds")
        return True

    async def _restore(self, by: str) -> list[str]:
        """The tunes of the installation that are not in the library (SND-5)."""
        restored: list[str] = []

        def with_them(office: Office) -> Office:
            restored.clear()
            there, taken = {each.file for each in office.sounds}, {each.id for each in office.sounds}
            added = []
            for tune in office_sound.installed_music():
                if tune not in there:
                    id = _free_id(Path(tune).stem, taken)
                    added.append(Sound(id, tune, music=True))
                    taken.add(id)
            restored.extend(each.id for each in added)
            return replace(office, sounds=(*office.sounds, *added)) if added else office

        await self._desk.edit(with_them, by, "sounds")
        return restored

    def _checked(self, id: str, name: str, note: str) -> None:
        found = validated(SoundSection, {"id": id, "file": "-", "name": name, "note": note})
        if isinstance(found, list):
            raise ControlError("\n".join(f"{each.path[-1]}: {each.message}" for each in found))

    # --- what is there ----------------------------------------------------------------------------------------

    async def _view(self, id: str) -> SoundView:
        return (await self._views([_known_in(self._office(), id)]))[0]

    async def _views(self, sounds: Sequence[Sound]) -> list[SoundView]:
        stamps = await asyncio.to_thread(lambda: [_stamp(each.file) for each in sounds])
        await self._measure([each for each in stamps if each not in self._measured])
        used_by = uses_of_sounds(self._office())
        return [
            SoundView(
                *(each.id, each.name, each.note, each.music, each.file, seconds, stamp.size, problem),
                used_by.get(each.id, ()),
            )
            for each, stamp in zip(sounds, stamps, strict=True)
            for seconds, problem in (self._measured[stamp],)
        ]

    async def _measure(self, files: Sequence[Stamp]) -> None:
        """How long they are, or why they cannot be played; remembered until they change."""
        if not files:
            return
        try:
            said = await self._converter.run(measuring([each.path for each in files]))
        except ConversionFailed as error:
            raise ControlError(f"sound files cannot be measured: {error}") from None
        changed = {each.path for each in files}
        self._measured = {stamp: found for stamp, found in self._measured.items() if stamp.path not in changed}
        for stamp, line in zip(files, said.splitlines(), strict=True):
            seconds, problem = json.loads(line)
            self._measured[stamp] = float(seconds), str(problem)

    async def _keep_tidy(self) -> None:
        while True:
            try:
                await self.tidy()
            except (OSError, StorageUnavailable) as error:
                log.warning("the sound library was not tidied", why=str(error))
            await asyncio.sleep(TIDY_S)

    async def tidy(self) -> None:
        """Delete the files of ours that no version of the office names, which can come back."""
        kept = self._fresh | {Path(each.file).name for each in self._office().sounds}
        left = [file for file in self.folder.glob("*.wav") if MADE.fullmatch(file.name) and file.name not in kept]
        for version in await self._versions.newest() if left else ():
            found = await self._versions.get(version.id)
            left = [file for file in left if found is not None and file.name not in found.document]
        for file in left:
            file.unlink(missing_ok=True)
            log.info("a sound file that nothing names any more is deleted", file=str(file))


def _with(office: Office, sound: Sound) -> Office:
    return replace(office, sounds=tuple(sound if each.id == sound.id else each for each in office.sounds))


def _is_there(office: Office, id: str) -> bool:
    return any(each.id == id for each in office.sounds)


def _known_in(office: Office, id: str) -> Sound:
    for each in office.sounds:
        if each.id == id:
            return each
    raise ControlError(f'there is no sound "{id}"; `zvon sounds list` shows them')


def _free_id(stem: str, taken: set[str]) -> str:
    def wanted() -> Iterator[str]:
        base = re.sub(r"[^A-Za-z0-9._-]", "-", stem)[:56]
        yield base
        yield from (f"{base}-{number}" for number in range(2, len(taken) + 3))

    return next(each for each in wanted() if each not in taken)


def _stamp(path: str) -> Stamp:
    try:
        status = Path(path).stat()
    except OSError:
        return Stamp(path)
    return Stamp(path, status.st_mtime_ns, status.st_size)
