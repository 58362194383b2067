"""Requests about what surrounds the calls: who is open when, which addresses are banned."""

from typing import Literal, Protocol

from frozen import dataclass
from pbx.control.history import HISTORY_REQUESTS, HistoryRequest


@dataclass(frozen=True, slots=True)
class CalendarView:
    """One calendar as it is now. `until_at`: when that changes, None when nothing is near; `error`: why the calendar
    that it is linked to cannot be had."""

    id: str
    name: str
    base: str
    is_open: bool
    why: str
    until_at: float | None = None
    is_switched: bool = False
    error: str = ""


SwitchTo = Literal["open", "closed", "hours"]


@dataclass(frozen=True, slots=True)
class GetCalendars:
    """→ list of `CalendarView`."""


@dataclass(frozen=True, slots=True)
class SwitchCalendar:
    """→ `CalendarView`. Open or close by hand until the next boundary; "hours": follow its hours again (CAL-18)."""

    id: str
    to: SwitchTo


@dataclass(frozen=True, slots=True)
class BanView:
    """An address that was banned (SEC-14); moments are UTC seconds. `reasons`: how often each; `service`: "sip" or
    "web", where it is not heard."""

    source: str
    since_at: float
    until_at: float
    is_active: bool
    reasons: dict[str, int]
    service: str = "sip"


@dataclass(frozen=True, slots=True)
class GetBans:
    """→ list of `BanView`, newest first; with `search` those whose address or reasons have that text."""

    search: str = ""


@dataclass(frozen=True, slots=True)
class AccountFailureView:
    """Failed sign-ins of one account from one address (EXT-23); moments are UTC seconds."""

    number: str
    source: str
    count: int
    reason: str
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class GetFailures:
    """→ list of `AccountFailureView`, the latest first; of one account or of all."""

    number: str = ""


@dataclass(frozen=True, slots=True)
class ClearFailures:
    """→ True: the failures of that account count anew."""

    number: str


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One contact of an account, from its registration until the end of it (EXT-22); moments are UTC seconds,
    `until_at` None: it is registered. `address`, `port`: where its requests came from last; `latency_ms`: of its last
    answer to OPTIONS."""

    number: str
    contact: str
    address: str
    port: int
    user_agent: str
    latency_ms: float | None
    since_at: float
    until_at: float | None = None


@dataclass(frozen=True, slots=True)
class GetDevices:
    """→ list of `DeviceView` of the last 24 hours, those that are registered first; of one account or of all."""

    number: str = ""


@dataclass(frozen=True, slots=True)
class RemoveBan:
    """→ True: the address is heard again."""

    source: str


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A network to choose from (SEC-1): of the office, with its `id`; one that this machine is in; all addresses."""

    network: str
    kind: Literal["office", "own", "all"]
    id: str = ""
    name: str = ""
    priority: int = 0
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GetNetworks:
    """→ list of `NetworkView`: those of the office as they are looked through, then what stands ready."""


@dataclass(frozen=True, slots=True)
class BorderView:
    """Who may reach the web. `run` and `seq` name this state. `banned`: addresses, and for how many seconds yet; 0: no
    longer. `is_whole`: nothing that was told before counts, and `networks` are all of them: the first that has an
    address decides which services it may reach."""

    run: str
    seq: int
    is_whole: bool
    banned: dict[str, float]
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class WatchBorder:
    """→ `BorderView`: what is new since `seq` of `run`, as soon as there is something, after `wait_s` at the latest.
    `refused`: requests that were not answered since the last time."""

    run: str = ""
    seq: int = 0
    wait_s: float = 0.0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class CountFailure:
    """→ bool: whether nothing of that address is answered from now on. An attack on the web, or what looks like one,
    came from it (SEC-12)."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class GetMissed:
    """→ list of `MissedCall`, the oldest first."""

    open_only: bool = True


@dataclass(frozen=True, slots=True)
class CallBack:
    """→ str: the id of the call. The phone of the terminal `from_number` calls the client of a missed call."""

    id: str
    from_number: str


@dataclass(frozen=True, slots=True)
class CloseMissed:
    """→ `MissedCall`: closed by hand."""

    id: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """A table: names of columns with their units, and rows. Columns that end in `_at` are UTC seconds."""

    name: str
    from_at: float
    to_at: float
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True, slots=True)
class GetReport:
    """→ `ReportView`. The last day, where no period is given. `step`: "hour" or "day"; `by`: what the rows are of;
    `within_s`: an answer that is quick; `talk_s`: a talk that counts; the limits are those of terminals that make
    trouble; `kind` and `subject` choose events; `stages` those of the funnel, none: all; `location` the people of a
    room or department, where a report is of people or their terminals."""

    name: str
    from_at: float | None = None
    to_at: float | None = None
    step: Literal["", "hour", "day"] = ""
    by: str = ""
    within_s: float = 20.0
    talk_s: float = 0.0
    latency_ms: float = 150.0
    losses_a_day: float = 3.0
    unavailable_min: float = 30.0
    kind: str = ""
    subject: str = ""
    stages: tuple[str, ...] = ()
    location: str = ""


ClerkRequest = (
    GetCalendars
    | SwitchCalendar
    | GetBans
    | RemoveBan
    | WatchBorder
    | GetNetworks
    | CountFailure
    | GetFailures
    | ClearFailures
    | GetDevices
    | GetMissed
    | CallBack
    | CloseMissed
    | GetReport
    | HistoryRequest
)
CLERK_REQUESTS: dict[str, type[ClerkRequest]] = {
    "calendars": GetCalendars,
    "switch calendar": SwitchCalendar,
    "bans": GetBans,
    "remove ban": RemoveBan,
    "watch border": WatchBorder,
    "networks": GetNetworks,
    "count failure": CountFailure,
    "failures": GetFailures,
    "clear failures": ClearFailures,
    "devices": GetDevices,
    "missed": GetMissed,
    "call back": CallBack,
    "close missed": CloseMissed,
    "report": GetReport,
    **HISTORY_REQUESTS,
}


class Answers(Protocol):
    """Whoever answers these requests; a `ControlError` that it raises is told to the client."""

    async def answer(self, request: ClerkRequest) -> object: ...
