"""The place where a server is found: its data folder, which belongs to one server at a time."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.schema import Settings
from pbx.control.messages import ControlError

SOCKET_NAME = "control.sock"
LOCK_NAME = "zvon.lock"

_SENTENCES = {
    errno.EACCES: "may not be written: check its owner and mode",
    errno.EPERM: "may not be written: check its owner and mode",
    errno.EROFS: "is on a read-only file system: choose another with --data",
    errno.ENOSPC: "is on a full disk: make room there or choose another with --data",
    errno.EDQUOT: "is over the disk quota: make room there or choose another with --data",
    errno.EEXIST: "is a file, not a folder: choose another with --data",
    errno.ENOTDIR: "is not a folder: choose another with --data",
}


class DataFolderInUse(ControlError):
    """Another server runs with the data folder."""


class DataFolderLock:
    """Held for as long as a server uses the folder; the kernel lets go of it when the process dies."""

    def __init__(self, data: Path, descriptor: int) -> None:
        self.data = data
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, data: Path) -> "DataFolderLock":
        """Make the folder where it is missing and take it; raises `DataFolderInUse` or `ControlError`."""
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(data, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_pid(descriptor)
        except OSError as error:
            raise _refusal(data, descriptor, error) from None
        return cls(data, descriptor)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _write_pid(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _refusal(data: Path, descriptor: int, error: OSError) -> ControlError:
    try:
        if not isinstance(error, BlockingIOError):
            return _unusable(data, error)
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace")
    finally:
        os.close(descriptor)
    return DataFolderInUse(f"another zvon runs with this data folder (pid {owner or 'not known'}): {data}")


def _unusable(data: Path, error: OSError) -> ControlError:
    why = _SENTENCES.get(error.errno or 0, f"cannot be used: {error.strerror}")
    return ControlError(f"the data folder {data} {why}")


@contextmanager
def socket_path(data: Path) -> Iterator[str]:
    """A path of the control socket that is short enough for a socket address (108 bytes), however deep the folder."""
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


def data_folder(settings: Settings, given: Path | None) -> Path:
    """The data folder: the one given on the command line, else the configured one."""
    return given if given is not None else Path(settings.data)
