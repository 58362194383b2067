"""Reports through the API: all for administrators, the own figures for everybody."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.memory import MemoryStorage
from storage.records import CdrRow, EmployeeGroup, Office, User
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office(
    "Test",
    users=(
        User("anna", "Anna"), User("boris", "Boris", role="supervisor", scope=("group:sales",)), User("clara", "Clara"),
    ),
    terminals=(terminal("201", owner="anna"), terminal("202", owner="boris"), terminal("203", owner="clara")),
    employee_groups=(EmployeeGroup("sales", members=("anna",)),),
)  # fmt: skip
T = 1_700_000_000.0
DAY = "from=2023-11-14&to=2023-11-15"


def talk(id: str, caller: str, callee: str, seconds: float, **more: Any) -> CdrRow:
    row = CdrRow(id, id, T, T + seconds, caller, callee, "ANSWERED", answered_at=T, talk_seconds=seconds)
    return replace(row, **more)


OUT: dict[str, Any] = {"provider_out": "telco", "external_number": "74950000000"}
ROWS = (
    talk("1", "201", "79161234567", 60, **OUT), talk("2", "202", "79161234567", 30, **OUT),
    talk("3", "203", "79161234567", 10, **OUT), talk("4", "201", "203", 5),
)  # fmt: skip


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Api]:
    storage = MemoryStorage()
    for each in ROWS:
        storage.cdrs.append(each)
    async with api(folder, OFFICE, storage) as found:
        yield found


@pytest.mark.real_loop
async def test_administrators_get_any_report_as_data_or_as_a_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        get = found.client.get
        told = data_of(await get(f"/reports/outgoing?{DAY}&talk=20"))
        assert told["columns"][:3] == ["employee", "name", "calls"]
        assert told["rows"] == [["anna", "Anna", 1, 0, 1, 0], ["boris", "Boris", 1, 0, 0, 30]]
        assert told["from_at"] == "2023-11-14T00:00:00.000Z"
        lines = list(csv.DictReader((await get(f"/reports/outgoing?{DAY}&format=csv")).text.splitlines()))
        assert [each["employee"] for each in lines] == ["anna", "boris", "clara"]
        for format, start in (("xlsx", b"PK"), ("pdf", b"%PDF")):
            assert (await get(f"/reports/outgoing?{DAY}&format={format}")).content.startswith(start)
        errors_of(await get("/reports/odd"), 404)
        errors_of(await get("/reports/lines?from=2023-11-14&to=2023-11-13"), 422)
        await found.account_of("anna")
        errors_of(await get(f"/reports/outgoing?{DAY}"), 403)


@pytest.mark.row("REP-10")
async def test_everybody_sees_the_own_figures_and_supervisors_those_of_their_scope(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:

        async def shown(user: str) -> dict[str, list[object]]:
            await found.account_of(user)
            told = data_of(await found.client.get(f"/me/figures?{DAY}"))
            await found.become()
            columns = {"terminal-load": "terminal", "outgoing": "employee"}
            return {name: [each[column] for each in told[name]] for name, column in columns.items()}

        assert await shown("anna") == {"terminal-load": ["201"], "outgoing": ["anna"]}
        assert await shown("boris") == {"terminal-load": ["201", "202"], "outgoing": ["anna", "boris"]}
        assert await shown("clara") == {"terminal-load": ["203"], "outgoing": ["clara"]}
        await found.account_of("clara", "again")
        told = data_of(await found.client.get(f"/me/figures?{DAY}"))
        assert told["terminal-load"] == [
            {"terminal": "203", "offered": 1, "missed": 0, "made": 1, "talk_s": 15.0, "occupancy_percent": 0.02}
        ]
        assert told["outgoing"][0]["seconds"] == 10
