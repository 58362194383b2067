"""Tables of people: the columns of their cards, and files of other systems (USR-17, USR-18, USR-19)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from web.answers import refused
from web.draft import Values
from web.employees import CARD, OF_TERMINAL, TERMINALS, USERS
from web.table import blank_of, flat, lines_of, rows_of, table_of

Columns = Literal["preparation", "minimal", "standard", "full"]
_PREPARATION = ("number", "name", "position", "location", "email")  # what to ask a customer for (CFG-4)
_MINIMAL = ("number", "name", "email", "mobile", "password", "forward.ring_time", "forward.no_answer")
_STANDARD = (
    *_MINIMAL, "mobile_dial", "dtmf", "transport", "record", "forward.busy", "forward.unavailable",
)  # fmt: skip
# Files without a header (USR-19): what stands where.
_IN_ORDER = ("number", "name", "password", "mobile", "forward.ring_time")
_NEEDED = _IN_ORDER[:3]
_FORWARDS = 5  # the cell that says whether the mobile takes what is not answered
# Columns of the FreePBX bulk handler that have a meaning here; all others are left aside.
_FREEPBX = {
    "extension": "number",
    "name": "name",
    "secret": "password",
    "ringtimer": "forward.ring_time",
    "voicemail_email": "email",
}
_FREEPBX_MARKS = {"extension", "tech"}
SAMPLES = (
    {"number": "201", "name": "Irina Belkina", "email": "belkina@example.com", "mobile": "+79161234567"},
    {"number": "202", "name": "Boris Orlov", "email": "orlov@example.com", "forward.no_answer": "201"},
)


def blank() -> Values:
    """A card with its defaults."""
    user, terminal = blank_of(USERS), blank_of(TERMINALS)
    return {**{name: user[name] for name in CARD}, **{name: terminal[name] for name in OF_TERMINAL}, "group": ""}


def columns_of(columns: Columns) -> tuple[str, ...]:
    if columns == "full":
        return (*dict.fromkeys((*_STANDARD, *flat(blank()))), "avatar")
    return {"preparation": _PREPARATION, "minimal": _MINIMAL, "standard": _STANDARD}[columns]


def employee_rows(octets: bytes) -> list[tuple[int, Values]]:
    """Line and card of each row; raises `Refused` (422)."""
    first = [cell.strip() for cell in lines_of(octets)[0][1]]
    if first[0].isdecimal():
        return _in_order(octets)
    names = {each.casefold() for each in first}
    if names >= _FREEPBX_MARKS or ("extension" in names and "secret" in names):
        return _of_freepbx(octets)
    return rows_of(octets, "number", blank())


def employee_table(
    cards: Iterable[Values], pictures: Collection[str], columns: Columns, first: str = "", last: str = ""
) -> bytes:
    """The cards whose numbers lie between `first` and `last`, as CSV; `pictures`: ids of people who have one."""
    wanted = (each for each in cards if _is_between(each["number"], first, last))
    return table_of(columns_of(columns), (_row(each, each["id"] in pictures) for each in wanted))


def _row(card: Values, has_picture: bool) -> dict[str, str]:
    shown = {name: value for name, value in card.items() if name != "numbers"}
    return flat(shown) | {"avatar": f"/api/v3/employees/{card['id']}/avatar" if has_picture else ""}


def template(columns: Columns) -> bytes:
    """Two rows that show what goes where."""
    defaults = {"forward.ring_time": "45", "dtmf": "auto", "transport": "any", "record": "1"}
    return table_of(columns_of(columns), ({**defaults, **each} for each in SAMPLES))


def _is_between(number: str, first: str, last: str) -> bool:
    place = (len(number), number)
    return (not first or place >= (len(first), first)) and (not last or place <= (len(last), last))


def _in_order(octets: bytes) -> list[tuple[int, Values]]:
    rows = []
    for line, cells in lines_of(octets):
        found = {name: cell.strip() for name, cell in zip(_IN_ORDER, cells, strict=False)}
        if not all(found.get(name) for name in _NEEDED):
            raise refused(422, f"line {line}: {', '.join(_NEEDED)} must not be empty where there is no header")
        if cells[_FORWARDS:] and cells[_FORWARDS].strip() == "1":
            found["forward.no_answer"] = found.get("mobile", "")
        rows.append((line, _card(found)))
    return rows


def _of_freepbx(octets: bytes) -> list[tuple[int, Values]]:
    (_, header), *lines = lines_of(octets)
    names = [_FREEPBX.get(cell.strip().casefold(), "") for cell in header]
    return [
        (line, _card({name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}))
        for line, cells in lines
    ]


def _card(found: Mapping[str, str]) -> Values:
    """What is empty there is the default here."""
    card: Values = {name: value for name, value in found.items() if value and not name.startswith("forward.")}
    forward: Values = {name[8:]: value for name, value in found.items() if value and name.startswith("forward.")}
    if str(forward.get("ring_time", "")).isdecimal():
        forward["ring_time"] = int(forward["ring_time"])
    return {**card, "forward": forward} if forward else card
