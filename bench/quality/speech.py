"""Recorded speech to measure with: phrases of the prompt packages, joined to one speaker's turn in a quiet room."""

import random
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.files.decode import Samples, read_sound

DEFAULT = Path("/usr/share/asterisk/sounds")  # packages asterisk-core-sounds-en-g722 and -ru-g722
RATE = 8000
LEVEL_DB = -26.0  # dBov of active speech (ITU-T P.830)
ROOM_DB = -67.0  # of what is heard while nobody speaks: without it, G.711 is blamed for noise that a room would cover
PAUSE_S = 0.4
LEAST_S, MOST_S = 1.2, 6.0  # of a phrase: shorter ones are single words, longer ones are music and tests
QUIET = 100  # peak below which nobody speaks
OCTETS_S = 8000  # of G.722


@lru_cache(maxsize=4)
def phrases(folder: Path = DEFAULT) -> tuple[tuple[Path, ...], ...]:
    """Files of each speaker; no speaker where there is no such folder."""
    speakers = [sorted(each.rglob("*.g722")) for each in sorted(folder.glob("*")) if each.is_dir()]
    return tuple(tuple(path for path in files if _lasts(path)) for files in speakers if files)


def turn(seed: int, seconds: float = 8.0, folder: Path = DEFAULT) -> Samples:
    """At least `seconds` of one speaker with pauses, at 8 kHz. Raises LookupError without material."""
    speakers = phrases(folder)
    if not speakers:
        raise LookupError(f"There is no speech in {folder}: install asterisk-core-sounds-en-g722.")
    draw = random.Random(seed)
    files, parts, length = draw.choice(speakers), list[Samples](), 0
    pause: Samples = np.zeros(int(PAUSE_S * RATE), np.int16)
    while length < seconds * RATE:
        parts += [pause, spoken(draw.choice(files))]
        length += len(pause) + len(parts[-1])
    return _in_a_room(levelled(np.concatenate([*parts, pause])), seed)


@lru_cache(maxsize=256)
def spoken(path: Path) -> Samples:
    """A phrase without the silence around it, at 8 kHz."""
    samples = read_sound(str(path), RATE)
    loud = np.flatnonzero(np.abs(samples.astype(int)) > QUIET)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def levelled(samples: Samples, level_db: float = LEVEL_DB) -> Samples:
    """The same so loud that what is spoken has the level."""
    blocks = samples[: len(samples) // 80 * 80].reshape(-1, 80).astype(float)
    active = blocks[np.abs(blocks).max(axis=1) > QUIET]
    return _whole(samples * (32768 * 10 ** (level_db / 20) / np.sqrt(np.mean(active**2))))


def _in_a_room(samples: Samples, seed: int) -> Samples:
    noise = np.random.default_rng(seed).normal(0, 32768 * 10 ** (ROOM_DB / 20), len(samples))
    return _whole(samples + noise)


def _whole(values: NDArray[np.float64]) -> Samples:
    whole: Samples = np.clip(np.rint(values), -32768, 32767).astype(np.int16)
    return whole


def _lasts(path: Path) -> bool:
    return LEAST_S <= path.stat().st_size / OCTETS_S <= MOST_S and "tone" not in path.name
