"""Calendars elsewhere: iCalendar read, fetched within bounds, the last good copy kept."""

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conf.schema import CalendarSettings
from pbx.bus import Bus
from pbx.calendars import fetch as fetching
from pbx.calendars.busy import busy_of, calendars_of
from pbx.calendars.fetch import Wanted, fetch
from pbx.calendars.keeper import Calendars
from pbx.clock import Clock
from pbx.states import States
from storage.memory import MemoryKept
from storage.records import Calendar, Office

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 27, 12, tzinfo=MOSCOW).timestamp()

ICS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
BEGIN:VEVENT\r
UID:1\r
DTSTART;VALUE=DATE:20261231\r
DTEND;VALUE=DATE:20270102\r
SUMMARY:New Year\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:2\r
DTSTART;TZID=Europe/Berlin:20261126T100000\r
DTEND;TZID=Europe/Berlin:20261126T110000\r
RRULE:FREQ=WEEKLY;COUNT=3\r
EXDATE;TZID=Europe/Berlin:20261203T100000\r
SUMMARY:Meeting\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:3\r
DTSTART:20261127T090000Z\r
DTEND:20261127T100000Z\r
TRANSP:TRANSPARENT\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:4\r
DTSTART:20261127T090000Z\r
DTEND:20261127T100000Z\r
STATUS:CANCELLED\r
END:VEVENT\r
END:VCALENDAR\r
"""


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW).timestamp()


def test_events_are_read_with_their_repetitions_zones_and_whole_days() -> None:
    assert [(each.title, each.start_at, each.end_at) for each in busy_of([ICS], NOW, MOSCOW)] == [
        ("Meeting", at("2026-11-26T12:00"), at("2026-11-26T13:00")),
        ("Meeting", at("2026-12-10T12:00"), at("2026-12-10T13:00")),
        ("New Year", at("2026-12-31"), at("2027-01-02")),
    ]


@pytest.mark.parametrize(
    "text", ["", "rubbish", ICS.replace("20261231", "2026123"), ICS.replace("FREQ=WEEKLY", "FREQ=SECONDLY")]
)
def test_what_is_no_calendar_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is no iCalendar|repeats every hour"):
        busy_of([text], NOW, MOSCOW)


def test_the_events_of_a_caldav_server_are_in_its_answer() -> None:
    answer = (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:propstat><d:prop>'
        f"<c:calendar-data>{ICS}</c:calendar-data></d:prop></d:propstat></d:response></d:multistatus>"
    )
    assert len(busy_of(calendars_of(answer.encode()), NOW, MOSCOW)) == 3
    with pytest.raises(ValueError, match="no answer of a CalDAV server"):
        calendars_of(b"<html>")


class Site:
    """What a web server gives: `answers` by path, and what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, ICS.encode(), {"ETag": '"1"'}
        self.bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []


