"""Terminals that make trouble, the journal of events, and reports on the command line."""

import asyncio
import csv
from dataclasses import replace
from io import BytesIO
from zipfile import ZipFile

import pytest
from pypdf import PdfReader

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.clerk import GetReport
from pbx.control.sheets import Sheet, sheet_bytes
from pbx.events import AgentBreak, CallsLost, OfficeChanged, ProviderChanged, RegistrationChange, RegistrationChanged
from pbx.happenings import KEPT_S, Journal
from pbx.reports.reporter import Reporter
from storage.memory import MemoryStorage
from storage.records import AuditEntry, MissedCall, Office

T = 1_764_201_600.0
HOUR = 3600.0


class Rig:
    """A journal of phones that are there or not, on a clock that is set by hand."""

    def __init__(self) -> None:
        self.now, self.bus, self.storage = T, Bus(), MemoryStorage()
        self.here: set[str] = set()
        self.latency: dict[str, float] = {}
        self.lines: dict[str, float] = {}
        clock = Clock(asyncio.get_running_loop(), lambda: self.now)
        self.journal = Journal(
            self.storage.happenings,
            self.bus,
            clock,
            self.here.__contains__,
            lambda: self.latency.items(),
            lambda: self.lines.items(),
        )
        self.missed: list[MissedCall] = []
        self.reporter = Reporter(self.storage, Office, lambda: self.missed, lambda: self.now)

    def phone(self, number: str, change: RegistrationChange, *, after_s: float = 0.0) -> None:
        self.now += after_s
        is_here = change in (RegistrationChange.ADDED, RegistrationChange.REACHABLE)
        (self.here.add if is_here else self.here.discard)(number)
        self.bus.publish(RegistrationChanged(self.now, number, f"sip:{number}@10.0.0.1", change))


@pytest.mark.row("REP-3")
async def test_terminals_beyond_a_limit_are_ranked_by_how_far_they_are_beyond() -> None:
    rig, change = Rig(), RegistrationChange
    for number in ("101", "102", "103", "104"):
        rig.phone(number, change.ADDED)
    for _ in range(5):  # one that loses its registration all the time
        rig.phone("101", change.EXPIRED, after_s=60)
        rig.phone("101", change.ADDED, after_s=10)
    rig.phone("102", change.UNREACHABLE, after_s=60)
    rig.latency = {"103": 400.0, "104": 20.0}
    await rig.journal.sweep()
    rig.now += 2 * HOUR
    rig.latency = {"104": 20.0}
    await rig.journal.sweep()
    rig.phone("102", change.REACHABLE)
    rig.now += HOUR
    found = await rig.reporter.report(GetReport("problems", T, T + 24 * HOUR))
    assert found.columns == ("terminal", "score", "why", "latency_max_ms", "losses_a_day", "unavailable_min")
    assert [(row[0], row[2]) for row in found.rows] == [("102", "unavailable"), ("103", "latency"), ("101", "losses")]
    assert found.rows[0][5] == pytest.approx(120, abs=1)
    assert found.rows[1][3] == 400.0
    assert found.rows[2][4] == 5.0
    wider = GetReport("problems", T, T + 24 * HOUR, latency_ms=500, losses_a_day=10, unavailable_min=300)
    assert (await rig.reporter.report(wider)).rows == ()
    still_away = replace(wider, from_at=T + HOUR, to_at=T + 2 * HOUR, unavailable_min=59.0)
    assert [row[0] for row in (await rig.reporter.report(still_away)).rows] == ["102"]


@pytest.mark.row("REP-6")
async def test_events_are_shown_newest_first_by_kind_and_subject_with_what_people_did() -> None:
    rig, change = Rig(), RegistrationChange
    rig.phone("101", change.ADDED)
    rig.phone("101", change.EXPIRED, after_s=10)
    rig.now += 10
    rig.bus.publish(ProviderChanged(rig.now, "telco", "unreachable", "the provider does not answer"))
    rig.bus.publish(ProviderChanged(rig.now, "telco", "trying"))
    rig.now += 10
    rig.bus.publish(ProviderChanged(rig.now, "telco", "registered"))
    await rig.storage.audit.add(AuditEntry(T + 15, "anna", "10.0.0.9", "sign in", "users/anna"))
    rig.now += 10
    found = await rig.reporter.report(GetReport("events", T, rig.now))
    named = [(row[1], row[2]) for row in found.rows]
    assert named[:3] == [("provider_up", "telco"), ("provider_down", "telco"), ("sign in", "users/anna")]
    assert sorted(named[3:]) == [("registration_lost", "101"), ("terminal_unavailable", "101")]
    rig.bus.publish(CallsLost(rig.now, "sales", "74950000000", 3, 10))
    rig.bus.publish(OfficeChanged(rig.now, 7, "anna"))
    rig.now += 1
    later = await rig.reporter.report(GetReport("events", T + 40, rig.now))
    assert sorted(row[1:] for row in later.rows) == [
        ("calls_lost", "74950000000", "3 in 10 min"), ("office_changed", "7", "anna"),
    ]  # fmt: skip
    down = await rig.reporter.report(GetReport("events", T, rig.now, kind="provider_down"))
    assert [row[1:] for row in down.rows] == [("provider_down", "telco", "the provider does not answer")]
    mine = await rig.reporter.report(GetReport("events", T, rig.now, subject="101"))
    assert {row[1] for row in mine.rows} == {"registration_lost", "terminal_unavailable"}
    rig.now = T + KEPT_S + 100
    await rig.journal.sweep()
    assert (await rig.reporter.report(GetReport("events", T, rig.now))).rows[0][1] == "sign in"


