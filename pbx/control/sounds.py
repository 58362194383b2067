"""Requests about the sound library: what is there, who uses it, more of it."""

from typing import Protocol

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class SoundView:
    """One sound of the office. `path`: its file on this machine; `problem`: why it cannot be played; `used_by`: each
    place of the office that names it."""

    id: str
    name: str
    note: str
    music: bool
    path: str
    seconds: float = 0.0
    size: int = 0
    problem: str = ""
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GetSounds:
    """→ list of `SoundView`. `id`: that one alone, if it is there."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class AddSound:
    """→ `SoundView`. Of the file `path`, called `file` in sentences, or of what a synthesiser says: `text` in
    `language`, "" for that of the office. `replaces`: the sound may be there already and gets another content; its
    name and note stay where none are given."""

    id: str
    path: str = ""
    file: str = ""
    text: str = ""
    language: str = ""
    name: str = ""
    note: str = ""
    music: bool = False
    replaces: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSound:
    """→ `SoundView`. None: as it is."""

    id: str
    name: str | None = None
    note: str | None = None
    music: bool | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class RemoveSound:
    """→ True. Refused while something uses it."""

    id: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class RestoreSounds:
    """→ list of str: the ids of the tunes of the installation that are in the library again."""

    by: str = ""


SoundRequest = GetSounds | AddSound | ChangeSound | RemoveSound | RestoreSounds
SOUND_REQUESTS: dict[str, type[SoundRequest]] = {
    "sounds": GetSounds,
    "add sound": AddSound,
    "change sound": ChangeSound,
    "remove sound": RemoveSound,
    "restore sounds": RestoreSounds,
}


class Librarian(Protocol):
    """Whoever answers these requests; a `ControlError` that it raises is told to the client."""

    async def answer(self, request: SoundRequest) -> object: ...