@contextmanager
def site() -> Iterator[tuple[Site, str]]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            known = found.headers.get("ETag")
            is_known = known is not None and self.headers.get("If-None-Match") == known
            self.send_response(304 if is_known else found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not is_known:
                self.wfile.write(found.bodies.get(self.path, found.body))

        do_REPORT = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield found, f"http://127.0.0.1:{server.server_port}/office.ics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_file_is_fetched_with_credentials_and_not_again_while_it_is_the_same() -> None:
    with site() as (found, url):
        first = fetch(Wanted(url, "belkina", "Secret_1"))
        assert first.body == ICS.encode()
        assert fetch(Wanted(url, tag=first.tag)).body is None
        fetch(Wanted(url, caldav=True))
    credentials = base64.b64encode(b"belkina:Secret_1").decode()
    assert found.asked[0][2]["authorization"] == f"Basic {credentials}"
    assert (found.asked[2][0], found.asked[2][2]["depth"]) == ("REPORT", "1")


def test_what_is_too_large_or_elsewhere_or_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    with site() as (found, url):
        found.body = b"x" * 100_000
        with pytest.raises(ValueError, match="it is larger than"):
            fetch(Wanted(url))
        found.status = 404
        with pytest.raises(ValueError, match="HTTP 404"):
            fetch(Wanted(url))
        found.status, found.headers = 302, {"Location": "file:///etc/passwd"}
        with pytest.raises(ValueError):  # noqa: PT011 - urllib says it in its own words
            fetch(Wanted(url))
        found.headers = {"Location": "ftp://127.0.0.1/x"}
        with pytest.raises(ValueError, match="another protocol"):
            fetch(Wanted(url))
    with pytest.raises(ValueError, match="refused"):
        fetch(Wanted(url))


def calendars(folder: Path, url: str) -> Calendars:
    clock = Clock(asyncio.get_running_loop(), lambda: NOW)
    found = Calendars(clock, States(MemoryKept()), Bus(), folder)
    found.office_changed(Office(timezone="Europe/Moscow", calendars=(Calendar("linked", url=url),)))
    return found


async def until_linked(found: Calendars, *, error: bool = False) -> None:
    for _ in range(200):
        state = found.state("linked")
        if bool(state.error) is error and (error or not found.decide("linked", at("2026-12-31T10:00")).is_open):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(state)


@pytest.mark.real_loop
@pytest.mark.row("CAL-13")
async def test_a_linked_calendar_closes_and_its_last_good_copy_outlives_the_web_server(tmp_path: Path) -> None:
    with site() as (_, url):
        opened = calendars(tmp_path, url)
        await opened.start()
        await until_linked(opened)
        assert opened.decide("linked").is_open
        await opened.close()
    again = calendars(tmp_path, url)
    await again.start()
    await until_linked(again, error=True)
    assert not again.decide("linked", at("2026-12-31T10:00")).is_open
    assert "refused" in again.state("linked").error
    await again.close()


def feed(year: int, off: str) -> bytes:
    """A production calendar in which every month has the same days off and a shortened one."""
    months = [{"month": month, "days": f"{off},20*"} for month in range(1, 13)]
    return json.dumps({"year": year, "months": months, "transitions": []}).encode()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(250):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError


@pytest.mark.real_loop
@pytest.mark.row("CAL-4")
async def test_production_calendars_are_fetched_kept_and_stand_behind_what_somebody_edits(tmp_path: Path) -> None:
    """This year and the next from a web server; a server that fails or talks nonsense leaves what is known; a year that
    nobody knows has the holidays by law."""
    office = Office(
        timezone="Europe/Moscow", calendars=(Calendar("ru", base="ru", weekly={"mon-sun": ("09:00-18:00",)}),)
    )

    def opened(url: str, *, update: bool = True) -> Calendars:
        settings = CalendarSettings(update=update, production_url=url)
        clock = Clock(asyncio.get_running_loop(), lambda: NOW)
        found = Calendars(clock, States(MemoryKept()), Bus(), tmp_path, settings)
        found.office_changed(office)
        return found

    def is_open(found: Calendars, text: str) -> bool:
        return found.decide("ru", at(text)).is_open

    with site() as (web, url):
        web.headers = {}
        base = url.removesuffix("/office.ics")
        web.bodies = {"/2026/c.json": feed(2026, "9,10+"), "/2027/c.json": feed(2027, "11,12,13")}
        found = opened(f"{base}/{{year}}/c.json")
        assert is_open(found, "2026-12-10T10:00"), "a Thursday, by what the program knows itself"
        await found.start()
        folder = tmp_path / "ru"
        await until((folder / "2027.fetched.json").exists)
        await until(lambda: not is_open(found, "2026-12-10T10:00"))
        assert not is_open(found, "2027-05-12T10:00")
        assert is_open(found, "2026-12-20T16:30")
        assert not is_open(found, "2026-12-20T17:30"), "a shortened day"
        await found.close()
        assert {path for _, path, _ in web.asked} == {"/2026/c.json", "/2027/c.json"}
        web.bodies = {"/2026/c.json": b"<html>", "/2027/c.json": feed(2026, "1")}
        again = opened(f"{base}/{{year}}/c.json")
        await again.start()
        await until(lambda: len(web.asked) == 4)
        assert not is_open(again, "2026-12-10T10:00"), "the last good copy"
        (folder / "2026.json").write_bytes(feed(2026, "17"))
        again.office_changed(office)
        assert is_open(again, "2026-12-10T10:00")
        assert not is_open(again, "2026-12-17T10:00"), "what somebody edited"
        await again.close()
    still = opened(f"{base}/{{year}}/c.json")
    await still.start()
    assert not is_open(still, "2027-05-12T10:00")
    await still.close()
    silent = opened(url, update=False)
    assert not is_open(silent, "2099-05-01T10:00")
    assert is_open(silent, "2099-05-04T10:00")
