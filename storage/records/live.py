"""What a running server keeps: registrations, subscriptions, texts, letters, recordings, messages, call history."""

from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Registration:
    """One contact binding as stored: survives a restart. `path`, `received` and `flow` are opaque text."""

    aor: str
    contact: str
    call_id: str
    cseq: int
    expires_at: float
    registered_at: float
    q: float = 1.0
    user_agent: str = ""
    received: str = ""
    transport: str = "udp"
    instance: str = ""
    reg_id: int = 0
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A subscription of `watcher` to what `number` does: survives a restart. `machine` is opaque; its moments are those
    of a clock that showed `epoch_at` as wall-clock time at zero."""

    id: str
    expires_at: float
    watcher: str
    package: str
    number: str
    host: str
    machine: str
    epoch_at: float


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text message that waits for its addressee `number` (RFC 3428), `sender_name` as it was when it was sent."""

    id: str
    number: str
    sender: str
    sent_at: float
    expires_at: float
    body: bytes
    sender_name: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A mail that waits to be sent: tried `attempts` times, next at `due_at`. `attachment` is a file below the data
    folder that goes with the last letter that names it; `attachment_name` is what the recipient sees."""

    id: str
    kind: str
    recipient: str
    subject: str
    text: str
    created_at: float
    due_at: float
    attempts: int = 0
    attachment: str = ""
    attachment_name: str = ""


@dataclass(frozen=True, slots=True)
class StoredState:
    """A small value that a feature remembers over a restart: `area` is the feature, `id` both with a slash between."""

    id: str
    area: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """What was said in a call, as a file. `id` is its path below the folder of recordings without `suffix`, which
    changes when it is converted to `format`. `kind`: "call", or "message" that was left in a mailbox. `state`:
    "running", "done", "failed" (nothing was kept). `caller_channel` 1 or 2 has the caller; 0: all are mixed."""

    id: str
    call: str
    linkedid: str
    started_at: float
    from_number: str
    to_number: str
    from_name: str = ""
    kind: str = "call"
    state: str = "running"
    seconds: float = 0.0
    channels: int = 1
    caller_channel: int = 0
    format: str = "wav"
    suffix: str = ".wav"


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """A message in the mailbox of a number; `id` is that of its recording. `state`: "new", "heard" or "saved"."""

    id: str
    mailbox: str
    received_at: float
    seconds: float
    from_number: str
    from_name: str = ""
    linkedid: str = ""
    state: str = "new"


@dataclass(frozen=True, slots=True)
class MissedCall:
    """A call from outside that no human answered (INB-6): `id` is its linkedid, `number` who called over the external
    number `line`, `stage` and `at_number` where the call was last. Open while `closed_at` is 0; `closed_by` is "client"
    who called again, "callback" or "hand", `closed_with` the number of the office that talked. `tries`:
    how often it was called back in vain."""

    id: str
    number: str
    name: str
    line: str
    provider: str
    missed_at: float
    waited_s: float
    stage: str
    at_number: str
    closed_at: float = 0.0
    closed_by: str = ""
    closed_with: str = ""
    tries: int = 0
    tried_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What the owner of a mailbox has set by phone. `id` is its number; `greeting` a file below the data folder. `pin`
    is salted; it counts as long as the office's own PIN is the one that `pin_of` was made from."""

    id: str
    greeting: str = ""
    pin: str = field(default="", repr=False)
    pin_of: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CdrRow:
    """One row of call history (CDR-15, `interface.md` section 5). `stage`: dial, application, …; `transfer`: "blind" or
    "attended", what this talk came of; "consultation": the talk before it (CDR-18)."""

    id: str
    linkedid: str
    started_at: float
    ended_at: float
    from_number: str
    to_number: str
    disposition: str
    answered_at: float | None = None
    talk_seconds: float = 0.0
    from_name: str = ""
    to_name: str = ""
    external_number: str = ""
    provider_in: str = ""
    provider_out: str = ""
    stage: str = "dial"
    cause: str = ""
    sip_call_ids: tuple[str, ...] = ()
    digits: str = ""
    recording: str = ""  # ids of recordings, a space between them
    quality: dict[str, float] = field(default_factory=dict)
    transfer: str = ""

    @property
    def call(self) -> str:
        """The call that the row is of, as `zvon trace` takes it."""
        return self.id.rpartition("-")[0]
