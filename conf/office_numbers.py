"""What else has a number in `office.toml`: groups, queues, menus, conferences, paging, applications, mailboxes; and the
sounds that they play."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator

from conf.fields import choice, text, text_up_to, whole_number
from conf.model import Section
from conf.office_fields import (
    Agent,
    Agents,
    Email,
    Id,
    IdOrNone,
    Ids,
    Keys,
    Name,
    Note,
    Number,
    Numbers,
    Pin,
    ScriptNumber,
    Target,
    TargetOrNone,
    identifier,
)

_SHORT_NAME = re.compile(r"[\w ]*")
_PRESSED = re.compile(r"[0-9*#,]{0,40}")
_CALLBACK_KEY = re.compile(r"[0-9*#]?")


def _short_name(value: object) -> str:
    """QUE-4: phones show it before the caller's name."""
    found = text_up_to(50)(value)
    if not _SHORT_NAME.fullmatch(found) or "_" in found:
        raise ValueError(f'may hold only letters, digits and spaces, not "{found}"')
    return found


def _one_key(value: object) -> str:
    found = text(value)
    if not _CALLBACK_KEY.fullmatch(found):
        raise ValueError(f'must be one of the keys 0-9 * #, not "{found}"')
    return found


def _dialled_outside(value: object) -> str:
    found = text(value)
    if not re.fullmatch(r"\+?[0-9]{1,20}", found):
        raise ValueError(f'must be a number outside, with or without a + before it, not "{found}"')
    return found


def _outside_or_none(value: object) -> str:
    return "" if value == "" else _dialled_outside(value)


def _pressed(value: object) -> str:
    """FEAT-31: what is pressed once somebody has answered."""
    found = text(value)
    if not _PRESSED.fullmatch(found):
        raise ValueError(f'may hold up to 40 of the keys 0-9 * # and "," for a pause, not "{found}"')
    return found


def _list_id(value: object) -> str:
    """A name, so that it can be no number of the office."""
    found = identifier(value)
    if found.replace("-", "").replace(".", "").isdigit():
        raise ValueError(f'needs a letter, so that it is no number, not "{found}"')
    return found


def _mailbox(value: object) -> str:
    """A number, or the box of everybody who has none."""
    found = text(value)
    if found != "voicemail" and not re.fullmatch(r"\+?[0-9]{2,15}", found):
        raise ValueError(f'must be a number or "voicemail", not "{found}"')
    return found


class GroupSection(Section):
    """One of `[[groups]]` (GRP-1)."""

    number: Number
    name: Name = ""
    note: Note = ""
    members: Numbers = ()
    strategy: Annotated[str, PlainValidator(choice("ringall", "linear", "random"))] = "ringall"
    ring_time: Annotated[int, PlainValidator(whole_number(1, 300))] = 30
    ignore_forwarding: bool = False
    timeout_target: TargetOrNone = ""


class CallbackSection(Section):
    """`callback` of a queue (QUE-30)."""

    key: Annotated[str, PlainValidator(_one_key)] = ""
    missed: bool = False
    attempts: Annotated[int, PlainValidator(whole_number(1, 100))] = 5
    delay: Annotated[int, PlainValidator(whole_number(1, 3600))] = 30
    min_talk: Annotated[int, PlainValidator(whole_number(0, 3600))] = 5
    look_back: Annotated[int, PlainValidator(whole_number(1, 86400))] = 300


