"""`python -m media.files.take SOURCE TARGET`: any sound file as one of the library, beside everything else.

The target is a WAV file of one channel, at 16 kHz, or 8 kHz where the source has no more. It appears complete or not at
all. Its seconds are printed; what went wrong is the last line on standard error.
"""

import os
import sys
import wave
from pathlib import Path

from media.files.bad import BadSound
from media.files.decode import Samples, load_sound

NARROW_HZ, WIDE_HZ = 8000, 16000


def take(source: str, target: Path) -> float:
    """Its seconds; raises `BadSound` or OSError with nothing made."""
    sound = load_sound(source)
    rate = NARROW_HZ if sound.rate <= NARROW_HZ else WIDE_HZ
    return write_wav(target, sound.samples(rate), rate)


def write_wav(target: Path, samples: Samples, rate: int) -> float:
    """All or nothing, since a server may read the file now; its seconds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.new")
    try:
        with wave.open(str(fresh), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(samples.astype("<i2").tobytes())
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
    return round(len(samples) / rate, 2)


def main() -> int:
    os.nice(19)
    try:
        print(take(sys.argv[1], Path(sys.argv[2])))
    except BadSound as bad:
        print(bad, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{sys.argv[2]} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
