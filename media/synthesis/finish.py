"""From what a synthesiser says to a prompt: as loud as the recorded ones, without the silence around it."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

RATE = 16000
LEVEL_DBOV = -17.0  # of speech in the recorded sets: -16.0 and -17.4
HIGHEST = 29000.0  # peaks stay below: there is no clipping in any codec
ACTIVE_DB = 25.0  # speech is what comes so near to the loudest moment
AUDIBLE_DB = 40.0  # quieter is silence
FRAME = RATE // 100
BEFORE = RATE // 50
PAUSES_S = {".": 0.25, "!": 0.25, "?": 0.25, ":": 0.15, ",": 0.15}
PAUSE_S = 0.1  # after a word


def finished(samples: Samples, text: str) -> Samples | None:
    """None when there is no speech in it. What follows it is as long as the last mark of the text asks for."""
    energy = _frames(samples)
    if not energy.size or energy.max() < 100.0:
        return None
    audible = np.flatnonzero(energy > energy.max() * 10 ** (-AUDIBLE_DB / 10))
    first = max(0, int(audible[0]) * FRAME - BEFORE)
    spoken = samples[first : (int(audible[-1]) + 1) * FRAME].astype(np.float64)
    spoken *= _gain(spoken, energy)
    spoken[: FRAME // 2] *= np.linspace(0, 1, FRAME // 2)
    spoken[-FRAME // 2 :] *= np.linspace(1, 0, FRAME // 2)
    pause = np.zeros(round(PAUSES_S.get(text[-1:], PAUSE_S) * RATE))
    prompt: Samples = np.rint(np.concatenate([spoken, pause])).astype(np.int16)
    return prompt


def level_dbov(samples: Samples) -> float:
    """The mean level of speech, pauses left out."""
    energy = _frames(samples)
    active = energy[energy > energy.max() * 10 ** (-ACTIVE_DB / 10)]
    return float(10 * np.log10(active.mean() / 32768**2))


def _gain(spoken: NDArray[np.float64], energy: NDArray[np.float64]) -> float:
    active = energy[energy > energy.max() * 10 ** (-ACTIVE_DB / 10)]
    wanted = 32768 * 10 ** (LEVEL_DBOV / 20) / np.sqrt(active.mean())
    return float(min(wanted, HIGHEST / np.abs(spoken).max()))


def _frames(samples: Samples) -> NDArray[np.float64]:
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    energy: NDArray[np.float64] = (whole**2).mean(axis=1)
    return energy