class QueueSection(Section):
    """One of `[[queues]]` (QUE-*)."""

    number: Number
    name: Name = ""
    note: Note = ""
    short_name: Annotated[str, PlainValidator(_short_name)] = ""
    separator: Annotated[str, PlainValidator(text_up_to(5))] = ":"
    agents: Agents = ()
    dynamic_agents: bool = False
    penalties: dict[Agent, Annotated[int, PlainValidator(whole_number(0, 100))]] = Field(default_factory=dict)
    skills: Ids = ()
    strategy: Annotated[
        str, PlainValidator(choice("ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "linear"))
    ] = "ringall"
    # QUE-12: three rings, then the next agent; a caller never waits for an empty desk.
    ring_time: Annotated[int, PlainValidator(whole_number(1, 300))] = 15
    retry: Annotated[int, PlainValidator(whole_number(0, 300))] = 1
    reject_pause: Annotated[int, PlainValidator(whole_number(0, 3600))] = 0
    wrap_up: Annotated[int, PlainValidator(whole_number(0, 300))] = 15
    ring_in_use: bool = False
    caller_hears: Annotated[str, PlainValidator(choice("ringing", "music"))] = "ringing"
    music: IdOrNone = ""
    announce_position: bool = False
    announce_wait: bool = False
    announcement: IdOrNone = ""
    announce_every: Annotated[int, PlainValidator(whole_number(0, 600))] = 0
    max_wait: Annotated[int, PlainValidator(whole_number(0, 3600))] = 300
    timeout_target: TargetOrNone = ""
    empty_target: TargetOrNone = ""
    max_attempts: Annotated[int, PlainValidator(whole_number(1, 100))] = 3
    attempts_target: TargetOrNone = ""
    max_announcements: Annotated[int, PlainValidator(whole_number(1, 100))] = 3
    announcements_target: TargetOrNone = ""
    exit_keys: dict[Keys, Target] = Field(default_factory=dict)
    callback: CallbackSection = CallbackSection()


Phrase = Annotated[str, PlainValidator(text_up_to(100, at_least=1))]


class IvrSection(Section):
    """One of `[[ivrs]]` (IVR-*)."""

    number: Number
    # IVR-9: who cannot send tones must still reach somebody.
    default: Target
    name: Annotated[str, PlainValidator(text_up_to(255))] = ""
    note: Note = ""
    greeting: IdOrNone = ""
    timeout: Annotated[int, PlainValidator(whole_number(1, 60))] = 7
    digit_timeout: Annotated[int, PlainValidator(whole_number(1, 10))] = 2
    # AMB-2: how often the greeting is played.
    attempts: Annotated[int, PlainValidator(whole_number(1, 10))] = 3
    allow_internal: bool = False
    keys: dict[Keys, Target] = Field(default_factory=dict)
    phrases: dict[Keys, Annotated[tuple[Phrase, ...], Field(strict=False)]] = Field(default_factory=dict)


class ConferenceSection(Section):
    """One of `[[conferences]]` (CNF-*)."""

    number: Number
    name: Name = ""
    note: Note = ""
    pin: Pin = None
    record: bool = True
    # AMB-24: nobody is turned away unless somebody wants it so.
    max_participants: Annotated[int, PlainValidator(whole_number(0, 100_000))] = 0
    # CNF-9: who is called when somebody of the office comes in first.
    outside: Annotated[str, PlainValidator(_outside_or_none)] = ""
    outside_digits: Annotated[str, PlainValidator(_pressed)] = ""
    call_out: Numbers = ()
    broadcast: bool = False


class PagingSection(Section):
    """One of `[[paging]]` (FEAT-27)."""

    number: Number
    name: Name = ""
    note: Note = ""
    members: Numbers = ()


class ApplicationSection(Section):
    """One of `[[applications]]` (FEAT-36). `file` is relative to the document."""

    number: ScriptNumber
    file: Annotated[str, PlainValidator(text_up_to(4096, at_least=1))]
    name: Annotated[str, PlainValidator(text_up_to(50))] = ""
    note: Note = ""


class ShortNumberSection(Section):
    """One of `[[short_numbers]]` (FEAT-31)."""

    number: Number
    to: Annotated[str, PlainValidator(_dialled_outside)]
    digits: Annotated[str, PlainValidator(_pressed)] = ""
    name: Name = ""
    note: Note = ""


class VoicemailBoxSection(Section):
    """One of `[[voicemail_boxes]]` (VM-7, VM-8)."""

    number: Annotated[str, PlainValidator(_mailbox)]
    pin: Pin = None
    greeting: IdOrNone = ""
    email: Email = ""
    delete_mailed: bool = False
    disabled: bool = False


class SoundSection(Section):
    """One of `[[sounds]]` (SND-*). `file` is relative to the document."""

    id: Id
    file: Annotated[str, PlainValidator(text_up_to(4096, at_least=1))]
    music: bool = False
    name: Annotated[str, PlainValidator(text_up_to(200))] = ""
    note: Note = ""


class LampListSection(Section):
    """One of `[[lamp_lists]]`: lamps of many numbers for one subscription (RFC 4662)."""

    id: Annotated[str, PlainValidator(_list_id)]
    members: Numbers = ()
