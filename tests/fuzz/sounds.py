"""Sound files: whatever somebody puts into the library becomes samples or a sentence."""

import io

import numpy as np
import soundfile

from media.files.bad import BadSound
from media.files.decode import decode_sound

RATE = 8000
KINDS = (("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"))


def sound(data: bytes) -> object:
    """Of any kind, told by its first bytes."""
    try:
        found = decode_sound("fuzz", data, RATE)
    except BadSound:
        return None
    assert len(found)
    return found


def sound_seeds() -> list[bytes]:
    """Fifty milliseconds of each kind."""
    made = []
    samples = (8000 * np.sin(np.arange(RATE // 20) * 0.5)).astype(np.int16)
    for container, coding in KINDS:
        written = io.BytesIO()
        soundfile.write(written, samples, RATE, format=container, subtype=coding)
        made.append(written.getvalue())
    return made
