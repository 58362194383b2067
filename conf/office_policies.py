"""What holds for the whole office in `office.toml`: codes, parking, forwarding, recording, voicemail,
missed calls."""

import re
from typing import Annotated

from pydantic import PlainValidator

from conf.fields import choice, text, text_up_to, whole_number
from conf.model import Section
from conf.office_fields import Email, Id, IdOrNone, Note, Patterns, lines_up_to, number

MAX_SLOTS = 100

_CALL_CODE = re.compile(r"[*#][0-9*#]{1,7}")
_DIALLED_CODE = re.compile(r"[0-9*#]{2,8}")
_SLOTS = re.compile(r"([0-9]{2,8})-([0-9]{2,8})")


def _call_code(value: object) -> str:
    """A code of a conversation; without a sign in front the other side would miss digits that are meant for it."""
    found = text(value)
    if found and not _CALL_CODE.fullmatch(found):
        raise ValueError(f'must be * or # and 1 to 7 more keys 0-9 * #, not "{found}"')
    return found


def _dialled_code(value: object) -> str:
    found = text(value)
    if found and not _DIALLED_CODE.fullmatch(found):
        raise ValueError(f'must be 2 to 8 of the keys 0-9 * #, not "{found}"')
    return found


def _slots(value: object) -> str:
    found = text(value)
    parts = _SLOTS.fullmatch(found)
    if not parts or len(parts[1]) != len(parts[2]) or parts[1] > parts[2]:
        raise ValueError(f'must be two numbers of the same length such as "891-899", not "{found}"')
    if int(parts[2]) - int(parts[1]) >= MAX_SLOTS:
        raise ValueError(f"must be at most {MAX_SLOTS} numbers")
    return found


def _number_or_none(value: object) -> str:
    return "" if value == "" else number(value)


CallCode = Annotated[str, PlainValidator(_call_code)]
DialledCode = Annotated[str, PlainValidator(_dialled_code)]


class ParkingSection(Section):
    """`parking` of `[features]` (FEAT-14…17)."""

    number: Annotated[str, PlainValidator(_number_or_none)] = "890"
    slots: Annotated[str, PlainValidator(_slots)] = "891-899"
    timeout: Annotated[int, PlainValidator(whole_number(5, 3600))] = 50


class FeaturesSection(Section):
    """`[features]` (FEAT-1)."""

    blind_transfer: CallCode = "**"
    attended_transfer: CallCode = "##"
    abort: CallCode = "*0"
    park: CallCode = "*2"
    # REC-14: whoever may not be recorded against the policy is safe until the office decides otherwise.
    record: CallCode = ""
    pickup: DialledCode = "*8"
    voicemail: DialledCode = "*001"
    dnd_on: DialledCode = "*78"
    dnd_off: DialledCode = "*79"
    forward_on: DialledCode = "*72"
    forward_off: DialledCode = "*73"
    agent_login: DialledCode = "*91"
    agent_logout: DialledCode = "*90"
    agent_pause: DialledCode = "*46"
    listen: DialledCode = "*55"
    whisper: DialledCode = "*56"
    barge: DialledCode = "*57"
    code_timeout_ms: Annotated[int, PlainValidator(whole_number(500, 10_000))] = 2500
    target_timeout: Annotated[int, PlainValidator(whole_number(1, 30))] = 3
    transfer_timeout: Annotated[int, PlainValidator(whole_number(5, 300))] = 45
    # FEAT-10: transfers outside are how offices are defrauded.
    transfer_outside: Patterns = ()
    # FEAT-28: terminals, or patterns of them, that see substitutes for the numbers of clients.
    masked: Patterns = ()
    call_waiting_notice: bool = False
    parking: ParkingSection = ParkingSection()


class ForwardingSection(Section):
    """`[forwarding]` (FWD-12, FWD-14, FWD-17, GRP-10)."""

    skip_internal: bool = False
    skip_blind_transfer: bool = False
    skip_attended_transfer: bool = False
    skip_groups: bool = False
    max_forwards: Annotated[int, PlainValidator(whole_number(1, 50))] = 10
    same_provider: bool = False


class RecordingSection(Section):
    """`[recording]` (REC-*)."""

    enabled: bool = True
    internal: bool = True
    stereo: bool = True
    # AMB-19: a third of the size of MP3 at the same quality; downloads are MP3 anyway.
    format: Annotated[str, PlainValidator(choice("opus", "mp3", "wav"))] = "opus"
    notice_in: IdOrNone = ""
    notice_out: IdOrNone = ""
    keep_days: Annotated[int, PlainValidator(whole_number(0, 36_500))] = 360
    min_free_mb: Annotated[int, PlainValidator(whole_number(0, 1_000_000))] = 500


class VoicemailSection(Section):
    """`[voicemail]` (VM-2, VM-3, VM-5)."""

    email: Email = ""
    max_length: Annotated[int, PlainValidator(whole_number(5, 3600))] = 120
    max_silence: Annotated[int, PlainValidator(whole_number(1, 60))] = 10
    subject: Annotated[str, PlainValidator(text_up_to(255))] = ""
    body: Annotated[str, PlainValidator(lines_up_to(10_000))] = ""
    footer: Annotated[str, PlainValidator(lines_up_to(2_000))] = ""


def _line(value: object) -> str:
    """An external number or a queue, or none."""
    found = text(value)
    if not re.fullmatch(r"\+?[A-Za-z0-9._*#-]{0,50}", found):
        raise ValueError(f'must be an external number or a queue, not "{found}"')
    return found.removeprefix("+")


class LostCallAlarmSection(Section):
    """One of `[[lost_call_alarms]]` (NOT-7)."""

    id: Id
    number: Annotated[str, PlainValidator(_line)] = ""
    # Three in ten minutes is no chance any longer, and early enough to save the next ones.
    calls: Annotated[int, PlainValidator(whole_number(1, 1000))] = 3
    minutes: Annotated[int, PlainValidator(whole_number(1, 1440))] = 10
    calendar: IdOrNone = ""
    email: Email = ""
    note: Note = ""


class MissedCallsSection(Section):
    """`[missed_calls]` (NOT-4)."""

    subject: Annotated[str, PlainValidator(text_up_to(255))] = ""
    body: Annotated[str, PlainValidator(lines_up_to(10_000))] = ""
    footer: Annotated[str, PlainValidator(lines_up_to(2_000))] = ""
