"""What still names an entry of the office that should go."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.records import OFFICE_LISTS

_LISTS = {of.name: of for of in OFFICE_LISTS}


def still_names(path: Sequence[str | int], values: Mapping[str, Any]) -> str:
    """Who names it at a key path of the document, with the key: `IVR 701 (keys.1)`, `inbound.default`."""
    if len(path) < 3 or path[0] not in _LISTS:
        return ".".join(map(str, path))
    of, entry = _LISTS[str(path[0])], values[str(path[0])][int(path[1])]
    return f"{of.kind} {entry[of.key]} ({'.'.join(map(str, path[2:]))})"


def cannot_go(kind: str, key: str, users: Sequence[str]) -> str:
    """The refusal, for people."""
    return f"{kind} {key} is still named by {', '.join(dict.fromkeys(users))}"
