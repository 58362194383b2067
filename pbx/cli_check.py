"""`zvon check`: are these files right? Without a server, and without changing anything."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from conf.errors import ConfError, ConfInvalid
from conf.fields import PortRange
from conf.load import parse_office, parse_settings
from conf.office import OfficeDocument
from conf.office_advice import advice
from conf.read import parse_document, read_text
from conf.schema import Settings
from frozen import dataclass
from pbx.hearing import Recogniser
from pbx.protection import unprotected
from storage.records import Office

OFFICE_KEYS = frozenset(OfficeDocument.model_fields) | OfficeDocument.later
SETTINGS_KEYS = frozenset(Settings.model_fields) | Settings.later
PORTS_OF_CALL = 4  # two sides, RTP and RTCP
FEW_CALLS = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file; `kind` is "office", "settings" or "" when it cannot be told."""

    file: str
    kind: str
    errors: tuple[ConfError, ...] = ()
    summary: str = ""
    notes: tuple[str, ...] = ()


def check_files(paths: Sequence[Path]) -> list[Finding]:
    """What was found about each; an office is looked at with the settings that stand beside it."""
    models: Mapping[str, str] = {}
    for path in paths:
        with suppress(ConfInvalid):
            if (text := read_text(path)) and file_kind(parse_document(text, str(path)).values, path) == "settings":
                models = parse_settings(text, str(path)).speech.models
    return [check_file(path, models) for path in paths]


def check_file(path: Path, models: Mapping[str, str]) -> Finding:
    """Read one file as what its content says it is; every mistake is in the finding. `models`: of speech, as `[speech]`
    of the settings names them."""
    kind = ""
    try:
        text = read_text(path)
        kind = file_kind(parse_document(text, str(path)).values, path)
        if kind == "office":
            office = parse_office(text, str(path), stored=None)
            summary = f"{len(office.terminals)} terminals, {len(office.users)} users"
            return Finding(str(path), kind, (), summary, (*asyncio.run(_unheard(office, models)), *advice(office)))
        settings = parse_settings(text, str(path))
        return Finding(
            str(path), kind, notes=(*_narrow(settings.media.ports), *filter(None, (unprotected(settings.security),)))
        )
    except ConfInvalid as error:
        return Finding(str(path), kind, error.errors)


def _narrow(ports: PortRange) -> Iterator[str]:
    """A range that a small office uses up (REG-9)."""
    calls = (ports.last - ports.first + 1) // PORTS_OF_CALL
    if calls < FEW_CALLS:
        yield f"media.ports {ports} is narrow: no more than {calls} calls at a time"


async def _unheard(office: Office, models: Mapping[str, str]) -> list[str]:
    """Menus whose spoken commands are not recognised on this machine: no mistake, their keys work."""
    recogniser = Recogniser(models)
    try:
        problems = await recogniser.problems(office)
    finally:
        await recogniser.close()
    return [f"the spoken commands of menu {number} cannot be heard: {problem}" for number, problem in problems]


def file_kind(values: dict[str, object], path: Path) -> str:
    """Which of the two files this is: by its sections, and where they say nothing by its name."""
    office, settings = len(OFFICE_KEYS & values.keys()), len(SETTINGS_KEYS & values.keys())
    if office == settings:
        return "settings" if path.stem.startswith("zvon") else "office"
    return "office" if office > settings else "settings"
