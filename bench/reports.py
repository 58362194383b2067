"""How long the history of a million rows takes: every report over all of it, pages and filters, on SQLite.

`python -m bench.reports [ROWS]` makes the rows in a folder that it removes, and prints a line for each question.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from pbx.control.clerk import GetReport
from pbx.reports.reporter import NAMES, Reporter
from storage.ports import HistoryQuery
from storage.sql import SqlStorage, open_storage
from storage.sql.statements import store_cdrs
from tests.pbx.reports.day import T, day_of_calls
from tests.pbx.reports.office import OFFICE

DAY_S = 86_400.0
QUERIES = {
    "the newest page": HistoryQuery(),
    "a busy number": HistoryQuery("101"),
    "two numbers": HistoryQuery("101", "79160000001"),
    "missed conversations": HistoryQuery(kind="missed"),
    "a name that nobody has": HistoryQuery(name="nobody"),
}


async def fill(storage: SqlStorage, rows: int) -> float:
    """Days of 5,000 calls one after the other; returns when they end."""
    day, count, at = day_of_calls(5_000), 0, T
    while count < rows:
        moved = [
            replace(
                row,
                id=f"{at:.0f}-{row.id}",
                linkedid=f"{at:.0f}-{row.linkedid}",
                started_at=row.started_at + at - T,
                ended_at=row.ended_at + at - T,
                answered_at=None if row.answered_at is None else row.answered_at + at - T,
            )
            for row in day[: rows - count]
        ]
        await storage.write(lambda connection, moved=moved: store_cdrs(connection, moved))  # type: ignore[misc]
        count, at = count + len(moved), at + DAY_S
    return at + DAY_S


async def timed(name: str, asked: Awaitable[object]) -> None:
    began = perf_counter()
    await asked
    print(f"{name:32} {perf_counter() - began:8.3f} s", flush=True)


async def measure(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage("sqlite:///zvon.db", Path(folder))
        try:
            began = perf_counter()
            end = await fill(storage, rows)
            print(f"{rows} rows stored in {perf_counter() - began:.1f} s: {(end - T) / DAY_S - 1:.0f} days")
            reporter = Reporter(storage, lambda: OFFICE, list, lambda: end)
            for name in NAMES:
                await timed(f"report {name}", reporter.report(GetReport(name, T, end)))
            for name, query in QUERIES.items():
                await timed(name, storage.cdrs.query(query))
        finally:
            await storage.close()


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
