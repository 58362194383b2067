"""`zvon check`: are these files right? Without a server, and without changing anything."""

from dataclasses import dataclass
from pathlib import Path

from conf.errors import ConfError, ConfInvalid
from conf.load import parse_office, parse_settings
from conf.office import OfficeDocument
from conf.read import parse_document, read_text
from conf.schema import Settings

OFFICE_KEYS = frozenset(OfficeDocument.model_fields) | OfficeDocument.later
SETTINGS_KEYS = frozenset(Settings.model_fields) | Settings.later


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file; `kind` is "office", "settings" or "" when it cannot be told."""

    file: str
    kind: str
    errors: tuple[ConfError, ...] = ()
    summary: str = ""


def check_file(path: Path) -> Finding:
    """Read one file as what its content says it is; every mistake is in the finding."""
    kind = ""
    try:
        text = read_text(path)
        kind = file_kind(parse_document(text, str(path)).values, path)
        if kind == "office":
            office = parse_office(text, str(path), stored=None)
            return Finding(str(path), kind, summary=f"{len(office.terminals)} terminals, {len(office.users)} users")
        parse_settings(text, str(path))
        return Finding(str(path), kind)
    except ConfInvalid as error:
        return Finding(str(path), kind, error.errors)


def file_kind(values: dict[str, object], path: Path) -> str:
    """Which of the two files this is: by its sections, and where they say nothing by its name."""
    office, settings = len(OFFICE_KEYS & values.keys()), len(SETTINGS_KEYS & values.keys())
    if office == settings:
        return "settings" if path.stem.startswith("zvon") else "office"
    return "office" if office > settings else "settings"
