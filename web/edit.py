"""Changes of the office through the API: made from the revision in force, checked as a file is, tried again when others
were quicker, told to the audit."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from storage.records import Office
from web.answers import refused
from web.core import TRIES, Core, busy
from web.draft import Draft, without_secrets
from web.rights import Principal

Edit = Callable[[Draft], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What a change has come to: the office that is in force now, and lines that say what is different."""

    office: Office
    changes: tuple[str, ...]


def _as_it_is(office: Office) -> Office:
    return office


async def change(
    core: Core,
    who: Principal,
    edit: Edit,
    source: str = "api",
    stored: Callable[[Office], Office] = _as_it_is,
) -> Done:
    """Carry out `edit` on the office in force and put the result into force; raises `Refused` with nothing changed.
    `stored`: the office whose secrets count as known already."""
    for _ in range(TRIES):
        snapshot = await core.snapshot()
        draft = Draft(snapshot.values)
        edit(draft)
        office = await core.checked(draft.values, stored(snapshot.office))
        if office == snapshot.office:
            return Done(office, ())
        done = await core.change(office, snapshot, who.name, source)
        if done.is_changed:
            return Done(office, done.changes)
    raise busy()


def etag(values: Any) -> str:
    """Of an entry as it is; a secret that changes makes another one."""
    return f'"{blake2b(msgspec.json.encode(values), digest_size=12).hexdigest()}"'


def check_match(wanted: str | None, values: Any) -> None:
    """RFC 9110 §13.1.1; raises `Refused` (412)."""
    if wanted and wanted.strip() != "*" and etag(values) not in (each.strip() for each in wanted.split(",")):
        raise refused(412, "it was changed by somebody else meanwhile: read it again")


async def tell(core: Core, who: Principal, action: str, object: str, before: Any = None, after: Any = None) -> None:
    """Every write is audited (API-13)."""
    await core.audit(who.name, who.address, action, object, without_secrets(before), without_secrets(after))
