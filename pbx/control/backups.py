"""Requests about backups: made, listed, taken in, sent elsewhere, put back (CFG-6, CFG-7)."""

from typing import Literal, Protocol

from frozen import dataclass

BACKUP_PARTS = ("settings", "sounds", "history", "recordings")


@dataclass(frozen=True, slots=True)
class BackupView:
    """A backup on this machine: what made it and when, what it has, how many records of each kind."""

    name: str
    path: str
    made_at: float
    size: int
    zvon: str
    parts: tuple[str, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class RestoreView:
    """How far a backup is put back: `told` are lines, `error` a sentence where it failed. After "done" the server
    starts again."""

    name: str = ""
    state: Literal["none", "running", "done", "failed"] = "none"
    percent: int = 0
    told: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class MakeBackup:
    """→ `BackupView`."""

    parts: tuple[str, ...] = BACKUP_PARTS


@dataclass(frozen=True, slots=True)
class GetBackups:
    """→ list of `BackupView`, the newest first."""


@dataclass(frozen=True, slots=True)
class TakeBackup:
    """→ `BackupView`: a file of this machine is copied among the backups."""

    path: str


@dataclass(frozen=True, slots=True)
class RemoveBackup:
    """→ bool: whether there was such a backup."""

    name: str


@dataclass(frozen=True, slots=True)
class SendBackup:
    """→ str: where it was copied to, the place that `[backup.away]` names."""

    name: str


@dataclass(frozen=True, slots=True)
class RestoreBackup:
    """→ `RestoreView`, begun. No `parts`: all that it has."""

    name: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GetRestore:
    """→ `RestoreView`: of the last one since the server started."""


BackupRequest = MakeBackup | GetBackups | TakeBackup | RemoveBackup | SendBackup | RestoreBackup | GetRestore
BACKUP_REQUESTS: dict[str, type[BackupRequest]] = {
    "backup": MakeBackup,
    "backups": GetBackups,
    "take backup": TakeBackup,
    "remove backup": RemoveBackup,
    "send backup": SendBackup,
    "restore backup": RestoreBackup,
    "restore": GetRestore,
}


class BackupKeeper(Protocol):
    """Whoever answers these requests; a `ControlError` that it raises is told to the client."""

    async def answer(self, request: BackupRequest) -> object: ...
