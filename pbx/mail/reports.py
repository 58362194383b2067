"""Reports by mail, by the clock (CDR-14): a table of the time before, as a file, to those who asked for it."""

import asyncio
import datetime as dt
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import structlog

from conf.schema import ReportSchedule
from pbx.clock import Clock
from pbx.control.clerk import GetReport
from pbx.control.messages import ControlError
from pbx.control.search import searched
from pbx.control.sheets import Sheet, history_sheet
from pbx.history_desk import HistoryDesk
from pbx.mail.mailer import Attachment, Mailer
from pbx.mail.outbox import FOLDER
from pbx.mail.wording import report_title
from pbx.reports.reporter import Reporter
from storage.ports import HistoryQuery
from storage.records import CdrRow

KIND = "report"
PAGE, MOST_ROWS = 1000, 20_000
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAYS = {"day": 1, "week": 7}

Render = Callable[[Sheet, str], Awaitable[bytes]]
log = structlog.get_logger("mail")


def next_due(schedule: ReportSchedule, now: dt.datetime) -> dt.datetime:
    """When it goes out next, after `now`, on the clock of its zone. A day that a month has not is its last one."""
    hour, _, minute = schedule.at.partition(":")
    for ahead in range(64):
        date = now.date() + dt.timedelta(days=ahead)
        due = dt.datetime.combine(date, dt.time(int(hour), int(minute)), now.tzinfo)
        if due > now and _is_its_day(schedule, date):
            return due
    raise AssertionError("every schedule has a day in two months")


def _is_its_day(schedule: ReportSchedule, date: dt.date) -> bool:
    is_last = (date + dt.timedelta(days=1)).day == 1
    is_of_month = schedule.day == date.day or (is_last and schedule.day > date.day)
    return is_of_month or WEEKDAYS[date.weekday()] in schedule.days


def period_before(schedule: ReportSchedule, now: dt.datetime) -> tuple[float, float]:
    """The day, the seven days or the calendar month before the date of `now`, in UTC seconds."""
    end = dt.datetime.combine(now.date(), dt.time(), now.tzinfo)
    if schedule.period == "month":
        end = end.replace(day=1)
        begin = (end - dt.timedelta(days=1)).replace(day=1)
    else:
        begin = end - dt.timedelta(days=DAYS[schedule.period])
    return begin.timestamp(), end.timestamp()


class ReportMail:
    """One per server."""

    def __init__(
        self,
        schedules: Sequence[ReportSchedule],
        mailer: Mailer,
        reporter: Reporter,
        history: HistoryDesk,
        clock: Clock,
        data: Path,
        render: Render | None = None,
    ) -> None:
        self._schedules, self._mailer, self._reporter, self._history = schedules, mailer, reporter, history
        self._clock, self._data, self._render = clock, data, render or render_apart
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._schedules and self._mailer.sends(KIND):
            self._task = asyncio.ensure_future(self._by_the_clock())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _by_the_clock(self) -> None:
        while True:
            now = self._now()
            due = min(next_due(each, now) for each in self._schedules)
            await asyncio.sleep(max(0.0, due.timestamp() - now.timestamp()))
            for schedule in self._schedules:
                if next_due(schedule, now) == due:
                    await self._send(schedule, due)

    async def _send(self, schedule: ReportSchedule, at: dt.datetime) -> None:
        """A failure is told in the log; the next time comes."""
        try:
            await self.post(schedule, at)
        except (ControlError, OSError) as error:
            log.error("a report could not be sent", report=schedule.name, why=str(error))

    async def post(self, schedule: ReportSchedule, at: dt.datetime) -> None:
        """Make the report of the time before `at` and post it. Raises `ControlError` or OSError."""
        from_at, to_at = period_before(schedule, at)
        sheet = await self._sheet(schedule, from_at, to_at)
        content = await self._render(sheet, schedule.format)
        file = Path(FOLDER, f"report-{uuid.uuid4().hex}.{schedule.format}")
        await asyncio.to_thread(_write, self._data / file, content)
        begin = dt.datetime.fromtimestamp(from_at, at.tzinfo)
        end = dt.datetime.fromtimestamp(to_at, at.tzinfo) - dt.timedelta(days=1)
        attachment = Attachment(str(file), f"{schedule.name}_{begin:%Y-%m-%d}_{end:%Y-%m-%d}.{schedule.format}")
        for address in schedule.to:
            recipient = self._mailer.recipient(address, schedule.language)
            assert recipient is not None, "a schedule has addresses"
            values = {
                "report": report_title(schedule.name, recipient.language),
                "from": f"{begin:%Y-%m-%d}",
                "to": f"{end:%Y-%m-%d}",
                "rows": str(len(sheet.rows)),
            }
            self._mailer.post(KIND, recipient, values, attachment=attachment)

    async def _sheet(self, schedule: ReportSchedule, from_at: float, to_at: float) -> Sheet:
        if schedule.name != "history":
            asked = GetReport(schedule.name, from_at, to_at, schedule.step, schedule.by)
            found = await self._reporter.report(asked)
            return Sheet(found.name, found.columns, found.rows)
        query = searched(schedule.search, HistoryQuery(from_at=from_at, to_at=to_at))
        rows: list[CdrRow] = []
        for offset in range(0, MOST_ROWS, PAGE):
            page = await self._history.rows(replace(query, limit=PAGE, offset=offset))
            rows += page
            if len(page) < PAGE:
                break
        return history_sheet(rows)

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.wall(), ZoneInfo(self._mailer.office.timezone))


async def render_apart(sheet: Sheet, format: str) -> bytes:
    """The file, made by a process of its own: a workbook keeps an interpreter busy for a second."""
    program = (sys.executable, "-m", "pbx.control.sheets", format)
    pipes = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*program, stdin=pipes, stdout=pipes, stderr=pipes)
    content, said = await process.communicate(msgspec.json.encode(sheet))
    if process.returncode:
        raise ControlError(said.decode(errors="replace").strip().rpartition("\n")[2] or "the table could not be made")
    return content


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(content)