async def test_breaks_of_agents_are_in_the_journal_and_in_their_report() -> None:
    rig = Rig()
    for is_over in (False, True):
        rig.now += 90
        rig.bus.publish(AgentBreak(rig.now, "201", is_over))
    found = await rig.reporter.report(GetReport("agents", T, rig.now))
    assert found.rows == (("201", 0, 0, 0, 0.0, 1, 90),)


@pytest.mark.row("REP-7")
async def test_missed_calls_are_listed_with_who_called_back_when() -> None:
    rig = Rig()
    rig.missed = [
        MissedCall("c1", "79161234567", "Client", "74951234567", "telco", T + 10, 12.0, "queue", "500"),
        MissedCall(
            "c2", "79990000000", "", "74951234567", "telco", T + 20, 5.0, "dial", "101", T + 90, "callback", "104"
        ),
    ]
    rig.now = T + 100
    found = await rig.reporter.report(GetReport("missed", T, T + 50))
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert (rows[0]["client"], rows[0]["open_s"], rows[0]["closed_by"]) == ("79161234567", 90, "")
    assert (rows[1]["closed_by"], rows[1]["closed_with"], rows[1]["closed_at"]) == ("callback", "104", T + 90)


SHEET = Sheet(
    "missed", ("missed_at", "client", "name", "waited_s"),
    ((T + 0.25, "+79161234567", "=HYPERLINK(1)", 12.5), (T + 60, "101", "Анна", 3)),
)  # fmt: skip


def test_a_report_is_written_as_csv_without_formulas() -> None:
    rows = list(csv.reader(sheet_bytes(SHEET, "csv").decode().splitlines()))
    assert rows == [
        ["missed_at", "client", "name", "waited_s"],
        ["2025-11-27T00:00:00.250Z", "+79161234567", "'=HYPERLINK(1)", "12.5"],
        ["2025-11-27T00:01:00.000Z", "101", "Анна", "3"],
    ]


def test_a_report_is_written_as_a_workbook_without_formulas() -> None:
    with ZipFile(BytesIO(sheet_bytes(SHEET, "xlsx"))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "=HYPERLINK(1)" in sheet
    assert "<f>" not in sheet
    assert "<v>12.5</v>" in sheet


def test_a_report_is_written_as_pdf_in_russian_with_its_headings_on_each_page() -> None:
    found = PdfReader(BytesIO(sheet_bytes(replace(SHEET, rows=[*SHEET.rows] * 60), "pdf")))
    pages = [page.extract_text() for page in found.pages]
    assert len(pages) == 3
    assert all("missed_at" in page for page in pages)
    assert "Анна" in pages[0]
    assert sum(page.count("Анна") for page in pages) == 60


@pytest.mark.row("PRV-14")
async def test_lines_have_a_timeline_and_figures_of_their_health() -> None:
    rig = Rig()

    def line(state: str, error: str = "", *, at: float, id: str = "telco") -> None:
        rig.now = T + at
        rig.bus.publish(ProviderChanged(rig.now, id, state, error))

    line("registered", at=-HOUR)
    line("reachable", at=-HOUR, id="backup")
    await rig.journal.sweep()
    for latency_ms in (20.0, 40.0):
        rig.lines = {"telco": latency_ms, "backup": 5.0}
        await rig.journal.sweep()
    rig.now, rig.lines = T, {}
    await rig.journal.sweep()
    line("unreachable", "the provider does not answer", at=6 * HOUR)
    line("trying", at=6 * HOUR + 10)
    line("registered", at=7 * HOUR)
    line("rejected", "the password is wrong", at=30 * HOUR)
    line("registered", at=30.5 * HOUR)
    line("off", at=40 * HOUR)  # the server was stopped
    line("registered", at=46 * HOUR)
    rig.now = T + 48 * HOUR
    found = await rig.reporter.report(GetReport("line-health", T, T + 48 * HOUR))
    worst, best = (dict(zip(found.columns, row, strict=True)) for row in found.rows)
    assert (best["line"], best["availability_percent"], best["grade"], best["incidents"]) == (
        "backup", 100.0, "excellent", 0,
    )  # fmt: skip
    assert (worst["line"], worst["incidents"], worst["down_s"], worst["up_s"]) == ("telco", 2, 5400, 40.5 * HOUR)
    assert (worst["availability_percent"], worst["grade"]) == (96.429, "fair")
    assert (worst["longest_down_s"], worst["latency_mean_ms"], worst["latency_worst_ms"]) == (3600, 30.0, 30.0)
    assert (worst["worst_day"], worst["worst_percent"]) == ("2025-11-27", 95.833)
    assert (worst["best_day"], worst["best_percent"]) == ("2025-11-28", 97.222)
    day = await rig.reporter.report(GetReport("events", T, T + 24 * HOUR, subject="telco"))
    assert [(row[0], row[1], row[3]) for row in day.rows] == [
        (T + 7 * HOUR, "provider_up", ""),
        (T + 6 * HOUR, "provider_down", "the provider does not answer"),
    ]
    hour = await rig.reporter.report(GetReport("line-health", T + 6 * HOUR, T + 7 * HOUR))
    assert [row[:3] for row in hour.rows] == [("telco", 0.0, "poor"), ("backup", 100.0, "excellent")]
