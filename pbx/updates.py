"""Which version of Zvon is the latest (NOT-6): asked once a day where `[updates]` says so, and told once a version."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import structlog

from conf.schema import UpdateSettings
from pbx.bus import Bus
from pbx.calendars.fetch import Fetched, Wanted, fetch
from pbx.clock import Clock
from pbx.events import NewVersion
from pbx.states import States

EVERY_S = 86_400.0
AREA, KEY = "updates", "told"
VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}")
MOST_NOTES = 2000  # characters

log = structlog.get_logger("updates")


async def _fetched(wanted: Wanted) -> Fetched:
    return await asyncio.to_thread(fetch, wanted)


class Updates:
    """The address answers with JSON: `{"version": "1.4.0", "notes": "…"}`."""

    def __init__(
        self,
        settings: UpdateSettings,
        states: States,
        bus: Bus,
        clock: Clock,
        fetched: Callable[[Wanted], Awaitable[Fetched]] = _fetched,
    ) -> None:
        self._url, self._states, self._bus, self._clock, self._fetch = settings.url, states, bus, clock, fetched
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._url:
            self._task = asyncio.ensure_future(self._every_day())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _every_day(self) -> None:
        while True:
            try:
                await self._look()
            except ValueError as error:
                log.warning("it is not known which version is the latest", url=self._url, why=str(error))
            await asyncio.sleep(EVERY_S)

    async def _look(self) -> None:
        """Raises `ValueError` with a sentence."""
        found = await self._fetch(Wanted(self._url))
        latest, notes = _read(found.body or b"")
        if _parts(latest) <= _parts(version("zvon")) or self._states.of(AREA).get(KEY) == latest:
            return
        self._states.put(AREA, KEY, latest)
        log.info("there is a later version", version=latest)
        self._bus.publish(NewVersion(self._clock.wall(), latest, notes))


def _read(body: bytes) -> tuple[str, str]:
    try:
        said = json.loads(body)
        latest, notes = said["version"], said.get("notes", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        latest = notes = None
    if not (isinstance(latest, str) and isinstance(notes, str) and VERSION.fullmatch(latest)):
        raise ValueError('the answer must be JSON such as {"version": "1.4.0", "notes": "what is new"}')
    return latest, notes[:MOST_NOTES]


def _parts(text: str) -> list[int]:
    """For comparison; of 0.2.0.dev1 what comes before the letters."""
    found = VERSION.match(text)
    parts = [int(each) for each in found[0].split(".")] if found else []
    while parts and parts[-1] == 0:  # 1.4.0 is 1.4
        parts.pop()
    return parts
