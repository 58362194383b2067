"""Checks of single values that several sections of `office.toml` need."""

import re
from typing import Annotated, TypeVar

from pydantic import Field, PlainValidator

from conf.fields import Check, email_or_empty, network, text, text_up_to
from conf.model import kind_of
from conf.networks import is_id

MIN_NUMBER_LENGTH = 2
MAX_NUMBER_LENGTH = 8
LANGUAGES = ("en", "ru")
# Where a call may be sent instead of to a number (FEAT-35).
SERVICES = ("hangup", "busy", "voicemail", "did2user")

T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TARGET = re.compile(r"\+?[0-9]{2,15}")
_KEYS = re.compile(r"[0-9*#]{1,10}")
_OUTSIDE = re.compile(r"\+?[0-9]{1,20}")
_PATTERN = re.compile(r"[0-9X]{1,15}")
_LOGIN = re.compile(r"[A-Za-z0-9+._@-]{1,128}")
_SCRIPT_NUMBER = re.compile(r"[0-9X*#+]{1,64}")


def identifier(value: object) -> str:
    found = text(value)
    if not _ID.fullmatch(found):
        raise ValueError(f'must be 1 to 64 letters A-Z a-z, digits or . _ -, not "{found}"')
    return found


def number(value: object) -> str:
    found = text(value)
    if not re.fullmatch(rf"[0-9]{{{MIN_NUMBER_LENGTH},{MAX_NUMBER_LENGTH}}}", found):
        raise ValueError(f'must be {MIN_NUMBER_LENGTH} to {MAX_NUMBER_LENGTH} digits, not "{found}"')
    return found


def pin(value: object) -> str:
    """Nothing, or digits (CNF-2)."""
    found = text_up_to(20)(value)
    if found and not (found.isascii() and found.isdecimal()):
        raise ValueError("may hold only digits")
    return found


def target(value: object) -> str:
    """Where a call is sent; whether that exists is a matter of the whole document."""
    found = text(value)
    if not _TARGET.fullmatch(found) and found not in SERVICES:
        services = ", ".join(SERVICES)
        raise ValueError(f'must be a number of the office, an outside number or one of {services}, not "{found}"')
    return found


def agent(value: object) -> str:
    """A terminal, or a number outside (QUE-5)."""
    found = text(value)
    if not _TARGET.fullmatch(found):
        raise ValueError(f'must be the number of a terminal or an outside number, not "{found}"')
    return found


def target_or_none(value: object) -> str:
    return "" if value == "" else target(value)


def keys(value: object) -> str:
    """What is dialled in a menu (IVR-3)."""
    found = text(value)
    if not _KEYS.fullmatch(found):
        raise ValueError(f'must be 1 to 10 of the keys 0-9 * #, not "{found}"')
    return found


def pattern(value: object) -> str:
    found = text(value)
    if not _PATTERN.fullmatch(found):
        raise ValueError(f'must be 1 to 15 digits, with X for any digit, not "{found}"')
    return found


def outside_number(value: object) -> str:
    """Nothing, or the number that is shown to others outside."""
    found = text(value)
    if found and not _OUTSIDE.fullmatch(found):
        raise ValueError(f'must be 1 to 20 digits, with or without a + before them, not "{found}"')
    return found


def network_or_any(value: object) -> str:
    """Nothing, the addresses that something is limited to, or the id of a network that has them (SEC-1)."""
    found = text(value)
    if is_id(found):
        return identifier(found)
    if found:
        network(found)
    return found


def login(value: object) -> str:
    """Nothing, or a user name of SIP."""
    found = text(value)
    if found and not _LOGIN.fullmatch(found):
        raise ValueError(f'may hold only letters A-Z a-z, digits and + . _ - @, at most 128, not "{found}"')
    return found


def script_number(value: object) -> str:
    """The number of an application (FEAT-36)."""
    found = text(value)
    if not _SCRIPT_NUMBER.fullmatch(found):
        raise ValueError(f'must be 1 to 64 of the characters 0-9 * # + and X for any digit, not "{found}"')
    return found


def lines_up_to(limit: int) -> Check[str]:
    """Text of several lines."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be text in quotes, not {kind_of(value)}")
        if len(value) > limit:
            raise ValueError(f"must be at most {limit} characters long, not {len(value)}")
        if not all(each.isprintable() or each in "\n\t" for each in value):
            raise ValueError("must not contain control characters")
        return value

    return Check(check, {"type": "string", "maxLength": limit})


# What the sections are made of.
Id = Annotated[str, PlainValidator(identifier)]
IdOrNone = Annotated[str, PlainValidator(lambda value: "" if value == "" else identifier(value))]
Number = Annotated[str, PlainValidator(number)]
Target = Annotated[str, PlainValidator(target)]
TargetOrNone = Annotated[str, PlainValidator(target_or_none)]
Keys = Annotated[str, PlainValidator(keys)]
Email = Annotated[str, PlainValidator(email_or_empty)]
Pin = Annotated[str | None, PlainValidator(pin), Field(repr=False)]  # None: the key is absent, what is stored stays
Login = Annotated[str, PlainValidator(login)]
NetworkOrAny = Annotated[str, PlainValidator(network_or_any)]
ScriptNumber = Annotated[str, PlainValidator(script_number)]
ScriptOrNone = Annotated[str, PlainValidator(lambda value: "" if value == "" else script_number(value))]
Name = Annotated[str, PlainValidator(text_up_to(100))]
Note = Annotated[str, PlainValidator(text_up_to(500))]
OutsideNumber = Annotated[str, PlainValidator(outside_number)]
RouteName = Annotated[str, PlainValidator(text_up_to(100, at_least=1))]
RouteNames = Annotated[tuple[RouteName, ...], Field(strict=False)]
Ids = Annotated[tuple[Id, ...], Field(strict=False)]
Numbers = Annotated[tuple[Number, ...], Field(strict=False)]
Agent = Annotated[str, PlainValidator(agent)]
Agents = Annotated[tuple[Agent, ...], Field(strict=False)]
Patterns = Annotated[tuple[Annotated[str, PlainValidator(pattern)], ...], Field(strict=False)]
