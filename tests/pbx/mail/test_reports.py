"""Reports that are sent by the clock."""

import asyncio
import csv
import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conf.errors import ConfInvalid
from conf.load import parse_settings
from conf.schema import REPORTS, ReportSchedule
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.messages import ControlError
from pbx.control.sheets import Sheet, sheet_bytes
from pbx.history_desk import HistoryDesk
from pbx.mail.mailer import Mailer
from pbx.mail.reports import ReportMail, next_due, period_before, render_apart
from pbx.mail.wording import report_title
from pbx.reports.reporter import NAMES, Reporter
from storage.memory import MemoryStorage
from tests.pbx.mail.test_mailer import OFFICE, ON
from tests.pbx.mail.test_outbox import ScriptedServer
from tests.pbx.test_runtime import serving
from tests.storage.examples import answered, cdr

MOSCOW = ZoneInfo("Europe/Moscow")


def at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=MOSCOW)  # type: ignore[arg-type,misc]


def schedule(**values: object) -> ReportSchedule:
    return ReportSchedule.model_validate({"name": "history", "to": ["a@x.org"], "days": ["mon"], **values})


@pytest.mark.parametrize(
    ("given", "now", "due"),
    [
        ({"days": ["mon"]}, at(2026, 11, 23, 6, 59), at(2026, 11, 23, 7)),
        ({"days": ["mon"]}, at(2026, 11, 23, 7), at(2026, 11, 30, 7)),
        ({"days": ["tue", "fri"], "at": "18:30"}, at(2026, 11, 25), at(2026, 11, 27, 18, 30)),
        ({"days": [], "day": 1}, at(2026, 11, 2), at(2026, 12, 1, 7)),
        ({"days": [], "day": 31}, at(2026, 11, 1), at(2026, 11, 30, 7)),
        ({"days": [], "day": 30}, at(2027, 1, 31), at(2027, 2, 28, 7)),
        ({"days": ["sun"], "day": 24}, at(2026, 11, 23, 8), at(2026, 11, 24, 7)),
    ],
)
def test_a_report_is_due_on_days_of_the_week_or_of_the_month(
    given: dict[str, object], now: dt.datetime, due: dt.datetime
) -> None:
    assert next_due(schedule(**given), now) == due


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        ("day", at(2026, 11, 29), at(2026, 11, 30)),
        ("week", at(2026, 11, 23), at(2026, 11, 30)),
        ("month", at(2026, 10, 1), at(2026, 11, 1)),
    ],
)
def test_it_is_about_the_day_the_week_or_the_month_before(period: str, begin: dt.datetime, end: dt.datetime) -> None:
    found = period_before(schedule(period=period), at(2026, 11, 30, 7))
    assert found == (begin.timestamp(), end.timestamp())


def test_all_reports_can_be_sent_and_have_titles_in_both_languages() -> None:
    assert set(REPORTS) == {*NAMES, "history"}
    assert all(report_title(name, "ru") != report_title(name, "en") for name in REPORTS)


class Rig:
    """A server's parts on virtual time that begins on a Sunday noon in Moscow."""

    def __init__(self, folder: Path, *schedules: ReportSchedule) -> None:
        start, loop = at(2026, 11, 29, 12).timestamp(), asyncio.get_running_loop()
        began = loop.time()
        self.clock = Clock(loop, lambda: start + loop.time() - began)
        self.storage, self.folder, bus = MemoryStorage(), folder, Bus()
        self.mailer = Mailer(ON, self.storage.letters, lambda: OFFICE, self.clock, folder, bus, ScriptedServer())
        reporter = Reporter(self.storage, lambda: OFFICE, list, self.clock.wall)
        missed: object = None
        history = HistoryDesk(self.storage.cdrs, missed, missed, lambda: OFFICE)  # type: ignore[arg-type]
        self.mail = ReportMail(schedules, self.mailer, reporter, history, self.clock, folder, self._render)

    async def _render(self, sheet: Sheet, format: str) -> bytes:
        return sheet_bytes(sheet, format)


@pytest.mark.real_loop
async def test_a_table_is_made_by_a_process_of_its_own_and_its_failure_is_a_sentence() -> None:
    sheet = Sheet("lines", ("at", "n"), [["a", 1]])
    assert await render_apart(sheet, "csv") == b"at,n\r\na,1\r\n"
    with pytest.raises(ControlError, match="KeyError"):
        await render_apart(sheet, "odd")


@pytest.mark.real_loop
@pytest.mark.row("CDR-14")
async def test_the_history_of_the_week_is_sent_to_everybody_in_the_own_language(tmp_path: Path) -> None:
    wanted = schedule(to=["a@x.org", "b@x.org"], period="week", format="csv", search="src:101")
    rig = Rig(tmp_path, wanted)
    monday = at(2026, 11, 23, 9).timestamp()
    rig.storage.cdrs.append(answered("1", monday))
    rig.storage.cdrs.append(cdr("2", monday, from_number="102"))
    rig.storage.cdrs.append(cdr("3", monday - 86_400))
    await rig.mail.post(wanted, at(2026, 11, 30, 7))
    await rig.mail.post(replace_language(wanted), at(2026, 11, 30, 7))
    letters = sorted(await rig.storage.letters.load(), key=lambda each: (each.recipient, each.subject))
    assert [(each.recipient, each.subject) for each in letters] == [
        ("a@x.org", "Call history: 2026-11-23 to 2026-11-29"),
        ("a@x.org", "История звонков: с 2026-11-23 по 2026-11-29"),
        ("b@x.org", "Call history: 2026-11-23 to 2026-11-29"),
        ("b@x.org", "История звонков: с 2026-11-23 по 2026-11-29"),
    ]
    assert letters[1].attachment_name == "history_2026-11-23_2026-11-29.csv"
    rows = list(csv.DictReader((tmp_path / letters[1].attachment).read_text().splitlines()))
    assert [(each["from_number"], each["linkedid"]) for each in rows] == [("101", "call-1")]
    assert "Строк: 1\n" in letters[1].text


async def test_each_report_goes_out_at_its_time_and_a_failure_stops_none(tmp_path: Path) -> None:
    later = schedule(name="quality", at="09:00")
    rig = Rig(tmp_path, schedule(name="lines"), schedule(days=["mon", "tue"]), later)
    sent: list[tuple[str, float]] = []

    async def post(wanted: ReportSchedule, due: dt.datetime) -> None:
        sent.append((wanted.name, due.timestamp()))
        raise ControlError("the database is away")

    rig.mail.post = post  # type: ignore[assignment,method-assign]
    rig.mail.start()
    await asyncio.sleep(23 * 3600)
    rig.mail.close()
    first = at(2026, 11, 30, 7).timestamp()
    assert sent == [("lines", first), ("history", first), ("quality", first + 7200)]


@pytest.mark.real_loop
async def test_a_server_sends_its_reports_as_files_made_beside_it(tmp_path: Path) -> None:
    mail = {"enabled": True, "host": "127.0.0.1", "port": 9, "from_address": "pbx@example.com"}
    reports = [{"name": "lines", "to": ["a@x.org"], "day": 1, "format": "pdf"}]
    storage = MemoryStorage()
    async with serving(tmp_path, storage=storage, mail=mail, reports=reports) as (server, _):
        await server.start()
        assert server._report_mail._task is not None
        await server._report_mail.post(server._settings.reports[0], at(2026, 11, 30, 7))
        (letter,) = await storage.letters.load()
        await server.stop()
    assert letter.subject == "Load of lines: 2026-11-29 to 2026-11-29"
    assert (tmp_path / letter.attachment).read_bytes().startswith(b"%PDF")


def replace_language(wanted: ReportSchedule) -> ReportSchedule:
    return wanted.model_copy(update={"language": "en"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('name = "odd"\nto = ["a@x.org"]\nday = 1', "must be one of"),
        ('name = "lines"\nto = []\nday = 1', "needs somebody who gets it"),
        ('name = "lines"\nto = ["a@x.org"]', "needs a time"),
        ('name = "lines"\nto = ["a@x.org"]\nday = 1\nsearch = "1"', "only the history is searched"),
    ],
)
def test_a_wrong_schedule_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfInvalid, match=sentence):
        parse_settings(f"[[reports]]\n{text}\n", "zvon.toml")
