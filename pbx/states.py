"""What features remember over a restart: small values by area and key, in memory, written behind."""

from collections.abc import Mapping

from storage.ports import KeptStore
from storage.records import StoredState, Terminal

DO_NOT_DISTURB = "dnd"  # FEAT-23: by `owner_or_number`, whether calls are wanted


class States:
    """Who is logged in at a queue, who wants no calls, … `restore` comes before the first look."""

    def __init__(self, store: KeptStore[StoredState]) -> None:
        self._store = store
        self._areas: dict[str, dict[str, str]] = {}

    async def restore(self) -> None:
        for state in await self._store.load():
            self._areas.setdefault(state.area, {})[state.key] = state.value

    def of(self, area: str) -> Mapping[str, str]:
        """Every value of an area, by key."""
        return self._areas.get(area, {})

    def put(self, area: str, key: str, value: str | None) -> None:
        """Remember a value (None: forget it). `area` is the name of the feature."""
        id, known = f"{area}/{key}", self._areas.setdefault(area, {})
        if value is None:
            known.pop(key, None)
            self._store.put(id, None)
        else:
            known[key] = value
            self._store.put(id, StoredState(id, area, key, value))


def owner_or_number(terminal: Terminal) -> str:
    """The key of what counts for all terminals of a person, or for one that nobody owns."""
    return terminal.owner or terminal.number
