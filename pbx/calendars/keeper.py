"""The calendars of the office in force: asked by id and moment, switched by hand, linked to calendars elsewhere."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from conf.schema import CalendarSettings
from frozen import dataclass
from pbx.bus import Bus
from pbx.calendars.busy import busy_of, calendars_of
from pbx.calendars.decision import Busy, Decision, Switched, decide, next_change
from pbx.calendars.fetch import Wanted, fetch
from pbx.calendars.hours import OpeningHours
from pbx.calendars.moments import local
from pbx.calendars.off_hours import in_order, is_off
from pbx.calendars.production import Production, of_feed
from pbx.clock import Clock
from pbx.events import CalendarSwitched
from pbx.said import say
from pbx.states import States
from storage.records import Calendar, OffHours, Office

AREA = "calendar"  # of what is remembered over a restart: id → "open" or "closed" and until when
REFRESH_S = 60.0  # CAL-13
PRODUCTION_S = 86_400.0
ALWAYS = Decision(True, say("no calendar"))

log = structlog.get_logger("calendar")


@dataclass(slots=True)
class _Linked:
    """What is known of a calendar elsewhere."""

    busy: Sequence[Busy] = ()
    tag: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class CalendarState:
    """How a calendar is now. `until_at`: the next change, None when none is near; `error`: why its linked calendar
    could not be had, "" when it could."""

    calendar: Calendar
    decision: Decision
    until_at: float | None
    is_switched: bool = False
    error: str = ""


@dataclass(slots=True)
class _Known:
    """The calendars of one office."""

    zone: tzinfo = UTC
    hours: dict[str, OpeningHours] = field(default_factory=dict)
    off_hours: list[OffHours] = field(default_factory=list)


class Calendars:
    """`folder` keeps files of production calendars in `ru` and the last good copy of each linked calendar; None:
    nothing is kept or fetched."""

    def __init__(
        self,
        clock: Clock,
        states: States,
        bus: Bus,
        folder: Path | None = None,
        settings: CalendarSettings | None = None,
    ) -> None:
        self._clock, self._states, self._bus, self._folder = clock, states, bus, folder
        self._settings = settings or CalendarSettings()
        self._production = Production(None if folder is None else folder / "ru")
        self._known = _Known()
        self._linked: dict[str, _Linked] = {}
        self._task: asyncio.Task[None] | None = None
        self._office_changed = asyncio.Event()

    def office_changed(self, office: Office) -> None:
        """Another office is in force."""
        zone = UTC if office.timezone == "UTC" else ZoneInfo(office.timezone)
        self._production.reread()
        hours = {each.id: OpeningHours(each, self._production) for each in office.calendars}
        self._known = _Known(zone, hours, in_order(office.off_hours))
        self._linked = {id: self._linked.get(id, _Linked()) for id, each in hours.items() if each.calendar.url}
        self._office_changed.set()

    # --- asked --------------------------------------------------------------------------------------------------

    def decide(self, id: str, at: float | None = None) -> Decision:
        """Whether the calendar is open at a moment, now without one; "" and an unknown id are always open."""
        hours = self._known.hours.get(id)
        if hours is None:
            return ALWAYS
        at = self._clock.wall() if at is None else at
        return decide(hours, at, self._known.zone, self._busy(id), self._switched(id))

    def next_change(self, id: str, at: float | None = None) -> float | None:
        """When it opens or closes next, by its own hours."""
        hours = self._known.hours.get(id)
        at = self._clock.wall() if at is None else at
        return None if hours is None else next_change(hours, at, self._known.zone, self._busy(id))

    def off_hours(self, number: str, at: float | None = None) -> Sequence[tuple[OffHours, bool]]:
        """The rules about off-hours that an external number has, in their order, up to the first that holds (CAL-8)."""
        when = local(self._clock.wall() if at is None else at, self._known.zone)
        found = []
        for rule in self._known.off_hours:
            if rule.numbers and number not in rule.numbers:
                continue
            found.append((rule, is_off(rule, *when)))
            if found[-1][1]:
                break
        return found

    def states(self) -> Sequence[CalendarState]:
        """All calendars, as they are now."""
        return [self.state(id) for id in self._known.hours]

    def state(self, id: str) -> CalendarState:
        """Raises `KeyError` when there is no such calendar."""
        hours, switched, linked = self._known.hours[id], self._switched(id), self._linked.get(id)
        until_at = self.next_change(id) if switched is None else switched.until_at
        until_at = None if until_at == float("inf") else until_at
        error = linked.error if linked is not None else ""
        return CalendarState(hours.calendar, self.decide(id), until_at, switched is not None, error)

    # --- switched -----------------------------------------------------------------------------------------------

    def switch(self, id: str, is_open: bool | None) -> CalendarState:
        """Open or close by hand until the calendar's next boundary; None: by its hours again (CAL-18). Raises
        `KeyError` when there is no such calendar."""
        hours = self._known.hours[id]
        until_at = self.next_change(id)
        value = None if is_open is None else f"{'open' if is_open else 'closed'} {until_at or float('inf')}"
        self._states.put(AREA, id, value)
        log.info("a calendar was switched by hand", calendar=id, to=value or "its hours")
        if hours.calendar.switch:
            self._bus.publish(CalendarSwitched(self._clock.wall(), id, hours.calendar.switch, is_open is not None))
        return self.state(id)

    def announce(self) -> None:
        """Tell of the switches that hold since before the restart."""
        for id, hours in self._known.hours.items():
            if hours.calendar.switch and self._switched(id) is not None:
                self._bus.publish(CalendarSwitched(self._clock.wall(), id, hours.calendar.switch, True))

    def sweep(self) -> None:
        """Forget what has been switched until a boundary that is over."""
        now = self._clock.wall()
        for id in list(self._states.of(AREA)):
            switched = _read_switch(self._states.of(AREA)[id])
            if id in self._known.hours and switched is not None and switched.until_at <= now:
                self.switch(id, None)

    def _switched(self, id: str) -> Switched | None:
        found = _read_switch(self._states.of(AREA).get(id, ""))
        return found if found is not None and self._clock.wall() < found.until_at else None

    # --- linked to calendars elsewhere ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Take the copies that are kept, then fetch new ones for as long as the server runs."""
        if self._folder is None:
            return
        for id in self._linked:
            await self._take_kept(id)
        self._task = asyncio.ensure_future(self._refresh())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _busy(self, id: str) -> Sequence[Busy]:
        linked = self._linked.get(id)
        return () if linked is None else linked.busy

    async def _refresh(self) -> None:
        production_due = 0.0
        while True:
            self._office_changed.clear()
            for id in list(self._linked):
                await self._fetch(id)
            if self._settings.update and self._clock.now() >= production_due:
                production_due = self._clock.now() + PRODUCTION_S
                await self._fetch_production()
            try:
                async with asyncio.timeout(REFRESH_S):
                    await self._office_changed.wait()
            except TimeoutError:
                continue

    async def _fetch(self, id: str) -> None:
        """What cannot be had leaves what is known."""
        linked, hours = self._linked.get(id), self._known.hours.get(id)
        if linked is None or hours is None:
            return
        of = hours.calendar
        wanted = Wanted(of.url, of.login, of.password, linked.tag, of.caldav)
        try:
            fetched = await asyncio.to_thread(fetch, wanted)
            if fetched.body is not None:
                busy = await asyncio.to_thread(self._read, fetched.body, of.caldav)
                await asyncio.to_thread(_keep, self._copy(id), fetched.body)
                linked.busy, linked.tag = busy, fetched.tag  # kept before it holds: a restart knows no less
            linked.error = ""
        except (ValueError, OSError) as error:
            if not linked.error:
                log.warning("a linked calendar cannot be had", calendar=id, url=of.url, why=str(error))
            linked.error = str(error)

    async def _take_kept(self, id: str) -> None:
        try:
            body = await asyncio.to_thread(self._copy(id).read_bytes)
            self._linked[id].busy = await asyncio.to_thread(self._read, body, self._known.hours[id].calendar.caldav)
        except (ValueError, OSError):
            return  # there is none, or an old program has left it

    def _read(self, body: bytes, is_caldav: bool) -> Sequence[Busy]:
        texts = calendars_of(body) if is_caldav else [body.decode("utf-8", "replace")]
        return busy_of(texts, self._clock.wall(), self._known.zone)

    def _copy(self, id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{id}.ics"

    async def _fetch_production(self) -> None:
        """CAL-4: this year and the next; a hand-edited file stands before what is fetched."""
        assert self._folder is not None
        this, _ = local(self._clock.wall(), self._known.zone)
        for year in (this.year, this.year + 1):
            url = self._settings.production_url.replace("{year}", str(year))
            try:
                fetched = await asyncio.to_thread(fetch, Wanted(url))
                _check_feed(fetched.body or b"", year)
                await asyncio.to_thread(_keep, self._folder / "ru" / f"{year}.fetched.json", fetched.body or b"")
            except (ValueError, OSError) as error:
                log.warning("the production calendar cannot be had", url=url, why=str(error))
        self._production.reread()

    def describe(self) -> Mapping[str, object]:
        return {"calendars": len(self._known.hours), "linked": {id: each.error for id, each in self._linked.items()}}


def _read_switch(value: str) -> Switched | None:
    word, _, until = value.partition(" ")
    try:
        return Switched(word == "open", float(until)) if word in ("open", "closed") else None
    except ValueError:
        return None


def _keep(file: Path, body: bytes) -> None:
    """The file is whole at every moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f"{file.suffix}.new")
    new.write_bytes(body)
    new.replace(file)


def _check_feed(body: bytes, year: int) -> None:
    of_feed(json.loads(body), year)
