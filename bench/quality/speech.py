"""Recorded speech to measure with: phrases of the prompt packages, joined to one speaker's turn, at the usual level."""

import random
from functools import lru_cache
from pathlib import Path

import numpy as np

from media.files.decode import Samples, read_sound

DEFAULT = Path("/usr/share/asterisk/sounds")  # packages asterisk-core-sounds-en-wav and -ru-wav
RATE = 8000
LEVEL_DB = -26.0  # dBov of active speech (ITU-T P.830)
PAUSE_S = 0.4
LEAST_S, MOST_S = 1.2, 6.0  # of a phrase: shorter ones are single words, longer ones are music and tests
QUIET = 100  # peak of a block of 10 ms in which nobody speaks


@lru_cache(maxsize=4)
def phrases(folder: Path = DEFAULT) -> tuple[tuple[Path, ...], ...]:
    """Files of each speaker; no speaker when there is no such folder."""
    speakers = [sorted(each.rglob("*.wav")) for each in sorted(folder.glob("*")) if each.is_dir()]
    return tuple(tuple(path for path in files if _lasts(path)) for files in speakers if files)


def turn(seed: int, seconds: float = 8.0, folder: Path = DEFAULT) -> Samples:
    """At least `seconds` of one speaker with pauses, at 8 kHz and -26 dBov. Raises LookupError without material."""
    speakers = phrases(folder)
    if not speakers:
        raise LookupError(f"There is no speech in {folder}: install asterisk-core-sounds-en-wav.")
    draw = random.Random(seed)
    files, parts, length = draw.choice(speakers), list[Samples](), 0
    pause: Samples = np.zeros(int(PAUSE_S * RATE), np.int16)
    while length < seconds * RATE:
        parts += [pause, _spoken(draw.choice(files))]
        length += len(pause) + len(parts[-1])
    return levelled(np.concatenate([*parts, pause]))


def levelled(samples: Samples, level_db: float = LEVEL_DB) -> Samples:
    """The same so that its active blocks have the level."""
    blocks = samples[: len(samples) // 80 * 80].reshape(-1, 80).astype(float)
    active = blocks[np.abs(blocks).max(axis=1) > QUIET]
    gain = 32768 * 10 ** (level_db / 20) / np.sqrt(np.mean(active**2))
    louder: Samples = np.clip(np.rint(samples * gain), -32768, 32767).astype(np.int16)
    return louder


def _lasts(path: Path) -> bool:
    return LEAST_S <= (path.stat().st_size - 44) / (2 * RATE) <= MOST_S and "tone" not in path.name


@lru_cache(maxsize=256)
def _spoken(path: Path) -> Samples:
    """Without the silence around it."""
    samples = read_sound(str(path), RATE)
    loud = np.flatnonzero(np.abs(samples.astype(int)) > QUIET)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples
