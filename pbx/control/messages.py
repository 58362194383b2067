"""The control protocol: what the command line and the web ask of a running server, and what they get.

Frames on a unix stream socket: four bytes of length (big endian), then a msgpack array `[kind, body]`. The client
opens with `hello`; both sides must speak the same `PROTOCOL`. Each request is answered in order by `ok` with the body
that the request's comment names, or by `failed` with a sentence for people. Times named `…_at` are UTC seconds.
A new request or a new field with a default leaves `PROTOCOL` as it is: a server that does not know the request says so.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Literal, Protocol, TypeVar

import msgspec

from frozen import dataclass
from media.api import Interval
from pbx.control.backups import BACKUP_REQUESTS, BackupKeeper, BackupRequest
from pbx.control.clerk import CLERK_REQUESTS, Answers, ClerkRequest
from pbx.control.desk import DESK_REQUESTS, Desk, DeskRequest, FollowEvents
from pbx.control.errands import ERRAND_REQUESTS, ErrandRequest, Errands
from pbx.control.settings import GetSettings, SettingsView
from pbx.control.sounds import SOUND_REQUESTS, Librarian, SoundRequest
from storage.ports import HistoryQuery, RecordingQuery
from storage.records import CdrRow, StoredRecording

PROTOCOL = 1
LENGTH_BYTES = 4
MAX_FRAME = 64 * 1024 * 1024  # the largest office document is 16 MB

OK, FAILED = "ok", "failed"

T = TypeVar("T")


class ControlError(Exception):
    """Something that a person is told as it is: the text is one sentence, or one line for each mistake."""


class BadFrame(ControlError):
    """What arrived is not of this protocol; the connection is of no more use."""


# --- views ---------------------------------------------------------------------------------------------------------

CallState = Literal["ringing", "talking", "held"]


@dataclass(frozen=True, slots=True)
class CallView:
    """One call. `duration_s`: since the answer, else since the start. `codec_a`: on the caller's leg. `quality`: with
    the names of call history; `last_minute`: its five-second records of the two legs, `from` and `to`."""

    id: str
    linkedid: str
    from_number: str
    from_name: str
    to_number: str
    to_name: str
    state: CallState
    started_at: float
    answered_at: float | None = None
    duration_s: float = 0.0
    codec_a: str = ""
    codec_b: str = ""
    stage: str = "dial"
    quality: dict[str, float] = field(default_factory=dict)
    last_minute: dict[str, tuple[Interval, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitingView:
    """Somebody who waits in a queue."""

    call: str
    number: str
    name: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent of a queue. `state`: idle, ringing, busy, resting, paused, do not disturb, off duty,
    unavailable."""

    number: str
    name: str
    state: str
    answered: int = 0


