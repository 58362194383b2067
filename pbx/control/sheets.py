"""A table as a file: CSV, a workbook, or PDF. What reports and the history are exported as, whoever asks."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from frozen import dataclass
from pbx.control.history import ConversationView
from pbx.control.messages import ControlError
from storage.records import CdrRow

if TYPE_CHECKING:
    from fpdf import FPDF

Cell = str | int | float
FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")  # the fonts that every PDF has know no Cyrillic
PT = 7
LINE_MM, MARGIN_MM = 4.2, 10.0
LONGEST = 28  # characters of a column on paper
ROWS = (
    *("started_at", "from_number", "from_name", "to_number", "to_name", "external_number", "disposition", "stage"),
    *("duration", "talk_seconds", "cause", "linkedid", "recording"),
)
CONVERSATIONS = (
    *("started_at", "kind", "status", "from_number", "from_name", "to_number", "to_name", "answered_by", "waited_s"),
    *("talk_seconds", "linkedid", "recordings"),
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """`columns` that end in `_at` are UTC seconds, "" where there is no such moment."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]


def history_sheet(rows: Iterable[CdrRow]) -> Sheet:
    return Sheet("history", ROWS, [[_cell(each, name) for name in ROWS] for each in rows])


def conversations_sheet(views: Iterable[ConversationView]) -> Sheet:
    return Sheet("history", CONVERSATIONS, [[_cell(each, name) for name in CONVERSATIONS] for each in views])


def sheet_bytes(sheet: Sheet, format: str) -> bytes:
    """The file of that format of `FORMATS`; raises `ControlError`."""
    return {"csv": _csv, "xlsx": _xlsx, "pdf": _pdf}[format](sheet)


def shown(columns: Sequence[str], row: Sequence[Cell]) -> list[Cell]:
    """A row with its moments in ISO 8601."""
    return [
        _utc(cell) if name.endswith("_at") and isinstance(cell, float) else cell
        for name, cell in zip(columns, row, strict=True)
    ]


def _cell(record: CdrRow | ConversationView, name: str) -> Cell:
    if name == "duration":
        return round(record.ended_at - record.started_at, 3)
    found: Any = getattr(record, name)
    return " ".join(found) if isinstance(found, tuple) else found


def _csv(sheet: Sheet) -> bytes:
    """RFC 4180; what a spreadsheet would take for a formula is made plain text."""
    out = io.StringIO(newline="")
    rows = ([_plain(cell) for cell in shown(sheet.columns, row)] for row in sheet.rows)
    csv.writer(out).writerows([sheet.columns, *rows])
    return out.getvalue().encode()


def _plain(cell: Cell) -> Cell:
    """Names come from callers: none of them is carried out."""
    is_formula = isinstance(cell, str) and cell[:1] in ("=", "@", "+", "-", "\t") and not cell[1:].isdecimal()
    return f"'{cell}" if is_formula else cell


def _xlsx(sheet: Sheet) -> bytes:
    """Moments as dates, everything else as it is; no text is a formula or a link."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    out = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True, "constant_memory": True}
    with Workbook(out, options) as book:
        page = book.add_worksheet(sheet.name[:31])
        bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, name in enumerate(sheet.columns):
            page.write_string(0, place, name, bold)
        for number, row in enumerate(sheet.rows, 1):
            for place, (name, cell) in enumerate(zip(sheet.columns, row, strict=True)):
                if isinstance(cell, str):
                    page.write_string(number, place, cell)
                elif name.endswith("_at"):
                    page.write_datetime(number, place, datetime.fromtimestamp(cell, UTC), moment)
                else:
                    page.write_number(number, place, cell)
        page.freeze_panes(1, 0)
        page.autofilter(0, 0, max(len(sheet.rows), 1), len(sheet.columns) - 1)
    return out.getvalue()


def _pdf(sheet: Sheet) -> bytes:
    """A4 across, the headings on each page; what is too long for its column is cut."""
    from fpdf import FPDF

    if not FONT.exists():
        raise ControlError("there is no font for PDF: install the package fonts-dejavu-core")
    paper = FPDF("landscape", "mm", "A4")
    paper.set_margins(MARGIN_MM, MARGIN_MM)
    paper.set_auto_page_break(True, MARGIN_MM)
    paper.add_font("sans", fname=str(FONT))
    paper.set_title(sheet.name)
    paper.add_page()
    lines = [[_on_paper(cell) for cell in shown(sheet.columns, row)] for row in sheet.rows]
    widths = _widths(paper, [list(sheet.columns), *lines])
    for number, line in enumerate([list(sheet.columns), *lines]):
        if number and paper.will_page_break(LINE_MM):
            paper.add_page()
            _line(paper, sheet.columns, widths, fill=True)
        _line(paper, line, widths, fill=not number)
    return bytes(paper.output())


def _on_paper(cell: Cell) -> str:
    text = "".join(char if char.isprintable() else "?" for char in str(cell))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _widths(paper: "FPDF", lines: Sequence[Sequence[str]]) -> list[float]:
    """As wide as the widest cell of each column, all together as wide as the page at most."""
    paper.set_font("sans", size=PT)
    most = [max(column, key=len) for column in zip(*lines, strict=True)]
    wanted = [paper.get_string_width(text) + 3 for text in most]
    scale = min(1.0, paper.epw / sum(wanted))
    paper.set_font("sans", size=PT * scale)
    return [width * scale for width in wanted]


def _line(paper: "FPDF", cells: Sequence[str], widths: Sequence[float], *, fill: bool) -> None:
    paper.set_fill_color(225)
    for cell, width in zip(cells, widths, strict=True):
        paper.cell(width, LINE_MM, cell, border="B", fill=fill)
    paper.ln(LINE_MM)


def _utc(at: float) -> str:
    return datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main() -> None:
    """A sheet as JSON on standard input to a file of the format on standard output."""
    sheet = msgspec.json.decode(sys.stdin.buffer.read(), type=Sheet)
    sys.stdout.buffer.write(sheet_bytes(sheet, sys.argv[1]))


def numbered(names: Iterable[str]) -> Iterator[str]:
    """File names, each once: "a.mp3", "a_2.mp3", …"""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = count = seen.get(name, 0) + 1
        stem, dot, suffix = name.rpartition(".")
        yield name if count == 1 else f"{stem}_{count}{dot}{suffix}"


if __name__ == "__main__":
    main()
