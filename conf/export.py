"""The office as one `office.toml` document that `apply` takes back unchanged."""

from collections.abc import Iterable
from dataclasses import MISSING, fields

from storage.records import Office, Provider, Terminal, User

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def export_office(office: Office, *, with_secrets: bool = False) -> str:
    """The document. Without secrets passwords are left out, and `apply` keeps the stored ones."""
    blocks = [
        _block("[office]", _office_values(office)),
        *(_block("[[users]]", _values(user)) for user in office.users),
        *(_block("[[terminals]]", _account_values(terminal, with_secrets)) for terminal in office.terminals),
        *(_block("[[providers]]", _account_values(provider, with_secrets)) for provider in office.providers),
    ]
    return "\n".join(blocks)


def toml_value(value: object) -> str:
    """A value of a record in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def _office_values(office: Office) -> Iterable[tuple[str, object]]:
    return ((name, getattr(office, name)) for name in ("name", "language", "timezone", "number_length"))


def _account_values(account: Terminal | Provider, with_secrets: bool) -> Iterable[tuple[str, object]]:
    """All but defaults; with secrets the password in any case, for an absent one would keep what is stored."""
    kept = ("password",) if with_secrets else ()
    return ((name, value) for name, value in _values(account, kept) if with_secrets or name != "password")


def _values(entry: User | Terminal | Provider, kept: tuple[str, ...] = ()) -> Iterable[tuple[str, object]]:
    """Keys and values that are not defaults, in the order of the record."""
    for each in fields(entry):
        value = getattr(entry, each.name)
        if each.default is MISSING or value != each.default or each.name in kept:
            yield each.name, value


def _block(header: str, values: Iterable[tuple[str, object]]) -> str:
    return "\n".join([header, *(f"{name} = {toml_value(value)}" for name, value in values), ""])


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character >= " " and character != "\x7f" else f"\\u{ord(character):04X}"
