"""Rules of `office.toml` that hold between entries: unique numbers and ids, owners who exist, passwords.

They read the raw values, so that they speak even where some other key of the same entry is wrong.
"""

from collections.abc import Iterator, Mapping

from conf.errors import KeyPath, Problem
from conf.office import MAX_NUMBER_LENGTH, MIN_NUMBER_LENGTH
from conf.passwords import weakness

Values = Mapping[str, object]

# FEAT-32: numbers of the test applications; a terminal with such a number could never be called.
RESERVED_NUMBERS = {
    "000063": "own-number announcement",
    "000064": "test tone",
    "000065": "recording test",
    "10003246": "echo test",
}


def problems_between(values: Values, stored_passwords: Mapping[str, str] | None) -> Iterator[Problem]:
    """Every broken rule. `stored_passwords`: number → password of the office in force, None when it is not known."""
    yield from _used_twice(values, "users", "id")
    yield from _used_twice(values, "users", "mobile")
    yield from _used_twice(values, "terminals", "number")
    yield from _used_twice(values, "providers", "id")
    yield from _used_twice(values, "sounds", "id")
    yield from _numbers(values)
    yield from _owners(values)
    yield from _scopes(values)
    yield from _passwords(values, stored_passwords)
    yield from _logins(values)


def _entries(values: Values, section: str) -> Iterator[tuple[KeyPath, Values]]:
    found = values.get(section)
    for index, entry in enumerate(found if isinstance(found, list) else ()):
        if isinstance(entry, dict):
            yield (section, index), entry


def _texts(values: Values, section: str, key: str) -> Iterator[tuple[KeyPath, str]]:
    for path, entry in _entries(values, section):
        value = entry.get(key)
        if isinstance(value, str) and value:
            yield (*path, key), value


def _used_twice(values: Values, section: str, key: str) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, value in _texts(values, section, key):
        same = value.lstrip("+")  # +7916… and 7916… are one mobile
        if same in first:
            yield Problem(path, f'"{value}" is already used by {section}[{first[same][1]}]')
        first.setdefault(same, path)


def _number_length(values: Values) -> int:
    office = values.get("office")
    length = office.get("number_length", 3) if isinstance(office, dict) else 3
    valid = isinstance(length, int) and MIN_NUMBER_LENGTH <= length <= MAX_NUMBER_LENGTH
    return length if valid else MAX_NUMBER_LENGTH


def _numbers(values: Values) -> Iterator[Problem]:
    longest = _number_length(values)
    for path, number in _texts(values, "terminals", "number"):
        if longest < len(number) <= MAX_NUMBER_LENGTH and number.isdecimal():
            yield Problem(path, f'"{number}" is longer than office.number_length allows ({longest} digits)')
        elif number in RESERVED_NUMBERS:
            yield Problem(path, f'"{number}" is the number of the built-in {RESERVED_NUMBERS[number]}')


def _owners(values: Values) -> Iterator[Problem]:
    users = {user for _, user in _texts(values, "users", "id")}
    for path, owner in _texts(values, "terminals", "owner"):
        if owner not in users:
            yield Problem(path, f'there is no user "{owner}"')


def _scopes(values: Values) -> Iterator[Problem]:
    known = {"all"} | {f"user:{user}" for _, user in _texts(values, "users", "id")}
    for path, entry in _entries(values, "users"):
        scope = entry.get("scope")
        if not isinstance(scope, list) or not scope:
            continue
        if entry.get("role") != "supervisor":
            yield Problem((*path, "scope"), 'only a user with role = "supervisor" has a scope')
        for index, name in enumerate(scope):
            kind, _, target = name.partition(":") if isinstance(name, str) else ("", "", "")
            if kind in ("user", "group") and target and name not in known:
                yield Problem((*path, "scope", index), f'there is no {kind} "{target}"')


def _logins(values: Values) -> Iterator[Problem]:
    """A provider where we register needs a login; whether it has a password shows there."""
    for path, provider in _entries(values, "providers"):
        if provider.get("kind", "register") == "register" and not provider.get("login", ""):
            yield Problem(path, 'the login is missing (only a provider with kind = "ip" does without)')


def _passwords(values: Values, stored: Mapping[str, str] | None) -> Iterator[Problem]:
    for path, terminal in _entries(values, "terminals"):
        password, number = terminal.get("password", ""), terminal.get("number")
        known = stored.get(number, "") if stored is not None and isinstance(number, str) else ""
        if isinstance(password, str) and password:
            if password != known and (why := weakness(password)):
                yield Problem((*path, "password"), why)
        elif password == "" and not terminal.get("trust") and not _is_kept(terminal, stored, known):
            yield Problem((*path, "password"), "the password is missing (only a terminal with trust may do without)")


def _is_kept(terminal: Values, stored: Mapping[str, str] | None, known: str) -> bool:
    """An absent key keeps the stored password; an empty text asks for none."""
    return "password" not in terminal and (stored is None or bool(known))
