"""What happened, as frozen data: everything that observers (history, presence, live view) hear about.

`at` is wall-clock time, UTC seconds. Events of one call carry its `call` and come in order: `CallStarted` first,
`CallEnded` last, when no leg is alive.
"""

from dataclasses import field
from enum import StrEnum

from frozen import dataclass
from pbx.cause import Cause
from pbx.party import Party
from pbx.quality import Measured
from pbx.said import Said
from storage.records import AuditEntry, MissedCall, StoredRecording, VoiceMessage

CallId = str
LegId = int
BridgeId = int


class Direction(StrEnum):
    """Of a leg, seen from Zvon: who sent the INVITE."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class RegistrationChange(StrEnum):
    ADDED = "added"
    REFRESHED = "refreshed"
    REMOVED = "removed"
    EXPIRED = "expired"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class CallStarted:
    """`to` is who was dialled; `linkedid` is shared by all rows of one conversation. `stage` is that of the rows when
    who was dialled does not say it: "transfer". `provider` is the id of the account over which the call came,
    `external_number` what was called there. `transfer`: "blind" or "attended", what the call came of."""

    at: float
    call: CallId
    linkedid: str
    caller: Party
    to: Party
    stage: str = ""
    provider: str = ""
    external_number: str = ""
    transfer: str = ""


@dataclass(frozen=True, slots=True)
class StageEntered:
    """An app controls the call from now on: `party` is the number it stands behind, `stage` the word of its row."""

    at: float
    call: CallId
    party: Party
    stage: str


@dataclass(frozen=True, slots=True)
class StageLeft:
    """It does no longer, for that cause (None: the caller is gone); `digits` is what the caller dialled there."""

    at: float
    call: CallId
    cause: Cause | None
    digits: str = ""


@dataclass(frozen=True, slots=True)
class LegCreated:
    """`is_callee`: an incoming leg that takes the place of who was called (RFC 3891); `is_caller`: an outgoing one to
    who wants to call (RFC 3725). Legs of one `attempt` ring one number at the same time; 0: there is only one.
    `provider`: over whose line it leads outside, where the caller is known as `external_number`."""

    at: float
    call: CallId
    leg: LegId
    party: Party
    direction: Direction
    sip_call_id: str
    is_callee: bool = False
    is_caller: bool = False
    attempt: int = 0
    provider: str = ""
    external_number: str = ""

    @property
    def is_of_caller(self) -> bool:
        """On the side of who calls."""
        return self.is_caller or (self.direction is Direction.INCOMING and not self.is_callee)


@dataclass(frozen=True, slots=True)
class LegRinging:
    """`tags`: of the early dialog with the phone, ours and its own."""

    at: float
    call: CallId
    leg: LegId
    tags: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """An outgoing leg was answered by its party, or an incoming one by us. `tags`: of the dialog, ours and its own."""

    at: float
    call: CallId
    leg: LegId
    tags: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class LegMoved:
    """A living leg belongs to `call` from now on: on the caller's side, or (`is_callee`) as who was wanted."""

    at: float
    call: CallId
    leg: LegId
    party: Party
    sip_call_id: str
    is_callee: bool = False


@dataclass(frozen=True, slots=True)
class CallLinked:
    """The call belongs to the conversation `linkedid` from now on: a transfer has joined two (CDR-18).
    `is_consultation`: it was the talk before the transfer."""

    at: float
    call: CallId
    linkedid: str
    is_consultation: bool = False


@dataclass(frozen=True, slots=True)
class LegEnded:
    """`measured`: what the media engine knows of this leg; nothing when it was not answered."""

    at: float
    call: CallId
    leg: LegId
    cause: Cause
    measured: Measured = field(default_factory=Measured)


@dataclass(frozen=True, slots=True)
class BridgeFormed:
    at: float
    call: CallId
    bridge: BridgeId
    legs: tuple[LegId, ...]


@dataclass(frozen=True, slots=True)
class LegHoldChanged:
    """The party put the other side on hold, or came back."""

    at: float
    call: CallId
    leg: LegId
    held: bool


@dataclass(frozen=True, slots=True)
class BridgeEnded:
    at: float
    call: CallId
    bridge: BridgeId


@dataclass(frozen=True, slots=True)
class RoomMember:
    """Who is in a conference, at which leg, since when."""

    leg: LegId
    party: Party
    since: float
    is_muted: bool = False
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class RosterChanged:
    """Who is in the conference `number` now, in the order in which they came."""

    at: float
    number: str
    members: tuple[RoomMember, ...]


@dataclass(frozen=True, slots=True)
class LegTalking:
    """A participant of a conference has begun to talk, or is quiet again (CNF-7)."""

    at: float
    call: CallId
    leg: LegId
    talks: bool


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """Somebody's words are kept in the file `path` from now on; `entry` is what the index has of it, None for a file
    that whoever asked takes care of."""

    at: float
    call: CallId
    recording: int
    path: str
    entry: StoredRecording | None = None


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """The file is complete. `reason` is "finished", or a sentence that says why it ended before its time."""

    at: float
    call: CallId
    recording: int
    path: str
    seconds: float
    reason: str
    entry: StoredRecording | None = None


