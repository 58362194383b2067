"""The process that listens: requests as lines of JSON on standard input, what was heard on standard output.

    {"id": 1, "language": "en", "phrases": ["sales"], "file": "…"}   listen to a recording while it grows
    {"id": 1, "stop": true}                                          no more
    {"id": 2, "language": "en", "phrases": ["sales"]}                could they be heard?

Answers are `{"id": 1, "heard": "sales"}`, and `{"id": 2, "problem": "…"}`, empty when there is none. Started as
`python -m media.recognition.process MODELS`, the folders of models by language as JSON; ends with its standard input.
"""

import json
import os
import select
import struct
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from media.dsp.resample import Rate
from media.recognition.spotter import RATE, CannotHear, Spotter, find_model
from media.record.wav_file import HEADER, PART

TURN_S = 0.05
CHUNK_S = 1.0


class Ear:
    """One recording that is listened to from its beginning, as far as it has been written."""

    def __init__(self, file: str, spotter: Spotter) -> None:
        self._file, self._spotter = file + PART, spotter
        self._fd: int | None = None
        self._rate, self._resampler = RATE, Rate(RATE, RATE)

    def listen(self) -> str:
        """What was said since the last time, "" for nothing."""
        if self._fd is None and not self._open():
            return ""
        samples = os.read(self._fd or 0, 2 * int(self._rate * CHUNK_S))
        if len(samples) < 2:
            return ""
        written = np.frombuffer(samples, np.int16, len(samples) // 2)
        return self._spotter.feed(np.frombuffer(self._resampler.convert(written), np.int16))

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def _open(self) -> bool:
        try:
            fd = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        header = os.read(fd, HEADER)
        if len(header) < HEADER:
            os.close(fd)
            return False
        self._fd = fd
        (self._rate,) = struct.unpack_from("<I", header, 24)
        self._resampler = Rate(self._rate, RATE)
        return True


class Listening:
    """All who are listened to."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self._models = models
        self._ears: dict[int, Ear] = {}

    @property
    def is_idle(self) -> bool:
        return not self._ears

    def take(self, request: Mapping[str, Any]) -> None:
        id = request["id"]
        if "stop" in request:
            ear = self._ears.pop(id, None)
            if ear is not None:
                ear.close()
            return
        try:
            spotter = Spotter(find_model(request["language"], self._models), request["phrases"])
        except (CannotHear, OSError, RuntimeError, ValueError) as problem:
            tell({"id": id, "problem": str(problem)})
            return
        if "file" in request:
            self._ears[id] = Ear(request["file"], spotter)
        else:
            tell({"id": id, "problem": ""})

    def turn(self) -> None:
        for id, ear in self._ears.items():
            if heard := ear.listen():
                tell({"id": id, "heard": heard})


def tell(what: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    os.nice(5)  # calls come first
    listening, rest = Listening(json.loads(sys.argv[1])), b""
    while True:
        if select.select([0], [], [], None if listening.is_idle else TURN_S)[0]:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                listening.take(json.loads(line))
        listening.turn()


if __name__ == "__main__":
    main()
