"""`python -m media.record.convert SOURCE TARGET`: a finished recording as MP3 or Ogg Opus, beside everything else.

A process of its own with the lowest priority. The target appears complete or not at all.
"""

import os
import sys
from pathlib import Path

import lameenc
import soundfile

BLOCK = 65536
KBIT_A_CHANNEL = 24  # speech at 8 and 16 kHz; more is not heard


def convert(source: Path, target: Path) -> None:
    """By the suffix of the target; raises OSError or a libsndfile error."""
    made = target.with_name(target.name + ".part")
    try:
        if target.suffix == ".mp3":
            _mp3(source, made)
        else:
            _opus(source, made)
        made.rename(target)
    finally:
        made.unlink(missing_ok=True)


def _mp3(source: Path, target: Path) -> None:
    with soundfile.SoundFile(source) as file, target.open("wb") as out:
        encoder = lameenc.Encoder()
        encoder.set_in_sample_rate(file.samplerate)
        encoder.set_channels(file.channels)
        encoder.set_bit_rate(KBIT_A_CHANNEL * file.channels)
        encoder.set_quality(5)
        encoder.silence()
        for block in file.blocks(BLOCK, dtype="int16", always_2d=True):
            out.write(encoder.encode(block.tobytes()))
        out.write(encoder.flush())


def _opus(source: Path, target: Path) -> None:
    with (
        soundfile.SoundFile(source) as file,
        soundfile.SoundFile(target, "w", file.samplerate, file.channels, format="OGG", subtype="OPUS") as out,
    ):
        for block in file.blocks(BLOCK, dtype="int16", always_2d=True):
            out.write(block)


def main() -> int:
    os.nice(19)
    source, target = map(Path, sys.argv[1:3])
    try:
        convert(source, target)
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
