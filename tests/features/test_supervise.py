"""Supervision of conversations: real call control on the virtual network."""

import asyncio

import pytest

from storage.records import EmployeeGroup, Office, User
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall

BOSS = User("boss", "Boss", role="administrator")
LEAD = User("lead", "Lead", role="supervisor", scope=("group:sales",))
ANN, BOB = User("ann", "Ann"), User("bob", "Bob")
USERS = (BOSS, LEAD, ANN, BOB)
PHONES = (
    terminal("101"),
    terminal("102", owner="ann"),
    terminal("103", owner="bob"),
    terminal("110", owner="boss"),
    terminal("111", owner="lead"),
)
SALES = Office("Test", employee_groups=(EmployeeGroup("sales", members=("ann",)),))


async def talking(office: VirtualOffice, employee: str = "102") -> tuple[PhoneCall, PhoneCall]:
    a, b = [await office.registered(number) for number in ("101", employee)]
    return await office.connect(a, b)


@pytest.mark.row("FEAT-26")
@pytest.mark.parametrize(
    ("code", "client_hears", "employee_hears"),
    [("*55", ["102"], ["101"]), ("*56", ["102"], ["101", "110"]), ("*57", ["102", "110"], ["101", "110"])],
)
async def test_who_supervises_hears_both_and_is_heard_by_whom_the_code_says(
    code: str, client_hears: list[str], employee_hears: list[str]
) -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        boss = await office.registered("110")
        watching = boss.dial(f"{code}102")
        await watching.until_answered()
        await asyncio.sleep(1)
        assert office.hears_all("110") == ["101", "102"]
        assert (office.hears_all("101"), office.hears_all("102")) == (client_hears, employee_hears)
        watching.hangup()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        again = boss.dial(f"{code}102")
        await again.until_answered()
        call.hangup()
        await ring.until_over()
        await again.until_over()


@pytest.mark.parametrize(
    ("watcher", "employee", "may"), [("111", "102", True), ("111", "103", False), ("103", "102", False)]
)
async def test_supervisors_watch_their_group_and_nobody_else_anybody(watcher: str, employee: str, may: bool) -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office, employee)
        phone = await office.registered(watcher)
        watching = phone.dial(f"*55{employee}")
        await asyncio.sleep(5)
        assert watching.is_answered is may
        if may:
            watching.hangup()
        else:
            assert await watching.until_over() == 403
        call.hangup()
        await ring.until_over()


async def test_where_nobody_talks_there_is_nothing_to_hear() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        boss = await office.registered("110")
        assert await boss.dial("*55102").until_over() == 404


async def test_a_transfer_ends_the_supervision_without_a_word_to_the_new_party() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        _, ring = await talking(office)
        boss, target = [await office.registered(number) for number in ("110", "103")]
        watching = boss.dial("*56102")
        await watching.until_answered()
        await asyncio.sleep(1)
        office.engine.press(office.leg_of("102").media.endpoint, "**103#")
        await ring.until_over()
        await watching.until_over()
        new = await target.rung()
        new.answer()
        await new.until_confirmed()
        await asyncio.sleep(1)
        assert office.hears_all("101") == ["103"]
        new.hangup()
        await asyncio.sleep(1)
