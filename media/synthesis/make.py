"""Prompts made of texts, once: what is there already and says the same stays as it is."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from frozen import dataclass
from media.files.bad import BadSound
from media.files.decode import read_sound
from media.files.take import write_wav
from media.synthesis.finish import RATE, Samples, finished
from media.synthesis.voices import Voice, voices

LIST = "made.json"  # what each file says, and by which voice
REVISION = 1  # raised when prompts of the same text would sound different
SILENCE_S = 0.2


@dataclass(frozen=True, slots=True)
class Made:
    """Prompts that were made now, and those that were there. `voice` is the best one of the language, empty without a
    synthesiser; `by_others` is how many of those made now another one had to say; `failed` are keys that none could."""

    voice: str
    made: int
    kept: int
    by_others: int = 0
    failed: tuple[str, ...] = ()


def make_prompts(
    language: str, texts: Mapping[str, str], folder: Path, installed: Sequence[Voice] | None = None
) -> Made:
    """One WAV file for each key below `folder`; an empty text is a short silence. Raises OSError where it cannot write.

    Files of keys that are not wanted any more are removed."""
    speakers = voices(language) if installed is None else installed
    name = speakers[0].name if speakers else ""
    before = _read_list(folder)
    wanted = {key: f"{REVISION} {name}: {text}" if text else str(REVISION) for key, text in texts.items()}
    fresh = [key for key, stamp in wanted.items() if before.get(key) != stamp or not _path(folder, key).exists()]
    if not name:
        fresh = [key for key in fresh if not texts[key]]
    done = _make({key: texts[key] for key in fresh}, folder, speakers)
    by_others = sum(voice not in ("", name) for voice in done.values())
    kept = {key: stamp for key, stamp in before.items() if key in texts and key not in done}
    for key in before.keys() - texts.keys():
        _path(folder, key).unlink(missing_ok=True)
    _write_list(folder, kept | {key: wanted[key] for key in done})
    return Made(name, len(done), len(kept), by_others, tuple(key for key in fresh if key not in done))


def _make(texts: Mapping[str, str], folder: Path, speakers: Sequence[Voice]) -> dict[str, str]:
    """What was made by whom: by the best voice, and by the next one what that could not say."""
    done = {key: "" for key, text in texts.items() if not text}
    for key in done:
        write_wav(_path(folder, key), np.zeros(round(SILENCE_S * RATE), np.int16), RATE)
    for voice in speakers:
        left = [key for key in texts if key not in done]
        with TemporaryDirectory(prefix="zvon-prompts-") as temporary:
            raw = {Path(temporary) / f"{number}.wav": key for number, key in enumerate(left)}
            voice.speak({path: texts[key] for path, key in raw.items()})
            for path, key in raw.items():
                prompt = prompt_of(path, texts[key])
                if prompt is not None:
                    write_wav(_path(folder, key), prompt, RATE)
                    done[key] = voice.name
    return done


def prompt_of(path: Path, text: str) -> Samples | None:
    """The prompt out of what a voice has written; None where it has said nothing."""
    try:
        return finished(read_sound(str(path), RATE), text)
    except BadSound:
        return None


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.wav"


def _read_list(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / LIST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(stamp) for key, stamp in found.items()} if isinstance(found, dict) else {}


def _write_list(folder: Path, stamps: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{LIST}.new"
    fresh.write_text(json.dumps(stamps, ensure_ascii=False, indent=0), "utf-8")
    os.replace(fresh, folder / LIST)
