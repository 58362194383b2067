"""Reports of a day of 5,000 calls against brute force: each figure counted once more, straight from the rows."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from pbx.control.clerk import GetReport, ReportView
from pbx.control.messages import ControlError
from pbx.control.sheets import Sheet, sheet_bytes
from pbx.reports.reporter import NAMES, Reporter
from storage.memory import MemoryStorage
from storage.ports import Storage
from storage.records import CdrRow, Happening
from storage.sql import open_storage
from tests.pbx.reports.day import LINES, TERMINALS, T, day_of_calls
from tests.pbx.reports.office import OFFICE

ROWS = day_of_calls(5_000)
TO = T + 2 * 86_400.0
pytestmark = pytest.mark.real_loop


@asynccontextmanager
async def reporter(kind: str, folder: Path, rows: Sequence[CdrRow] = ROWS) -> AsyncIterator[Reporter]:
    storage: Storage = MemoryStorage() if kind == "memory" else open_storage("sqlite:///zvon.db", folder)
    try:
        for row in rows:
            storage.cdrs.append(row)
        if kind != "memory":
            await storage.flush()
        yield Reporter(storage, lambda: OFFICE, list, lambda: TO)
    finally:
        await storage.close()


def conversations() -> dict[str, list[CdrRow]]:
    found: defaultdict[str, list[CdrRow]] = defaultdict(list)
    for row in sorted(ROWS, key=lambda row: (row.started_at, row.id)):
        found[row.linkedid].append(row)
    return found


def is_human(row: CdrRow) -> bool:
    is_person = row.stage in ("dial", "queue") or (row.stage == "voicemail" and bool(row.recording))
    return row.disposition == "ANSWERED" and is_person


def answered(rows: list[CdrRow]) -> list[CdrRow]:
    return [row for row in rows if is_human(row)]


def hour(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:00")


def table(found: ReportView) -> dict[object, dict[str, object]]:
    """Rows by their first column."""
    return {row[0]: dict(zip(found.columns, row, strict=True)) for row in found.rows}


def whole(name: str, **more: object) -> GetReport:
    return GetReport(name, T, TO, **more)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.row("REP-1")
async def test_the_load_of_lines_is_that_of_every_second_of_the_day(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        found = await made.report(whole("lines", step="hour"))
        total = await made.report(whole("lines"))
    carried: defaultdict[tuple[str, str], list[tuple[float, float, bool, bool]]] = defaultdict(list)
    for rows in conversations().values():
        ins, outs = [r for r in rows if r.provider_in], [r for r in rows if r.provider_out]
        if ins or outs:
            of = ins[0] if ins else outs[-1]
            key = (of.provider_in or of.provider_out, of.external_number)
            end = max(r.ended_at for r in rows)
            is_blocked = bool(outs) and not answered(rows) and rows[-1].cause == "peer_busy"
            carried[key].append((rows[0].started_at, end, bool(ins), is_blocked))
    for row in total.rows:
        _, provider, number, calls_in, calls_out, minutes_in, minutes_out, peak, percent, blocked = row
        calls = carried[str(provider), str(number)]
        assert (calls_in, calls_out) == (sum(c[2] for c in calls), sum(not c[2] for c in calls))
        assert minutes_in == pytest.approx(sum(c[1] - c[0] for c in calls if c[2]) / 60, abs=0.1)
        assert minutes_out == pytest.approx(sum(c[1] - c[0] for c in calls if not c[2]) / 60, abs=0.1)
        brute = max(sum(c[0] <= at < c[1] for c in calls) for at in {c[0] for c in calls})
        assert peak == brute
        assert percent == (round(100 * brute / 100, 1) if provider == "telco" else "")
        assert blocked == sum(c[3] for c in calls)
    assert {(row[1], row[2]) for row in total.rows} == set(LINES)
    for row in found.rows[:12]:
        calls = carried[str(row[1]), str(row[2])]
        assert row[3] == sum(c[2] and hour(c[0]) == row[0] for c in calls)
        assert row[4] == sum(not c[2] and hour(c[0]) == row[0] for c in calls)


@pytest.mark.row("REP-2")
async def test_one_conversation_counts_once_at_its_provider(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        found = await made.report(whole("providers"))
    sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0])
    for rows in conversations().values():
        ins, outs = [r for r in rows if r.provider_in], [r for r in rows if r.provider_out]
        if ins or outs:
            key = (ins[0].provider_in, "in") if ins else (outs[-1].provider_out, "out")
            sums[key][0] += 1
            sums[key][1] += bool(answered(rows))
            sums[key][2] += max(r.ended_at for r in rows) - rows[0].started_at
            sums[key][3] += sum(r.talk_seconds for r in rows)
    assert {(row[0], row[1]) for row in found.rows} == set(sums)
    for row in found.rows:
        assert list(row[2:]) == pytest.approx(sums[str(row[0]), str(row[1])], abs=0.1)


@pytest.mark.row("REP-4")
async def test_the_quality_of_service_is_counted_from_every_call(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        found = await made.report(whole("quality", within_s=15.0))
        load = table(await made.report(whole("terminal-load")))
    ins = [rows for rows in conversations().values() if rows[0].provider_in]
    waits = [min(r.answered_at or 0 for r in answered(rows)) - rows[0].started_at for rows in ins if answered(rows)]
    lost = [rows for rows in ins if not answered(rows)]
    (row,) = found.rows
    figures = dict(zip(found.columns, row, strict=True))
    assert (figures["calls"], figures["answered"], figures["missed"]) == (len(ins), len(waits), len(lost))
    assert figures["answer_avg_s"] == pytest.approx(sum(waits) / len(waits), abs=0.06)
    assert figures["answer_max_s"] == pytest.approx(max(waits), abs=0.06)
    assert figures["within_15_s_percent"] == round(100 * sum(w <= 15 for w in waits) / len(ins), 1)
    ends = [{r.stage for r in rows if r.ended_at == max(each.ended_at for each in rows)} for rows in lost]
    queued, in_menu = sum("queue" in stages for stages in ends), sum("ivr" in stages for stages in ends)
    assert queued > 100 < in_menu
    assert (figures["abandoned_in_queue"], figures["abandoned_in_menu"]) == (queued, in_menu)
    for number in TERMINALS:
        mine = [r for r in ROWS if number in (r.from_number, r.to_number)]
        assert load[number]["talk_s"] == pytest.approx(sum(r.talk_seconds for r in mine), abs=0.06)
        assert load[number]["offered"] == sum(r.to_number == number for r in mine)
        share = 100 * sum(r.talk_seconds for r in mine) / (TO - T)
        assert load[number]["occupancy_percent"] == pytest.approx(share, abs=0.01)


@pytest.mark.row("REP-5")
@pytest.mark.row("AMB-31")
async def test_the_funnel_loses_at_each_stage_what_the_rows_say(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        found = table(await made.report(whole("funnel", talk_s=60.0)))
        some = await made.report(whole("funnel", talk_s=60.0, by="day", stages=("calls", "reached")))
        by_provider = table(await made.report(whole("funnel", talk_s=60.0, by="provider")))
    every = conversations()
    contacts: defaultdict[str, list[float]] = defaultdict(list)
    for rows in every.values():
        if answered(rows) and (rows[0].provider_in or rows[-1].provider_out):
            contacts[rows[0].from_number if rows[0].provider_in else rows[-1].to_number].append(rows[0].started_at)
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for rows in every.values():
        if rows[0].provider_in:
            came = [
                True, any(r.stage not in ("incoming", "ivr") for r in rows), bool(answered(rows)),
                sum(r.talk_seconds for r in rows) >= 60,
                max(contacts[rows[0].from_number], default=0) > rows[0].started_at,
            ]  # fmt: skip
            for place in range(5):
                sums[rows[0].external_number][place] += all(came[: place + 1])
    for line, counts in sums.items():
        assert [found[line][stage] for stage in ("calls", "through", "reached", "talked", "repeated")] == counts
        assert found[line]["lost_before_reached"] == counts[1] - counts[2]
    assert some.columns == ("day", "calls", "reached", "lost_before_reached")
    assert sum(int(row[1]) for row in some.rows) == sum(counts[0] for counts in sums.values())
    assert set(by_provider) == {"telco", "other"}


@pytest.mark.row("REP-11")
async def test_what_calls_cost_follows_the_tariffs(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        found = table(await made.report(whole("spend")))
        departments = table(await made.report(whole("spend", by="department")))
    cost: defaultdict[str, float] = defaultdict(float)
    unpriced: defaultdict[str, int] = defaultdict(int)
    of_sales = 0.0
    for row in ROWS:
        if row.provider_out == "telco" and row.talk_seconds:
            whole_s = int(row.talk_seconds) + (row.talk_seconds > int(row.talk_seconds))
            cents = 50 + round(whole_s * 250 / 60)
            cost[row.external_number] += cents / 100
            of_sales += cents / 100 if row.from_number < "111" else 0
        elif row.provider_out and row.talk_seconds:
            unpriced[row.external_number] += 1
    for _, line in LINES:
        assert found[line]["cost"] == pytest.approx(cost[line], abs=0.01)
        assert found[line]["without_tariff"] == unpriced[line]
    assert departments["sales"]["cost"] == pytest.approx(of_sales, abs=0.01)
    assert set(departments) == {"sales", ""}


@pytest.mark.row("REP-9")
async def test_queues_and_agents_are_counted_with_their_breaks(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        moments = ((-60, "paused"), (60, "resumed"), (600, "paused"), (900, "resumed"), (86_400 * 2 - 5, "paused"))
        for at, what in moments:
            noted = Happening(f"{at}", T + at, f"agent_{what}", "101")
            made._storage.happenings.put(noted.id, noted)
        (queue,) = (await made.report(whole("queues"))).rows
        agents = table(await made.report(whole("agents")))
    waited = [row for row in ROWS if row.stage == "queue"]
    assert queue[1:3] == (len(waited), sum(row.disposition == "ANSWERED" for row in waited))
    gave_up = sum(row.disposition != "ANSWERED" and row.cause == "cancelled" for row in waited)
    assert queue[3:5] == (gave_up, len(waited) - queue[2] - gave_up)  # type: ignore[operator]
    waits = [(row.answered_at or row.ended_at) - row.started_at for row in waited]
    assert list(queue[5:]) == pytest.approx([sum(waits) / len(waits), max(waits)], abs=0.06)
    queued = {row.linkedid for row in waited}
    for number in TERMINALS:
        offered = [r for r in ROWS if r.linkedid in queued and r.stage == "dial" and r.to_number == number]
        talks = [r.talk_seconds for r in offered if r.disposition == "ANSWERED"]
        assert agents[number]["offered"] == len(offered)
        assert agents[number]["answered"] == len(talks)
        assert agents[number]["missed"] == sum(r.disposition != "ANSWERED" for r in offered)
        assert agents[number]["talk_avg_s"] == pytest.approx(sum(talks) / len(talks), abs=0.06)
        assert (agents[number]["breaks"], agents[number]["break_s"]) == ((3, 365) if number == "101" else (0, 0))


@pytest.mark.row("REP-8")
async def test_each_employee_has_made_the_calls_of_all_own_terminals(kind: str, tmp_path: Path) -> None:
    async with reporter(kind, tmp_path) as made:
        found = await made.report(whole("outgoing", talk_s=30.0))
    outgoing = table(found)
    assert set(outgoing) == {"anna", "boris"}
    for person, own in (("anna", TERMINALS[:10]), ("boris", TERMINALS[10:])):
        mine = [r for r in ROWS if r.provider_out and r.from_number in own and r.talk_seconds >= 30]
        spent = outgoing[person]
        seconds = int(str(spent["hours"])) * 3600 + int(str(spent["minutes"])) * 60 + int(str(spent["seconds"]))
        assert (spent["calls"], seconds) == (len(mine), round(sum(r.talk_seconds for r in mine)))
    sheet = Sheet("outgoing", found.columns, found.rows)
    assert "Boris" in PdfReader(BytesIO(sheet_bytes(sheet, "pdf"))).pages[0].extract_text()
    assert sheet_bytes(sheet, "xlsx").startswith(b"PK")


async def test_a_report_that_there_is_not_or_of_no_time_is_a_sentence(tmp_path: Path) -> None:
    async with reporter("memory", tmp_path, []) as made:
        with pytest.raises(ControlError, match="there is no report nothing; there are agents, "):
            await made.report(whole("nothing"))
        with pytest.raises(ControlError, match="ends before it begins"):
            await made.report(GetReport("lines", TO, T))
        for name in NAMES:
            assert (await made.report(whole(name))).rows == ()
