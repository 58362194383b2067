"""`python -m media.synthesis.say LANGUAGE TARGET`: the text on standard input as a sound file, by the best voice.

Its seconds are printed; what went wrong is the last line on standard error.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from media.files.bad import BadSound
from media.files.take import write_wav
from media.synthesis.finish import RATE
from media.synthesis.make import prompt_of
from media.synthesis.voices import Voice, voices


def say(language: str, text: str, target: Path, installed: Sequence[Voice] | None = None) -> float:
    """Its seconds; raises `BadSound` where nobody can say it, OSError where it cannot be written."""
    speakers = voices(language) if installed is None else installed
    if not speakers:
        raise BadSound(f"There is no speech synthesiser of {language}: install espeak-ng.")
    with TemporaryDirectory(prefix="zvon-say-") as temporary:
        for number, voice in enumerate(speakers):
            raw = Path(temporary) / f"{number}.wav"
            voice.speak({raw: text})
            samples = prompt_of(raw, text)
            if samples is not None:
                return write_wav(target, samples, RATE)
    raise BadSound("No synthesiser could say this text.")


def main() -> int:
    os.nice(19)
    try:
        print(say(sys.argv[1], sys.stdin.read(), Path(sys.argv[2])))
    except BadSound as bad:
        print(bad, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{sys.argv[2]} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
