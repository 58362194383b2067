"""CSV tables of entries of the office: read with any usual delimiter, written for spreadsheets (USR-17, USR-18).

A column is a key of the entry, of a section within it with a point: `forward.busy`. Lists stand in a cell with spaces
between their items.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from storage.records import OfficeList, record_of
from web.answers import refused
from web.defaults import required_fields
from web.draft import Values

MOST_ROWS = 1000
_TRUE, _FALSE = frozenset(("1", "true", "yes", "да")), frozenset(("0", "false", "no", "нет"))


def rows_of(octets: bytes, key: str, blank: Values) -> list[tuple[int, Values]]:
    """Line and entry of each row; raises `Refused` (422) where it is no table with a column `key`. `blank` is an entry
    with its defaults, which say what a column holds."""
    lines = lines_of(octets)
    names = [cell.strip() for cell in lines[0][1]]
    if key not in names:
        raise refused(422, f'there is no column "{key}"; the columns are named as the fields of the API', key)
    return [(line, _entry(names, cells, blank)) for line, cells in lines[1:]]


def lines_of(octets: bytes) -> list[tuple[int, list[str]]]:
    """Line and cells of each row that has any; raises `Refused` (422) where it is no table."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused(422, "the file is not UTF-8 text: save it as CSV UTF-8") from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise refused(422, f"the file is no CSV: {error}") from None
    if not lines:
        raise refused(422, "the file is empty: its first line names the columns")
    if len(lines) - 1 > MOST_ROWS:
        raise refused(422, f"the file has {len(lines) - 1} rows; at most {MOST_ROWS} are taken at a time")
    return lines


def list_table(entries: Iterable[Values], of: OfficeList) -> bytes:
    """All columns of the entries of a list."""
    rows = [flat(each) for each in entries]
    names = list(dict.fromkeys([*flat(blank_of(of)), *(name for row in rows for name in row)]))
    return table_of(names, rows)


def table_of(names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """CSV with the byte order mark that spreadsheets want."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: _guarded(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode("utf-8-sig")


def blank_of(of: OfficeList) -> Values:
    """An entry that has its defaults only, secrets among them."""
    return _plain(record_of(of.record, dict.fromkeys(required_fields(of.record), "")))


def _plain(record: Any) -> Values:
    found = {}
    for each in fields(record):
        value = getattr(record, each.name)
        found[each.name] = _plain(value) if is_dataclass(value) else list(value) if isinstance(value, tuple) else value
    return found


def _entry(names: Sequence[str], cells: Sequence[str], blank: Values) -> Values:
    """An empty cell is the default; what cannot be read stays text, for the check to say what is wrong with it."""
    found: Values = {}
    for name, cell in zip(names, cells, strict=False):
        if name and cell.strip():
            section, _, inner = name.partition(".")
            if inner:
                known = blank.get(section)
                default = known.get(inner) if isinstance(known, Mapping) else None
                found.setdefault(section, {})[inner] = _value(cell.strip(), default)
            else:
                found[name] = _value(cell.strip(), blank.get(name))
    return found


def _value(text: str, default: object) -> object:
    if isinstance(default, bool):
        return True if text.casefold() in _TRUE else False if text.casefold() in _FALSE else text
    if isinstance(default, int):
        return int(text) if text.lstrip("-").isdecimal() and text.isascii() else text
    if isinstance(default, list):
        return text.split()
    return text.removeprefix("'") if text[:2] in _GUARDED else text


def flat(values: Values) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": text for inner, text in flat(value).items()}
        else:
            found[name] = _text(value)
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


_GUARDED = ("'=", "'+", "'-", "'@")


def _guarded(text: str) -> str:
    """A spreadsheet takes no cell for a formula that somebody has chosen as a name."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
