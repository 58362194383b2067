"""`python -m media.record.convert SOURCE TARGET`: a finished recording as MP3 or Ogg Opus, beside everything else.

A process of its own with the lowest priority. The target appears complete or not at all.
"""

import os
import sys
from pathlib import Path

import lameenc
import soundfile

BLOCK = 65536
# A channel: 14 MB an hour of one, with the quality of the wire (REC-7).
MP3_KBIT = 32
OPUS_KBIT = ((8000, 32), (16000, 48), (48000, 64))  # up to that rate


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
        encoder.set_bit_rate(MP3_KBIT * file.channels)
        encoder.set_quality(5)
        encoder.silence()
        for block in file.blocks(BLOCK, dtype="int16", always_2d=True):
            out.write(encoder.encode(block.tobytes()))
        out.write(encoder.flush())


def _opus(source: Path, target: Path) -> None:
    with (
        soundfile.SoundFile(source) as file,
        soundfile.SoundFile(
            *(target, "w", file.samplerate, file.channels),
            format="OGG",
            subtype="OPUS",
            compression_level=_level(file.samplerate),
        ) as out,
    ):
        for block in file.blocks(BLOCK, dtype="int16", always_2d=True):
            out.write(block)


def _level(rate: int) -> float:
    """What libsndfile calls the compression level: 256 kbit/s at 0, 6 at 1."""
    kbit = next(kbit for most, kbit in OPUS_KBIT if rate <= most)
    return (256 - kbit) / 250


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
