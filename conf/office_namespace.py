"""Rules of `office.toml` about numbers: all kinds of them live in one namespace, and whatever names one names one that
exists."""

from collections.abc import Iterator
from itertools import chain

from conf.errors import KeyPath, Problem, path_text
from conf.office_fields import MAX_NUMBER_LENGTH, MIN_NUMBER_LENGTH, SERVICES
from conf.office_policies import MAX_SLOTS
from conf.office_values import Values, entries, items_of, table_of, texts, texts_of
from storage.records import Parking, fits

# FEAT-32: numbers of the test applications; nothing else could be called there.
RESERVED_NUMBERS = {
    "000063": "own-number announcement",
    "000064": "test tone",
    "000065": "recording test",
    "10003246": "echo test",
}
_NUMBERED = ("terminals", "groups", "queues", "ivrs", "conferences", "paging", "applications", "short_numbers")
_TARGETS = {
    "groups": ("timeout_target",),
    "queues": ("timeout_target", "empty_target", "attempts_target", "announcements_target"),
    "ivrs": ("default",),
    "off_hours": ("target",),
    "external_numbers": ("target", "closed_target"),
    "inbound_rules": ("target",),
}
_OF_TERMINALS = (("groups", "members"), ("paging", "members"), ("queues", "agents"), ("conferences", "call_out"))
_FORWARD = ("no_answer", "busy", "unavailable", "always", "closed")


def claims(values: Values) -> Iterator[tuple[KeyPath, str]]:
    """Every number or pattern that the office gives a meaning, with its place."""
    yield from _parking(values)
    yield from chain.from_iterable(texts(values, section, "number") for section in _NUMBERED)
    yield from texts(values, "calendars", "switch")


def problems_of_numbers(values: Values) -> Iterator[Problem]:
    """Numbers used twice or reserved, too long, and places that name a number that does not exist."""
    yield from _used_twice(values)
    yield from _too_long(values)
    yield from _dangling(values)
    yield from _not_a_terminal(values)
    yield from _lamps(values)


def _parking(values: Values) -> Iterator[tuple[KeyPath, str]]:
    parking, path = table_of(table_of(values, "features"), "parking"), ("features", "parking")
    number, slots = parking.get("number", Parking().number), parking.get("slots", Parking().slots)
    if not isinstance(number, str) or not number:
        return
    yield (*path, "number"), number
    first, _, last = slots.partition("-") if isinstance(slots, str) else ("", "", "")
    if first.isdecimal() and last.isdecimal():
        for slot in range(int(first), min(int(last), int(first) + MAX_SLOTS - 1) + 1):
            yield (*path, "slots"), str(slot).zfill(len(first))


def _used_twice(values: Values) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, number in chain(claims(values), texts(values, "users", "mobile")):
        same = number.lstrip("+")  # +7916… and 7916… are one mobile
        if same in RESERVED_NUMBERS:
            yield Problem(path, f'"{number}" is the number of the built-in {RESERVED_NUMBERS[same]}')
        elif same in first:
            yield Problem(path, f'"{number}" is already used by {_place(first[same])}')
        first.setdefault(same, path)


def _place(path: KeyPath) -> str:
    """The entry that has a number, or the whole path where it is no entry of a list."""
    return path_text(path[:2] if isinstance(path[1], int) else path)


def _too_long(values: Values) -> Iterator[Problem]:
    length = table_of(values, "office").get("number_length", 3)
    valid = isinstance(length, int) and MIN_NUMBER_LENGTH <= length <= MAX_NUMBER_LENGTH
    longest = length if valid and isinstance(length, int) else MAX_NUMBER_LENGTH
    for path, number in texts(values, "terminals", "number"):
        if longest < len(number) <= MAX_NUMBER_LENGTH and number.isdecimal() and number not in RESERVED_NUMBERS:
            yield Problem(path, f'"{number}" is longer than office.number_length allows ({longest} digits)')


def _targets(values: Values) -> Iterator[tuple[KeyPath, str]]:
    for section, keys in _TARGETS.items():
        yield from texts(values, section, *keys)
    for section, key in (("ivrs", "keys"), ("queues", "exit_keys")):
        for path, entry in entries(values, section):
            yield from items_of(entry, path, key)
    yield from texts_of(table_of(values, "inbound"), ("inbound",), "default")
    for path, terminal in entries(values, "terminals"):
        forward = table_of(terminal, "forward")
        yield from texts_of(forward, (*path, "forward"), *_FORWARD)
        yield from items_of(forward, (*path, "forward"), "callers")


def _dangling(values: Values) -> Iterator[Problem]:
    known = {number for _, number in claims(values)} | RESERVED_NUMBERS.keys()
    patterns = [number for number in known if "X" in number]
    mobiles = {mobile for _, mobile in texts(values, "users", "mobile")}
    for path, target in _targets(values):
        if target in SERVICES or target in known or target in mobiles or not target.lstrip("+").isdecimal():
            continue
        if not is_outside(target) and not any(fits(target, pattern) for pattern in patterns):
            yield Problem(path, f'there is no number "{target}"')
    known |= {number for _, number in texts(values, "external_numbers", "number")}  # VM-8
    for path, number in texts(values, "voicemail_boxes", "number"):
        if number != "voicemail" and number not in known:
            yield Problem(path, f'there is no number "{number}"')


def _not_a_terminal(values: Values) -> Iterator[Problem]:
    terminals = {number for _, number in texts(values, "terminals", "number")}
    mobiles = {mobile for _, mobile in texts(values, "users", "mobile")}
    for section, key in _OF_TERMINALS:
        for path, entry in entries(values, section):
            seen: set[str] = set()
            for place, number in items_of(entry, path, key):
                may_be_outside = key != "members" and (number in mobiles or is_outside(number))
                if number in seen:
                    yield Problem(place, f'"{number}" is named twice')
                elif number not in terminals and not may_be_outside:
                    yield Problem(place, f'there is no terminal "{number}"')
                seen.add(number)


def _lamps(values: Values) -> Iterator[Problem]:
    """Every member of a list is a number of the office, and once in it."""
    known = {number for _, number in claims(values)} | RESERVED_NUMBERS.keys()
    for path, entry in entries(values, "lamp_lists"):
        seen: set[str] = set()
        for place, number in items_of(entry, path, "members"):
            if number in seen:
                yield Problem(place, f'"{number}" is named twice')
            elif number.isdecimal() and number not in known:
                yield Problem(place, f'there is no number "{number}"')
            seen.add(number)


def is_outside(number: str) -> bool:
    """Whether a number can be none of the office."""
    return number.startswith("+") or len(number) > MAX_NUMBER_LENGTH
