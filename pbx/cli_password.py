"""`zvon password`: what the phones of a terminal sign in with, shown and made anew (EXT-4)."""

from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli import VAR, Commands, Data, Json, server_of
from pbx.cli_office import Values, change_entries, place_of

if TYPE_CHECKING:
    from storage.records import Office, OfficeList

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The number of a terminal.")]


def password_show(number: Number, data: Data = VAR, json: Json = False) -> None:
    """Show what has to be typed into a phone: user name and password. The audit has it that they were shown."""
    with server_of(data) as server:
        office, _ = server.office()
        shown = _credentials(office, number)
        server.audit("show password", f"terminals/{number}")
    _print(shown, json=json)


def password_new(number: Number, data: Data = VAR, json: Json = False) -> None:
    """Make another password, in force at once: phones that still have the old one cannot call, nor register again."""
    from conf.passwords import generate_password

    password = generate_password()

    def changed(values: Values) -> None:
        terminals = _terminals()
        values[terminals.name][place_of(values, terminals, number)]["password"] = password

    change_entries(data, changed, lambda problems, _: "; ".join(each.message for each in problems))
    with server_of(data) as server:
        server.audit("regenerate password", f"terminals/{number}")
        office, _ = server.office()
    _print(_credentials(office, number), json=json)


PASSWORD_COMMANDS: Commands = {
    "show": (password_show, "zvon password show 201"),
    "new": (password_new, "zvon password new 201 --json"),
}


def _credentials(office: "Office", number: str) -> dict[str, str]:
    from pbx.control.messages import ControlError
    from storage.records import login_of

    terminal = next((each for each in office.terminals if each.number == number), None)
    if terminal is None:
        raise ControlError(f'there is no terminal "{number}"')
    return {"number": number, "login": login_of(office, terminal), "password": terminal.password}


def _print(shown: dict[str, str], *, json: bool) -> None:
    from pbx.cli_output import json_text

    typer.echo(json_text(shown) if json else "\n".join(f"{name:<10}{value}" for name, value in shown.items()))


def _terminals() -> "OfficeList":
    from storage.records import OFFICE_LISTS

    return next(each for each in OFFICE_LISTS if each.name == "terminals")
