"""Sounds ready to be played: read once, off the control thread, and kept while memory allows.

A wanted sound is one file or several that follow each other without a gap. What was put together of several is kept
like a file, so that everybody who hears the same music reads the same memory.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import WeakValueDictionary

import numpy as np

from frozen import dataclass
from media.files.bad import BadSound
from media.files.decode import Samples, read_sound

MAX_KEPT_BYTES = 128 * 1024 * 1024
MAX_PART_BYTES = 4 * 1024 * 1024  # parts are kept on their own as well: prompts, not music


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files one after the other, each with its gain in dB, as samples at `rate`."""

    files: tuple[tuple[str, float], ...]
    rate: int = 8000


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Sound:
    """`problem` is a sentence about the first of the files that had to be left out, or empty."""

    samples: Samples
    problem: str = ""


Key = tuple[int, tuple[tuple[str, int, int, float], ...]]
Loaded = Sound | BadSound


class SoundCache:
    """`find` for what is there already, `load` for the rest: `done` is called on the loader's thread. What somebody
    plays is there, however large it is."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Sound] = OrderedDict()
        self._used: WeakValueDictionary[Key, Sound] = WeakValueDictionary()
        self._bytes = 0
        self._lock = threading.Lock()
        self._loader: ThreadPoolExecutor | None = None

    def find(self, wanted: Wanted) -> Sound | None:
        return self._find(_key(wanted.files, wanted.rate))

    def load(self, wanted: Wanted, done: Callable[[Loaded], None]) -> None:
        if self._loader is None:
            self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="media-sounds")
        self._loader.submit(self._read, wanted).add_done_callback(lambda future: done(_outcome(wanted, future)))

    def close(self) -> None:
        if self._loader is not None:
            self._loader.shutdown(cancel_futures=True)

    def _find(self, key: Key) -> Sound | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._used.get(key)

    def _read(self, wanted: Wanted) -> Loaded:
        """Files that cannot be read are left out, unless that leaves nothing."""
        single = len(wanted.files) == 1
        parts = [self._part(path, gain_db, wanted.rate, single) for path, gain_db in wanted.files]
        problems = [part for part in parts if isinstance(part, BadSound)]
        good = [part for part in parts if isinstance(part, Sound)]
        if not good:
            return problems[0] if problems else BadSound("There is nothing to play.")
        if single:
            return good[0]
        sound = Sound(np.concatenate([part.samples for part in good]), str(problems[0]) if problems else "")
        if not problems:
            self._keep(_key(wanted.files, wanted.rate), sound)
        return sound

    def _part(self, path: str, gain_db: float, rate: int, single: bool) -> Loaded:
        key = _key(((path, gain_db),), rate)
        found = self._find(key)
        if found is not None:
            return found
        try:
            sound = Sound(_louder(read_sound(path, rate), gain_db))
        except BadSound as bad:
            return bad
        if single or sound.samples.nbytes <= MAX_PART_BYTES:
            self._keep(key, sound)
        return sound

    def _keep(self, key: Key, sound: Sound) -> None:
        size = sound.samples.nbytes
        with self._lock:
            self._used[key] = sound
            if key in self._kept or size > MAX_KEPT_BYTES:
                return
            self._kept[key] = sound
            self._bytes += size
            while self._bytes > MAX_KEPT_BYTES:
                self._bytes -= self._kept.popitem(last=False)[1].samples.nbytes


def _louder(samples: Samples, gain_db: float) -> Samples:
    if not gain_db:
        return samples
    changed = samples.astype(np.float32) * np.float32(10 ** (gain_db / 20))
    louder: Samples = np.clip(np.rint(changed), -32768, 32767).astype(np.int16)
    return louder


def _key(files: tuple[tuple[str, float], ...], rate: int) -> Key:
    return rate, tuple((*_file_key(path), gain_db) for path, gain_db in files)


def _file_key(path: str) -> tuple[str, int, int]:
    """A changed file is another sound."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size


def _outcome(wanted: Wanted, future: "Future[Loaded]") -> Loaded:
    path = wanted.files[0][0] if wanted.files else "Nothing"
    if future.cancelled():
        return BadSound(f"{path} was not read: the engine closed.")
    error = future.exception()
    return BadSound(f"{path} cannot be played: {error}.") if error else future.result()
