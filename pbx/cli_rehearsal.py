"""`zvon test`: tries out an office and its scripts with simulated phones (docs/testing-your-office.md)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.records import Office

Rehearser = Callable[[Sequence[Path], "Office", Callable[[str], None]], int]


def add_test_command(app: typer.Typer, rehearse: Rehearser) -> None:
    """`rehearse` runs the tests of files in an office, tells of each, and returns how many failed."""

    def test(
        files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Python files with tests.")],
        office: Annotated[Path, typer.Option("--office", metavar="FILE", help="The document of the office.")] = Path(
            "office.toml"
        ),
    ) -> None:
        """Try out an office and its scripts with simulated phones. Needs no server; hours pass in a moment."""
        from conf.load import load_office
        from pbx.control.messages import ControlError

        if missing := [file for file in files if not file.is_file()]:
            raise ControlError(f"there is no such file: {missing[0]}")
        failed = rehearse(files, load_office(office, None), typer.echo)
        raise typer.Exit(1 if failed else 0)

    app.command("test", epilog="Example: zvon test office_tests.py --office office.toml")(test)
