"""Which sound files say a prompt: the office's own recordings, a recorded set, generated speech.

A phrase is said by one voice where that is possible: by the recorded set when it has every piece and word of it, else
by generated speech. Recordings of the office replace single keys of both. What a language cannot say is said in
English; what nobody can say is silence and a line in the log.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import lru_cache
from pathlib import Path

import structlog

from frozen import dataclass
from media.api import FileSource, Playlist
from pbx.speech.catalogue import LANGUAGES, catalogue
from pbx.speech.grammar import PAUSE, Keys
from pbx.speech.phrase import BadPhrase, Value

log = structlog.get_logger("prompts")

INSTALLED = Path("/usr/share/asterisk/sounds")
RECORDED_SETS = {"en": "en_US_f_Allison", "ru": "ru_RU_f_IvrvoiceRU"}  # Debian's asterisk-core-sounds-en and -ru
GENERATED = Path(sys.prefix) / "share" / "zvon" / "prompts"  # of the installation, made by `zvon prompts`
SUFFIXES = (".g722", ".wav", ".flac", ".mp3", ".ogg", ".opus")  # of several files with one name the first is taken
FALLBACK = "en"
GAIN_DB = -4.0  # the sets are louder than people talk

Files = tuple[str, ...]
Voice = Mapping[str, Files]  # by key: the files that say it, one after the other


@dataclass(frozen=True, slots=True)
class PromptSet:
    """One language: who says which key. `name` is the recorded set, empty when it is not installed."""

    name: str = ""
    own: Voice = field(default_factory=dict)
    recorded: Voice = field(default_factory=dict)
    generated: Voice = field(default_factory=dict)

    def files(self, keys: Keys) -> tuple[Files, Keys]:
        """What to play, and the keys that nobody says."""
        for voices in ((self.recorded,), (self.generated,), (self.recorded, self.generated)):
            found = [self._find(key, voices) for key in keys]
            if None not in found:
                break
        silent = dict.fromkeys(key for key, files in zip(keys, found, strict=True) if files is None)
        return tuple(file for files in found if files for file in files), tuple(silent)

    def _find(self, key: str, voices: tuple[Voice, ...]) -> Files | None:
        for voice in (self.own, *voices):
            if key in voice:
                return voice[key]
        return self.generated.get(PAUSE, ()) if key == PAUSE else None

    def describe(self, keys: Keys) -> dict[str, object]:
        """How many of all `keys` each voice says, and how many nobody does."""
        own, recorded, generated = (
            sum(key in voice for key in keys) for voice in (self.own, self.recorded, self.generated)
        )
        _, silent = self.files(keys)
        return {"set": self.name, "recorded": recorded, "generated": generated, "own": own, "silent": len(silent)}


@dataclass(frozen=True, slots=True)
class PromptFolders:
    """Where sound files are looked for; `own` has a folder for each language."""

    own: Path
    installed: Path = field(default_factory=lambda: INSTALLED)
    generated: Path = field(default_factory=lambda: GENERATED)

    def sets(self) -> dict[str, PromptSet]:
        return {language: self._set(language) for language in LANGUAGES}

    def _set(self, language: str) -> PromptSet:
        installed = sound_files(self.installed / RECORDED_SETS[language])
        recorded = {}
        for key, word in catalogue(language).words.items():
            names = word.recorded.split("+") if word.recorded else ()
            if names and all(name in installed for name in names):
                recorded[key] = tuple(installed[name] for name in names)
        own, generated = (
            {key: (file,) for key, file in sound_files(folder / language).items()}
            for folder in (self.own, self.generated)
        )
        return PromptSet(RECORDED_SETS[language] if installed else "", own, recorded, generated)


def sound_files(folder: Path) -> Mapping[str, str]:
    """Sound files by their path below the folder without its suffix; empty files are none. Read again when a file has
    come or gone: each change of the office asks, and thousands of files take as long as many calls."""
    return _read(folder, tuple((place, _changed_ns(place)) for place, _, _ in os.walk(folder)))


@lru_cache(maxsize=32)
def _read(folder: Path, state: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(place, name)
            key = os.path.splitext(file)[0][len(str(folder)) + 1 :]
            if _rank(file) < _rank(found.get(key, "")) and _size(file):
                found[key] = file
    return found


def _rank(file: str) -> int:
    suffix = os.path.splitext(file)[1]
    return SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)


def _changed_ns(place: str) -> int:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:
        return 0


def _size(file: str) -> int:
    try:
        return os.path.getsize(file)
    except OSError:
        return 0  # it has just gone


class Prompts:
    """What features say. `language` is that of the office; `load` finds the sets, again with every office."""

    def __init__(self, load: Callable[[], Mapping[str, PromptSet]] = dict) -> None:
        self._load, self._sets = load, load()
        self.language = FALLBACK
        self._told: set[tuple[str, str]] = set()

    def office_changed(self, language: str) -> None:
        """Look for sets again and speak that language from now on; the log says when it lacks something."""
        self.language, self._sets = language, self._load()
        self._told.clear()
        if language in self._sets:
            counts = self._sets[language].describe(tuple(catalogue(language).words))
            if counts["silent"]:
                log.warning("prompts are missing, they are left out: `zvon prompts`", language=language, **counts)

    def say(self, *prompts: str, language: str = "", **values: Value) -> Playlist:
        """Prompts of `prompts.toml` one after the other, with these values in them; `language` is that of the party,
        instead of the office's. Never fails: what cannot be said is left out."""
        spoken = language if language in LANGUAGES else self.language
        files = [file for prompt in prompts for file in self._files(prompt, spoken, values)]
        return Playlist(tuple(FileSource(file) for file in files), gain_db=GAIN_DB)

    def _files(self, prompt: str, language: str, values: Mapping[str, Value]) -> Files:
        files: Files = ()
        missing: Keys = ()
        for code in dict.fromkeys((language, FALLBACK)):
            try:
                keys = catalogue(code).keys(prompt, values)
            except BadPhrase as bad:
                self._tell("this prompt cannot be said", prompt, code, str(bad))
                return ()
            some, lacking = self._sets.get(code, PromptSet()).files(keys)
            if not lacking:
                return some
            files, missing = files or some, missing or lacking
        self._tell("parts of this prompt are silent", prompt, language, ", ".join(missing))
        return files

    def _tell(self, what: str, prompt: str, language: str, why: str) -> None:
        """Once until the next office."""
        if (prompt, language) not in self._told:
            self._told.add((prompt, language))
            log.warning(what, prompt=prompt, language=language, why=why)

    def describe(self) -> dict[str, object]:
        sets = {code: each.describe(tuple(catalogue(code).words)) for code, each in self._sets.items()}
        return {"language": self.language, **sets}
