"""What holds for the whole office: codes, recording, voicemail, forwarding. Times are seconds unless a name says
otherwise."""

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Parking:
    """The number that parks (FEAT-14) and the slots "first-last" (FEAT-15); number "" is no parking."""

    number: str = "890"
    slots: str = "891-899"
    timeout: int = 50


@dataclass(frozen=True, slots=True)
class Features:
    """Codes (FEAT-1), "" is none. Those of a call are pressed while talking, the others are dialled; of these, some are
    followed by a number."""

    blind_transfer: str = "**"
    attended_transfer: str = "##"
    abort: str = "*0"
    park: str = "*2"
    record: str = ""
    pickup: str = "*8"
    voicemail: str = "*001"
    dnd_on: str = "*78"
    dnd_off: str = "*79"
    forward_on: str = "*72"
    forward_off: str = "*73"
    agent_login: str = "*91"
    agent_logout: str = "*90"
    agent_pause: str = "*46"
    listen: str = "*55"
    whisper: str = "*56"
    barge: str = "*57"
    code_timeout_ms: int = 2500
    target_timeout: int = 3
    transfer_timeout: int = 45
    transfer_outside: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    call_waiting_notice: bool = False
    parking: Parking = Parking()


CALL_CODES = ("blind_transfer", "attended_transfer", "abort", "park", "record")
DIALLED_CODES = (
    "pickup", "voicemail", "dnd_on", "dnd_off", "forward_on", "forward_off",
    "agent_login", "agent_logout", "agent_pause", "listen", "whisper", "barge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """What is recorded (REC-1, REC-2) and how; the notices are ids of sounds that both parties hear (REC-9).
    Deleted with its history after `keep_days` (REC-10; 0: never), earlier where the disk is full (REC-11)."""

    enabled: bool = True
    internal: bool = True
    stereo: bool = True
    format: str = "opus"
    notice_in: str = ""
    notice_out: str = ""
    keep_days: int = 360
    min_free_mb: int = 500


@dataclass(frozen=True, slots=True)
class VoicemailPolicy:
    """Limits of messages (VM-2) and the e-mail with which they are sent (VM-3, VM-5)."""

    email: str = ""
    max_length: int = 120
    max_silence: int = 10
    subject: str = ""
    body: str = ""
    footer: str = ""


@dataclass(frozen=True, slots=True)
class MissedCallsPolicy:
    """The e-mail about a call that nobody answered (NOT-4); "" is the text of the language."""

    subject: str = ""
    body: str = ""
    footer: str = ""


@dataclass(frozen=True, slots=True)
class LostCallAlarm:
    """Somebody is told at once when within `minutes` so many `calls` from outside were lost (NOT-7): those of an
    external number or queue `number`, "" for all, while the calendar is open, "" for always. `email` "": the
    administrator."""

    id: str
    number: str = ""
    calls: int = 3
    minutes: int = 10
    calendar: str = ""
    email: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ForwardingPolicy:
    """When the rules of terminals are left aside (FWD-12, GRP-10), and how often one call is sent on (FWD-17).
    `same_provider`: what is sent on outside goes first over the provider that brought it (FWD-14)."""

    skip_internal: bool = False
    skip_blind_transfer: bool = False
    skip_attended_transfer: bool = False
    skip_groups: bool = False
    max_forwards: int = 10
    same_provider: bool = False
