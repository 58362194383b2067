"""Templates of new entries (API-1, USR-12): defaults, a free number, a password."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any

from conf.errors import path_text
from conf.export import entry_values
from conf.office_namespace import RESERVED_NUMBERS, claims
from conf.passwords import generate_password
from storage.records import OfficeList, Terminal, record_of
from web.core import Snapshot
from web.draft import Values

FIRST_NUMBER = 200
FEWEST_DIGITS = 3  # AMB-1: what people are offered; a document may have shorter ones


def template(of: OfficeList, snapshot: Snapshot) -> Values:
    """What a form for a new entry begins with."""
    required: dict[str, Any] = {of.key: ""}
    if of.key == "number":
        required["number"] = free_number(snapshot)
    if of.record is Terminal:
        required["password"] = generate_password()
    blank = {name: "" for name in required_fields(of.record) if name not in required}
    return entry_values(record_of(of.record, blank | required))


def required_fields(record: Any) -> list[str]:
    """The fields without a default."""
    return [each.name for each in fields(record) if each.default is MISSING and each.default_factory is MISSING]


def free_number(snapshot: Snapshot, beside: Iterable[str] | None = None) -> str:
    """The lowest gap at or above the smallest of the numbers `beside` (of all terminals), 200 where there is none yet
    (USR-12); "" when all are taken."""
    taken = {number for _, number in claims(snapshot.values)} | set(RESERVED_NUMBERS)
    length = snapshot.office.number_length
    known = (each.number for each in snapshot.office.terminals) if beside is None else beside
    own = [int(number) for number in known if len(number) == length]
    numbers = range(min(own, default=FIRST_NUMBER), 10**length)
    return next((found for each in numbers if (found := str(each).zfill(length)) not in taken), "")


def taken_by(snapshot: Snapshot, number: str) -> str:
    """Why nobody new can have that number, as a sentence; "" when it is free."""
    office = snapshot.office
    fewest, most = min(FEWEST_DIGITS, office.number_length), office.number_length
    if not (number.isascii() and number.isdecimal()) or not fewest <= len(number) <= most:
        return f"a number has {fewest} to {most} digits" if fewest < most else f"a number has {most} digits"
    if number in RESERVED_NUMBERS:
        return f"it is the number of the built-in {RESERVED_NUMBERS[number]}"
    for path, taken in claims(snapshot.values):
        if taken == number:
            return f"it is already used by {path_text(path[:2] if isinstance(path[1], int) else path)}"
    return ""
