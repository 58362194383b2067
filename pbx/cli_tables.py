"""Options of commands that write what they found as files, and the writing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pbx.control.sheets import Sheet

Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write it as CSV; - is standard output.")]
Xlsx = Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write it as a workbook.")]
Pdf = Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Write it as PDF.")]


def write_sheet(sheet: "Sheet", **files: Path | None) -> bool:
    """A file of each format that has one; whether there was any. Raises `ControlError`."""
    from pbx.control.messages import ControlError
    from pbx.control.sheets import sheet_bytes

    for format, file in files.items():
        if file is None:
            continue
        content = sheet_bytes(sheet, format)
        if str(file) == "-":
            sys.stdout.write(content.decode())
            continue
        try:
            file.write_bytes(content)
        except OSError as error:
            raise ControlError(f"{file} cannot be written: {error.strerror}") from None
    return any(file is not None for file in files.values())
