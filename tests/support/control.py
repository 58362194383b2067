"""A server for tests of the control socket and of the command line: canned answers, remembered questions."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from media.api import Interval
from pbx.control.backups import BackupKeeper
from pbx.control.clerk import (
    AccountFailureView,
    BanView,
    CalendarView,
    ClearFailures,
    ClerkRequest,
    DeviceView,
    GetBans,
    GetDevices,
    GetFailures,
    RemoveBan,
    SwitchCalendar,
)
from pbx.control.desk import Desk
from pbx.control.errands import Errands
from pbx.control.history import ConversationView, ForgetHistory, Forgotten, GetConversations, NumbersOf
from pbx.control.messages import (
    AgentView,
    CallView,
    ChangeView,
    ControlError,
    ExplainCall,
    ExplanationView,
    Intercept,
    LineView,
    Originate,
    PlanView,
    QueueView,
    RecordingFileView,
    RegistrationView,
    RuleView,
    TraceView,
    WaitingView,
)
from pbx.control.place import DataFolderLock
from pbx.control.server import ControlServer
from pbx.control.settings import SettingsView, SettingView
from pbx.control.sounds import Librarian
from storage.ports import HistoryQuery, RecordingQuery
from storage.records import CdrRow, StoredRecording

T = 1_700_000_000.0  # 2023-11-14T22:13:20Z

CALM = Interval(250, 250, 0, 0.4, 21, 4.37, None, None, None)
CALL = CallView(
    "c1", "zvon-1.1", "101", "Anna", "102", "Борис", "talking", T, T + 5.25, 12.5, "PCMA", "PCMU",
    quality={"from_mos": 4.37}, last_minute={"from": (CALM,)},
)  # fmt: skip
LINES = [
    LineView(
        "telco", "Телеком", "register", "sip.example.net", "registered", T, "", "192.0.2.9:5060", "udp", 12.5, 95.0
    ),
    LineView("gate", "", "ip", "192.0.2.8:5070", "unreachable", T, "the provider does not answer"),
]
CALENDARS = (
    CalendarView("office-hours", "Часы", "ru", False, "hours of sat", T),
    CalendarView("linked", "", "none", True, "hours of sat, 10:00-14:00", error="HTTP 404"),
)
DEVICES = [
    DeviceView("201", "sip:201@10.0.0.5:5060", "10.0.0.5", 5060, "Desk 1.2", 12.5, T),
    DeviceView("201", "sip:201@10.0.0.6:5060", "203.0.113.9", 1024, "Soft", None, T - 3600, T - 60),
]
FAILED = AccountFailureView("201", "203.0.113.7", 3, "wrong password", T, T + 60)
BAN = BanView("203.0.113.7", T, T + 600, True, {"wrong password": 20, "scanner": 1})
RINGING = CallView("c2", "zvon-1.2", "103", "", "104", "", "ringing", T)
REGISTRATION = RegistrationView(
    "101", "sip:101@10.0.0.5:5062", "203.0.113.9:40000", "udp", "Phone 1.0", T + 0.5, expires_in_s=99.5
)
ROW = CdrRow(
    id="c1-1",
    linkedid="zvon-1.1",
    started_at=T,
    answered_at=T + 5.25,
    ended_at=T + 17.75,
    talk_seconds=12.5,
    from_number="101",
    from_name="Anna",
    to_number="102",
    to_name="Борис",
    disposition="ANSWERED",
    cause="normal",
    sip_call_ids=("a@x", "b@y"),
    quality={"from_jitter_ms": 1.5},
)
CONVERSATION = ConversationView(
    "zvon-1.1", T, T + 20, "101", "Anna", "74950000000", "", "missed", "missed", "NOANSWER", (), False, 20.0, 0.0, (), 2
)  # fmt: skip
RECORDINGS = [
    StoredRecording(
        *("2023/11/14/22/c1-call-1", "c1", "zvon-1.1", T, "101", "102", "Anna", "call", "done"),
        seconds=12.5,
        channels=2,
        caller_channel=1,
        format="opus",
        suffix=".opus",
    ),
    StoredRecording("2023/11/14/22/c2-call-2", "c2", "zvon-1.2", T + 60, "103", "104"),
]
PLAN = PlanView((ChangeView("add", "terminal", "106"), ChangeView("change", "terminal", "101", ("max_calls 1 -> 2",))))


QUEUES = [
    QueueView(
        "500",
        "Sales",
        "ringall",
        (WaitingView("zvon-1.9", "101", "Анна", 75.0),),
        (AgentView("201", "Борис", "busy", 3), AgentView("202", "", "idle")),
    ),
    QueueView("501", "Support", "linear"),
]


EXPLANATION = ExplanationView(
    "101",
    "102",
    (
        RuleView("102", "Борис", "terminal", "forward.always", True, "goes on to 103"),
        RuleView("103", "", "terminal", "do not disturb", False, "switched off"),
    ),
    ("103",),
    "final target: 103 rings at sip:103@10.0.0.7 (udp)",
)


@dataclass
class FakeOperator:
    """Implements `Operator`; a document that says so is refused, one that breaks breaks the operator."""

    calls_now: list[CallView] = field(default_factory=lambda: [CALL, RINGING])
    lines_now: list[LineView] = field(default_factory=lambda: LINES)
    rows: list[CdrRow] = field(default_factory=lambda: [ROW])
    queries: list[HistoryQuery] = field(default_factory=list)
    applied: list[tuple[str, str]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    originated: list[tuple[str, str, bool]] = field(default_factory=list)
    transferred: list[tuple[str, str]] = field(default_factory=list)
    traces: dict[str, TraceView] = field(default_factory=dict)
    traced: list[tuple[str, bool]] = field(default_factory=list)
    requests: list[ClerkRequest] = field(default_factory=list)
    recording_queries: list[RecordingQuery] = field(default_factory=list)
    mp3: Path | None = None

    @property
    def desk(self) -> Desk:
        raise ControlError("this server has no desk")

    @property
    def backups(self) -> BackupKeeper:
        raise ControlError("this server has no backups")

    @property
    def library(self) -> Librarian:
        raise ControlError("this server has no sounds")

    @property
    def errands(self) -> Errands:
        raise ControlError("nobody runs errands here")

    @property
    def clerk(self) -> "FakeOperator":
        return self

    async def answer(self, request: ClerkRequest) -> object:
        self.requests.append(request)
        match request:
            case SwitchCalendar(id, to):
                return CalendarView(id, "", "none", to == "open", "by hand", T, is_switched=to != "hours")
            case GetDevices():
                return DEVICES
            case GetFailures():
                return [FAILED]
            case ClearFailures(number):
                if number != FAILED.number:
                    raise ControlError(f"no sign-in of {number} has failed")
                return True
            case GetBans():
                return [BAN]
            case GetConversations(query):
                return [CONVERSATION][query.offset : query.offset + query.limit]
            case NumbersOf():
                return ["201"]
            case ForgetHistory():
                return Forgotten(3, 1)
            case RemoveBan(source):
                if source != BAN.source:
                    raise ControlError(f"{source} is not banned")
                return True
            case _:
                return list(CALENDARS)

    async def status(self) -> dict[str, object]:
        return {"version": "0.1.0", "uptime_s": 12, "sip": {"udp": "127.0.0.1:5060", "dropped": {"no_via": 3}}}

    async def registrations(self) -> Sequence[RegistrationView]:
        return [REGISTRATION]

    async def calls(self) -> Sequence[CallView]:
        return self.calls_now

    async def queues(self) -> Sequence[QueueView]:
        return QUEUES

    async def lines(self) -> Sequence[LineView]:
        return self.lines_now

    async def history(self, query: HistoryQuery) -> Sequence[CdrRow]:
        self.queries.append(query)
        rows = [row for row in self.rows if query.linkedid in ("", row.linkedid)]
        return rows[query.offset : query.offset + query.limit]

    async def trace(self, wanted: str, with_secrets: bool) -> TraceView:
        self.traced.append((wanted, with_secrets))
        if wanted not in self.traces:
            raise ControlError(f"there is no call {wanted}")
        return self.traces[wanted]

    async def hangup(self, call_id: str) -> bool:
        self.hung_up.append(call_id)
        return any(call.id == call_id for call in self.calls_now)

    async def originate(self, wanted: Originate) -> str:
        if wanted.to_number == "999":
            raise ControlError("nobody has the number 999")
        self.originated.append((wanted.from_number, wanted.to_number, wanted.by_itself))
        return "zvon-1.9"

    async def intercept(self, wanted: Intercept) -> str:
        raise ControlError(f"nothing rings at {wanted.number}")

    async def transfer(self, call_id: str, to_number: str) -> str:
        if call_id != CALL.id:
            raise ControlError(f"there is no call {call_id} now; `zvon calls` lists them")
        self.transferred.append((call_id, to_number))
        return "zvon-1.10"

    async def explain(self, asked: ExplainCall) -> ExplanationView:
        if asked.from_number != EXPLANATION.from_number:
            raise ControlError(f"{asked.from_number} is none of this office; FROM is the number of a terminal")
        return EXPLANATION

    async def plan(self, text: str, source_name: str) -> PlanView:
        if "refused" in text:
            raise ControlError(f"{source_name}:1: office.name: refused\n{source_name}:2: refused too")
        if "broken" in text:
            raise LookupError("a bug")
        return PLAN if text else PlanView()

    async def apply(self, text: str, source_name: str) -> PlanView:
        view = await self.plan(text, source_name)
        self.applied.append((text, source_name))
        return PlanView(view.changes, applied=True)

    async def recordings(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        self.recording_queries.append(query)
        return RECORDINGS[query.offset : query.offset + query.limit]

    async def export_recording(self, id: str) -> RecordingFileView:
        if self.mp3 is None or id not in [each.id for each in RECORDINGS]:
            raise ControlError(f"there is no recording {id}; `zvon recordings list` shows them")
        return RecordingFileView(str(self.mp3), "2023-11-14_22-13-20_101_102.mp3")

    async def test_mail(self, address: str) -> str:
        if address.startswith("nobody"):
            raise ControlError(f"the mail server refuses the recipient {address}")
        return f"the mail server took the letter to {address}"

    async def settings(self) -> SettingsView:
        return SettingsView("/etc/zvon.toml", (SettingView("sip.udp", "[a]", "[b]"),), 2, 30, "1 setting waits")

    async def export(self, with_secrets: bool) -> str:
        return '[office]\nname = "Horns"\n' + ('password = "x"\n' if with_secrets else "")


@asynccontextmanager
async def control_server(data: Path, operator: FakeOperator) -> AsyncIterator[ControlServer]:
    lock = DataFolderLock.acquire(data)
    server = ControlServer(lock, operator)
    await server.start()
    try:
        yield server
    finally:
        await server.close()
        lock.release()