@dataclass(frozen=True, slots=True)
class CallEnded:
    at: float
    call: CallId
    cause: Cause


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    at: float
    number: str
    contact: str
    change: RegistrationChange


@dataclass(frozen=True, slots=True)
class MessagesChanged:
    """Other messages wait for `number` than before."""

    at: float
    number: str


@dataclass(frozen=True, slots=True)
class VoiceMessageLeft:
    """A message is in a mailbox; `call` may have ended before."""

    at: float
    call: CallId
    message: VoiceMessage


@dataclass(frozen=True, slots=True)
class FaxReceived:
    """Pages have come to the external number `number` and lie as TIFF in `file`. `station`: how the sender calls
    itself; `problem`: why it ended before its time, "" when all went well."""

    at: float
    call: CallId
    number: str
    from_number: str
    from_name: str
    file: str
    pages: int
    station: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MailSent:
    """A mail server has taken a letter; `attachment` is the file that went with it, below the data folder."""

    at: float
    kind: str
    recipient: str
    attachment: str = ""


@dataclass(frozen=True, slots=True)
class DiskShort:
    """The disk is nearly full, and there are no older recordings to delete any more."""

    at: float
    free_mb: int


@dataclass(frozen=True, slots=True)
class BackupFailed:
    """A backup by the clock was not made, or not copied elsewhere, `why` in a sentence."""

    at: float
    why: str


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    """Recordings end before their time, `why` in a sentence; told once until one ends as it should."""

    at: float
    call: CallId
    why: str


@dataclass(frozen=True, slots=True)
class ProviderChanged:
    """A line to a provider works, or does not; `error` is a sentence that says why not."""

    at: float
    provider: str
    state: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class OfficeChanged:
    """Another version of the office is in force."""

    at: float
    revision: int
    by: str


@dataclass(frozen=True, slots=True)
class CallMissed:
    """Nobody answered a call from outside; it is open until somebody has talked to the client."""

    at: float
    missed: MissedCall


@dataclass(frozen=True, slots=True)
class MissedCallClosed:
    at: float
    missed: MissedCall


@dataclass(frozen=True, slots=True)
class CallsLost:
    """So many calls from outside were lost within `minutes` that an alarm of the office went off; `number` is the
    external number or queue that it watches, "" for all."""

    at: float
    alarm: str
    number: str
    calls: int
    minutes: int


@dataclass(frozen=True, slots=True)
class CalendarSwitched:
    """A calendar was opened or closed by hand, or (not `is_switched`) follows its hours again. `number`: its switch."""

    at: float
    calendar: str
    number: str
    is_switched: bool


@dataclass(frozen=True, slots=True)
class AgentBreak:
    """An agent of queues takes a break, or (`is_over`) is back."""

    at: float
    number: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class OutsideRefused:
    """A limit of calls outside has "stopped" or "cut" a call of `who`, or it was only "noticed" (`action`); `why` is
    the end of a sentence."""

    at: float
    call: CallId
    who: str
    number: str
    why: Said
    action: str = "stopped"


@dataclass(frozen=True, slots=True)
class Audited:
    """Somebody has done something through the API, or signed in there."""

    at: float
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class AddressBanned:
    """An address that attacks is not heard until then; `reasons`: how often each."""

    at: float
    source: str
    until_at: float
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SystemPasswordsChanged:
    """A password or an account of the operating system, with which people sign in over SSH, is another one."""

    at: float


@dataclass(frozen=True, slots=True)
class NewVersion:
    """Zvon is to be had in a later version than this one; `notes`: what there is to say about it."""

    at: float
    version: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class PresencePublished:
    """The devices of `number` say something else of their user than before."""

    at: float
    number: str


CallEvent = (
    CallStarted
    | StageEntered
    | StageLeft
    | CallLinked
    | LegCreated
    | LegRinging
    | LegAnswered
    | LegMoved
    | LegEnded
    | BridgeFormed
    | BridgeEnded
    | RosterChanged
    | LegTalking
    | RecordingStarted
    | CallEnded
)
BusEvent = (
    CallEvent
    | LegHoldChanged
    | RecordingEnded
    | RegistrationChanged
    | MessagesChanged
    | VoiceMessageLeft
    | FaxReceived
    | MailSent
    | PresencePublished
    | ProviderChanged
    | CalendarSwitched
    | AgentBreak
    | CallMissed
    | MissedCallClosed
    | CallsLost
    | DiskShort
    | RecordingFailed
    | BackupFailed
    | OutsideRefused
    | OfficeChanged
    | Audited
    | AddressBanned
    | SystemPasswordsChanged
    | NewVersion
)
