"""Sounds ready to be played: read once, off the control thread, and kept while memory allows."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from media.files.wav import BadSound, Samples, read_wav

MAX_KEPT_BYTES = 64 * 1024 * 1024

Key = tuple[str, int, int]
Loaded = Samples | BadSound


class SoundCache:
    """`find` for what is there already, `load` for the rest: `done` is called on the loader's thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Samples] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._loader: ThreadPoolExecutor | None = None

    def find(self, path: str) -> Samples | None:
        key = _key(path)
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def load(self, path: str, done: Callable[[Loaded], None]) -> None:
        if self._loader is None:
            self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="media-sounds")
        self._loader.submit(self._read, path).add_done_callback(lambda future: done(_outcome(path, future)))

    def close(self) -> None:
        if self._loader is not None:
            self._loader.shutdown(cancel_futures=True)

    def _read(self, path: str) -> Loaded:
        key = _key(path)
        try:
            samples = read_wav(path)
        except BadSound as bad:
            return bad
        self._keep(key, samples)
        return samples

    def _keep(self, key: Key, samples: Samples) -> None:
        with self._lock:
            if key in self._kept or samples.nbytes > MAX_KEPT_BYTES:
                return
            self._kept[key] = samples
            self._bytes += samples.nbytes
            while self._bytes > MAX_KEPT_BYTES:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes


def _key(path: str) -> Key:
    """A changed file is another sound."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size


def _outcome(path: str, future: "Future[Loaded]") -> Loaded:
    if future.cancelled():
        return BadSound(f"{path} was not read: the engine closed.")
    error = future.exception()
    return BadSound(f"{path} cannot be played: {error}.") if error else future.result()
