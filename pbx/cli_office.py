"""`zvon office`: entries of any list of the office copied and deleted, checked as a document is."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli import VAR, Commands, Data, server_of

if TYPE_CHECKING:
    from conf.errors import Problem
    from storage.records import OfficeList

TRIES = 5  # while others change the office as well
Values = dict[str, Any]
List = Annotated[str, typer.Argument(metavar="LIST", help="As in the office document: ivrs, queues, terminals.")]
Key = Annotated[
    str, typer.Argument(metavar="KEY", help="The number of the entry, or its id or name where it has none.")
]


def office_copy(
    of: List,
    key: Key,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The number, id or name of the copy.")],
    name: Annotated[str, typer.Option(metavar="TEXT", help="What people call the copy.")] = "",
    data: Data = VAR,
) -> None:
    """Make another entry like one that is there. Passwords and PINs are not copied."""
    from storage.records import secret_of

    kind = _list(of)

    def copied(values: Values) -> None:
        entry = deepcopy(values[of][place_of(values, kind, key)])
        entry.pop(secret_of(kind.record), None)
        values[of].append(entry | {kind.key: new} | ({"name": name} if name else {}))

    change_entries(data, copied, lambda problems, _: "; ".join(each.message for each in problems))
    typer.echo(f"{kind.kind} {new} is a copy of {key}")


def office_delete(of: List, key: Key, data: Data = VAR) -> None:
    """Delete an entry. Refused as long as something in the office names it."""
    from conf.references import cannot_go, still_names

    kind = _list(of)

    def refusal(problems: "list[Problem]", values: Values) -> str:
        return cannot_go(kind.kind, key, [still_names(each.path, values) for each in problems])

    def deleted(values: Values) -> None:
        del values[of][place_of(values, kind, key)]

    change_entries(data, deleted, refusal)
    typer.echo(f"{kind.kind} {key} is gone")


OFFICE_COMMANDS: Commands = {
    "copy": (office_copy, 'zvon office copy ivrs 700 701 --name "Night menu"'),
    "delete": (office_delete, "zvon office delete ivrs 701"),
}


def change_entries(
    data: Path, edit: Callable[[Values], None], refusal: "Callable[[list[Problem], Values], str]"
) -> None:
    """Put the edited office into force; a `ControlError` says why it cannot be."""
    from conf.export import document_values
    from conf.load import check_office
    from pbx.control.messages import ControlError
    from storage.records import change_between

    with server_of(data) as server:
        for _ in range(TRIES):
            office, revision = server.office()
            values = document_values(office)
            edit(values)
            found = check_office(values, office, data)
            if isinstance(found, list):
                raise ControlError(refusal(found, values))
            if server.change_office(change_between(office, found), revision).is_changed:
                return
    raise ControlError("the office is being changed by others all the time; try again")


def _list(name: str) -> "OfficeList":
    from storage.records import OFFICE_LISTS

    found = next((each for each in OFFICE_LISTS if each.name == name), None)
    if found is None:
        raise typer.BadParameter(
            f'there is no list "{name}"; lists are {", ".join(each.name for each in OFFICE_LISTS)}'
        )
    return found


def place_of(values: Values, of: "OfficeList", key: str) -> int:
    from pbx.control.messages import ControlError

    found = next((place for place, entry in enumerate(values[of.name]) if entry[of.key] == key), None)
    if found is None:
        raise ControlError(f'there is no {of.kind} "{key}"')
    return found
