"""Calls from outside in `office.toml`: external numbers, rules, numbers and lists of callers."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator

from conf.fields import choice, text, whole_number
from conf.model import Section
from conf.office_calendars import ExternalNumber
from conf.office_fields import Email, Id, IdOrNone, Ids, Name, Note, ScriptOrNone, Target, TargetOrNone

_PATTERN = re.compile(r"_?[A-Za-z0-9+.!*#\[\]-]{0,50}")
_CLASS = re.compile(r"\[[0-9-]+\]")


def _number_pattern(value: object) -> str:
    """INB-10."""
    found = text(value)
    rest = _CLASS.sub("", found)
    if not _PATTERN.fullmatch(found) or "[" in rest or "]" in rest:
        raise ValueError(f'must be digits with X, Z, N, [1-5], . or !, or a name, at most 50, not "{found}"')
    return found


def _caller_pattern(value: object) -> str:
    found = _number_pattern(value)
    if not found:
        raise ValueError("must not be empty")
    return found


def _digits(value: object) -> str:
    found = text(value)
    if not re.fullmatch(r"\+?[0-9]{0,15}", found):
        raise ValueError(f'must be digits, with or without a + before them, not "{found}"')
    return found


Seconds = Annotated[int, PlainValidator(whole_number(0, 7400))]
Callers = Annotated[tuple[Annotated[str, PlainValidator(_caller_pattern)], ...], Field(strict=False)]
Digits = Annotated[str, PlainValidator(_digits)]


class ExternalNumberSection(Section):
    """One of `[[external_numbers]]` (INB-1)."""

    number: ExternalNumber
    provider: Id
    target: TargetOrNone = ""
    timeout: Seconds = 0
    name: Name = ""
    note: Note = ""
    greeting: IdOrNone = ""
    direct_dial: bool = False
    dial_timeout: Annotated[int, PlainValidator(whole_number(1, 60))] = 7
    # AMB-2: how often the greeting is played.
    dial_attempts: Annotated[int, PlainValidator(whole_number(1, 10))] = 1
    calendar: IdOrNone = ""
    # AMB-15: outside the hours a message is offered.
    closed_target: TargetOrNone = "voicemail"
    closed_sound: IdOrNone = ""
    last_agent: bool = False
    # AMB-16
    last_agent_days: Annotated[int, PlainValidator(whole_number(1, 3650))] = 30
    last_agent_ring: Annotated[int, PlainValidator(whole_number(1, 300))] = 30
    last_agent_inbound: bool = False
    # REC-4: where nothing is said, the policy of the office decides.
    record_in: bool | None = None
    record_out: bool | None = None
    show_name: bool = False
    disabled: bool = False
    # INB-31: numbers of callers can be forged.
    employee_dial: bool = False
    fax: Annotated[str, PlainValidator(choice("off", "detect", "only"))] = "off"
    fax_email: Email = ""


class InboundRuleSection(Section):
    """One of `[[inbound_rules]]` (INB-9)."""

    id: Id
    provider: IdOrNone = ""
    number: Annotated[str, PlainValidator(_number_pattern)] = ""
    target: Target
    timeout: Seconds = 120
    sound: IdOrNone = ""
    priority: Annotated[int, PlainValidator(whole_number(0, 9999))] = 0
    name: Name = ""
    note: Note = ""
    disabled: bool = False


class NumberRuleSection(Section):
    """One of `[[number_rules]]` (INB-26)."""

    id: Id
    provider: IdOrNone = ""
    length: Annotated[int, PlainValidator(whole_number(0, 20))] = 0
    prefix: Digits = ""
    replace: Digits = ""


class CallerListSection(Section):
    """One of `[[caller_lists]]` (INB-27)."""

    id: Id
    kind: Annotated[str, PlainValidator(choice("black", "white"))] = "black"
    provider: IdOrNone = ""
    callers: Callers = ()
    note: Note = ""


class InboundSection(Section):
    """`[inbound]` (INB-16, AMB-12, CAL-14)."""

    default: Target = "busy"
    sound: IdOrNone = ""
    only_own_number: bool = False
    always_open_callers: Callers = ()
    always_open_providers: Ids = ()
    script: ScriptOrNone = ""
    # REG-17: anybody on the Internet could ring here.
    guests: bool = False
