"""Requests about the office as data: what the web process asks beside what people ask on the command line.

The office travels as the record it is, with its secrets: only the user who runs the server may open the socket. A
change names the revision that it was made from, and is refused when another one is in force by then.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Protocol

from frozen import dataclass
from storage.ports import AuditQuery
from storage.records import AuditEntry, Office, OfficeChange


@dataclass(frozen=True, slots=True)
class OfficeView:
    """The office in force and its revision; `office` is None where the asker knows that revision."""

    revision: int
    office: Office | None = None


@dataclass(frozen=True, slots=True)
class ChangedView:
    """Whether the office was changed, and the revision in force; `changes` are lines for people."""

    revision: int
    is_changed: bool
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventView:
    """One thing that happened. `seq` grows by one with each event of a run of the server. `numbers`: of the office,
    whom it concerns. `data` is what else there is to say, by the kind: see docs/api.md."""

    seq: int
    at: float
    kind: str
    numbers: tuple[str, ...] = ()
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Followed:
    """The beginning of a stream: `run` names this run of the server; events after `after` follow, all of them unless
    `is_gap`: some of them are known no more."""

    run: str
    after: int
    is_gap: bool = False


# --- requests, with the body of their `ok` -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetOffice:
    """→ `OfficeView`. `known`: the revision that the asker has."""

    known: int = 0


@dataclass(frozen=True, slots=True)
class ChangeOffice:
    """→ `ChangedView`. `change` is checked already; it was made from `revision`."""

    change: OfficeChange
    revision: int
    by: str
    source: str = "api"


@dataclass(frozen=True, slots=True)
class GetVersions:
    """→ list of `OfficeVersion` without documents, newest first."""


@dataclass(frozen=True, slots=True)
class GetVersion:
    """→ `OfficeVersion` or nil."""

    id: int


@dataclass(frozen=True, slots=True)
class GetStates:
    """→ dict: what is remembered in an area of the web process, by key; with `key` that alone, if it is there."""

    area: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class PutState:
    """→ bool: true. `value` None: forget it."""

    area: str
    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class AddAudit:
    """→ bool: true when it is stored."""

    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class GetAudit:
    """→ list of `AuditEntry`."""

    query: AuditQuery = field(default_factory=AuditQuery)


@dataclass(frozen=True, slots=True)
class GetRecording:
    """→ `StoredRecording` or nil."""

    id: str


@dataclass(frozen=True, slots=True)
class FollowEvents:
    """→ `Followed`, then `event` frames with lists of `EventView` for as long as the connection lasts. `after`: the
    last event that the asker has seen in `run`; -1: none, and only what comes is wanted."""

    after: int = -1
    run: str = ""


DeskRequest = (
    GetOffice
    | ChangeOffice
    | GetVersions
    | GetVersion
    | GetStates
    | PutState
    | AddAudit
    | GetAudit
    | GetRecording
)  # fmt: skip
DESK_REQUESTS: dict[str, type[DeskRequest] | type[FollowEvents]] = {
    "office": GetOffice,
    "change office": ChangeOffice,
    "versions": GetVersions,
    "version": GetVersion,
    "states": GetStates,
    "put state": PutState,
    "add audit": AddAudit,
    "audit": GetAudit,
    "recording": GetRecording,
    "follow": FollowEvents,
}
EVENT = "event"


class EventStream(Protocol):
    """The events of a run, from some moment on."""

    @property
    def start(self) -> Followed: ...

    async def next(self) -> Sequence[EventView]:
        """The next events, as soon as there are some."""

    def close(self) -> None: ...


class Desk(Protocol):
    """What answers these requests; a `ControlError` that it raises is told to the client."""

    async def answer(self, request: DeskRequest) -> object: ...

    def follow(self, request: FollowEvents) -> EventStream: ...