@dataclass(frozen=True, slots=True)
class QueueView:
    """One queue: who waits, the next first, and its agents."""

    number: str
    name: str
    strategy: str
    waiting: tuple[WaitingView, ...] = ()
    agents: tuple[AgentView, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class RegistrationView:
    """One contact of a number. `received`: where its requests come from."""

    number: str
    contact: str
    received: str
    transport: str
    user_agent: str
    registered_at: float
    expires_in_s: float
    is_reachable: bool = True
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LineView:
    """One line to a provider. `state`: registered, reachable, unreachable, rejected, failed, trying, unchecked, off;
    `error` says in a sentence why it does not work; `address` is the server in use."""

    id: str
    name: str
    kind: str
    host: str
    state: str
    since_at: float
    error: str = ""
    address: str = ""
    transport: str = ""
    latency_ms: float | None = None
    expires_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One entry that a document changes; `details` are sentences without secrets."""

    action: Literal["add", "change", "remove"]
    kind: str
    key: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        sign = {"add": "+", "change": "~", "remove": "-"}[self.action]
        name = f"{sign} {self.kind} {self.key}".rstrip()
        return f"{name}: {', '.join(self.details)}" if self.details else name


@dataclass(frozen=True, slots=True)
class PlanView:
    """What a document would change, or did when `applied`; `notes`: what is new in it and may not be meant."""

    changes: tuple[ChangeView, ...] = ()
    applied: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordingFileView:
    """A sound file on this machine, and the name that it has for people."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class TracedMessageView:
    """One SIP message as it was outside encryption. `local` and `remote`: host and port; `inbound`: it came to us."""

    sent_at: float
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    inbound: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class TracedLegView:
    """One leg of a traced call: who, over which dialog, how its media was, as a whole and for each five seconds.
    `audio_from`: where its audio came from."""

    number: str
    name: str
    direction: str
    sip_call_id: str
    quality: dict[str, float] = field(default_factory=dict)
    intervals: tuple[Interval, ...] = ()
    audio_from: str = ""


@dataclass(frozen=True, slots=True)
class TraceView:
    """The messages of one call, oldest first. `call` is empty for a dialog that belongs to no call."""

    call: str
    legs: tuple[TracedLegView, ...] = ()
    messages: tuple[TracedMessageView, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule that a call meets at `number`, which the app `app` controls: whether it holds for the call, and why.
    `title` is the name of the rule in the language that was asked for, `kind` that of the app."""

    number: str
    name: str
    app: str
    rule: str
    matched: bool
    why: str
    title: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """What would become of a call now, or has become of one. `targets`: who rings or answers; without any `cause` is
    the word that history has for its end. `result` says it in a sentence, in `language` as all the others."""

    from_number: str
    to_number: str
    rules: tuple[RuleView, ...]
    targets: tuple[str, ...]
    result: str
    cause: str = ""
    language: str = "en"


# --- requests, with the body of their `ok` -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """→ `Welcome`."""

    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Welcome:
    protocol: int
    pid: int


@dataclass(frozen=True, slots=True)
class GetStatus:
    """→ dict: the live dump of every layer."""


@dataclass(frozen=True, slots=True)
class GetRegistrations:
    """→ list of `RegistrationView`."""


@dataclass(frozen=True, slots=True)
class GetCalls:
    """→ list of `CallView`."""


@dataclass(frozen=True, slots=True)
class GetQueues:
    """→ list of `QueueView`."""


@dataclass(frozen=True, slots=True)
class GetLines:
    """→ list of `LineView`."""


@dataclass(frozen=True, slots=True)
class GetHistory:
    """→ list of `CdrRow`."""

    query: HistoryQuery = field(default_factory=HistoryQuery)


@dataclass(frozen=True, slots=True)
class TraceCall:
    """→ `TraceView`. `wanted`: the id of a call, a linkedid or a SIP Call-ID."""

    wanted: str
    with_secrets: bool = False


@dataclass(frozen=True, slots=True)
class HangUp:
    """→ bool: whether there was such a call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Originate:
    """→ str: the id of the call. `by_itself`: a single phone of `from_number` is asked to answer at once, with
    `every_phone` each of several. `shown_name`, `shown_number`: who that phone shows as calling, else who is called."""

    from_number: str
    to_number: str
    by_itself: bool = True
    every_phone: bool = False
    shown_name: str = ""
    shown_number: str = ""


@dataclass(frozen=True, slots=True)
class Intercept:
    """→ str: the id of the call in which the phone `to_number` is rung for the call `call_id`, or the one that rings
    longest at `number`, which nobody has answered yet (FEAT-30)."""

    to_number: str
    number: str = ""
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class TransferCall:
    """→ str: the id of the call in which the caller goes on to `to_number`."""

    call_id: str
    to_number: str


@dataclass(frozen=True, slots=True)
class ExplainCall:
    """→ `ExplanationView`. Without `to_number` that of a call that there was: `from_number` is its id. `at`: when the
    call comes, in UTC seconds; None: now. `language`: of its sentences; "" is that of the office."""

    from_number: str
    to_number: str
    at: float | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class PlanOffice:
    """→ `PlanView`. `source_name` is the name of the document in sentences about it."""

    text: str
    source_name: str


@dataclass(frozen=True, slots=True)
class ApplyOffice:
    """→ `PlanView`, applied."""

    text: str
    source_name: str


@dataclass(frozen=True, slots=True)
class ExportOffice:
    """→ str: the document."""

    with_secrets: bool = False


@dataclass(frozen=True, slots=True)
class GetRecordings:
    """→ list of `StoredRecording`."""

    query: RecordingQuery = field(default_factory=RecordingQuery)


@dataclass(frozen=True, slots=True)
class ExportRecording:
    """→ `RecordingFileView`: the recording as MP3. The file may be gone after an hour."""

    id: str


@dataclass(frozen=True, slots=True)
class SendTestMail:
    """→ str: what became of a letter to `address`."""

    address: str


Request = (
    Hello
    | GetStatus
    | GetRegistrations
    | GetCalls
    | GetQueues
    | GetLines
    | GetHistory
    | TraceCall
    | HangUp
    | Originate
    | Intercept
    | TransferCall
    | ExplainCall
    | PlanOffice
    | ApplyOffice
    | ExportOffice
    | GetRecordings
    | ExportRecording
    | SendTestMail
    | BackupRequest
    | GetSettings
    | ClerkRequest
    | SoundRequest
    | ErrandRequest
    | DeskRequest
    | FollowEvents
)

REQUESTS: dict[str, type[Request]] = {
    "hello": Hello,
    "status": GetStatus,
    "registrations": GetRegistrations,
    "calls": GetCalls,
    "queues": GetQueues,
    "lines": GetLines,
    "history": GetHistory,
    "trace": TraceCall,
    "hangup": HangUp,
    "originate": Originate,
    "intercept": Intercept,
    "transfer": TransferCall,
    "explain": ExplainCall,
    "plan": PlanOffice,
    "apply": ApplyOffice,
    "export": ExportOffice,
    "recordings": GetRecordings,
    "export recording": ExportRecording,
    "test mail": SendTestMail,
    **BACKUP_REQUESTS,
    "settings": GetSettings,
    **CLERK_REQUESTS,
    **SOUND_REQUESTS,
    **ERRAND_REQUESTS,
    **DESK_REQUESTS,
}
KINDS = {request: kind for kind, request in REQUESTS.items()}


class Operator(Protocol):
    """The running server as the control socket sees it. A `ControlError` raised by a method is told to the client."""

    @property
    def desk(self) -> Desk: ...

    @property
    def clerk(self) -> Answers: ...

    @property
    def library(self) -> Librarian: ...

    @property
    def backups(self) -> BackupKeeper: ...

    @property
    def errands(self) -> Errands: ...

    async def status(self) -> dict[str, object]: ...

    async def registrations(self) -> Sequence[RegistrationView]: ...

    async def calls(self) -> Sequence[CallView]: ...

    async def queues(self) -> Sequence[QueueView]: ...

    async def lines(self) -> Sequence[LineView]: ...

    async def history(self, query: HistoryQuery) -> Sequence[CdrRow]: ...

    async def trace(self, wanted: str, with_secrets: bool) -> TraceView: ...

    async def hangup(self, call_id: str) -> bool: ...

    async def originate(self, wanted: Originate) -> str: ...

    async def intercept(self, wanted: Intercept) -> str: ...

    async def transfer(self, call_id: str, to_number: str) -> str: ...

    async def explain(self, asked: ExplainCall) -> ExplanationView: ...

    async def plan(self, text: str, source_name: str) -> PlanView: ...

    async def apply(self, text: str, source_name: str) -> PlanView: ...

    async def export(self, with_secrets: bool) -> str: ...

    async def recordings(self, query: RecordingQuery) -> Sequence[StoredRecording]: ...

    async def export_recording(self, id: str) -> RecordingFileView: ...

    async def test_mail(self, address: str) -> str: ...

    async def settings(self) -> SettingsView: ...


# --- frames --------------------------------------------------------------------------------------------------------


class Frame(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    body: msgspec.Raw


def encode_frame(kind: str, body: object) -> bytes:
    """One frame on the wire; raises `ControlError` when it is too large to be taken."""
    payload = msgspec.msgpack.encode((kind, body))
    if len(payload) > MAX_FRAME:
        raise ControlError(f"the answer is larger than {MAX_FRAME // 1024 // 1024} MB; ask for less at a time")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def encode_request(request: Request) -> bytes:
    return encode_frame(KINDS[type(request)], request)


def frame_length(head: bytes) -> int:
    """The length that the first four bytes announce; raises `BadFrame` when nobody means that."""
    length = int.from_bytes(head, "big")
    if not 0 < length <= MAX_FRAME:
        raise BadFrame(f"a frame of {length} bytes is not of this protocol")
    return length


def decode_frame(payload: bytes) -> Frame:
    return _decode(payload, Frame)


def decode_request(frame: Frame) -> Request:
    if (request := REQUESTS.get(frame.kind)) is None:
        raise BadFrame("this zvon does not know such a request; use the `zvon` command of the running version")
    return _decode(frame.body, request)


def decode_body(frame: Frame, body: type[T]) -> T:
    """The body of an `ok`; a `failed` is raised as `ControlError`."""
    if frame.kind == FAILED:
        raise ControlError(_decode(frame.body, str))
    return _decode(frame.body, body)


def _decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(f"what arrived is not of this protocol: {error}") from None
