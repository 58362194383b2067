"""Groups of employees that keep to themselves (GRP-4, GRP-7, GRP-8, GRP-9)."""

import pytest

from pbx.directory import Directory
from pbx.isolation import may_call, may_pick_up
from storage.records import EmployeeGroup, Group, Office, User
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.prompts import keys_of, scripted_prompts
from tests.support.referrer import Referrer

PEOPLE = tuple(User(name, name.title()) for name in ("anna", "boris", "clara", "dmitri"))
OWNED = tuple(terminal(f"10{n}", owner=user.id) for n, user in enumerate(PEOPLE, 1))  # 101 anna … 104 dmitri
NOBODYS = terminal("105")
SALES = EmployeeGroup("sales", members=("anna", "boris"))


def directory(*groups: EmployeeGroup) -> Directory:
    office = Office(
        users=PEOPLE, terminals=(*OWNED, NOBODYS), employee_groups=groups, groups=(Group("600"), Group("601"))
    )
    return Directory(office, "zvon.test")


def isolated(*patterns: str, default: bool = False) -> EmployeeGroup:
    return EmployeeGroup("sales", members=SALES.members, isolate=True, patterns=patterns, is_default=default)


@pytest.mark.row("GRP-7")
@pytest.mark.parametrize(
    ("caller", "number", "may"),
    [
        ("101", "102", True),  # members
        ("101", "101", True),
        ("101", "103", False),
        ("103", "101", False),
        ("105", "101", False),
        ("103", "104", True),  # neither is a member
        ("103", "105", True),
        ("101", "600", False),
        ("101", "601", True),  # listed
        ("103", "600", True),
        ("101", "999", True),  # nobody's number: the usual way
        ("101", "10003246", True),
        ("101", "*78", True),
    ],
)
def test_members_call_each_other_and_what_is_listed(caller: str, number: str, may: bool) -> None:
    assert may_call(directory(isolated("6X1", "11")), caller, number) is may


def test_without_isolation_everybody_calls_everybody() -> None:
    assert may_call(directory(SALES), "101", "103")
    assert may_call(directory(), "101", "103")


def test_two_groups_that_keep_to_themselves_do_not_meet() -> None:
    ours, theirs = isolated("103"), EmployeeGroup("lab", members=("clara",), isolate=True)
    assert may_call(directory(ours, theirs), "101", "103")  # listed by the caller's own group
    assert not may_call(directory(ours, theirs), "103", "101")


@pytest.mark.row("GRP-9")
def test_the_default_group_has_everybody_who_is_in_no_other() -> None:
    rest = EmployeeGroup("rest", is_default=True, isolate=True)
    found = directory(SALES, rest)
    assert may_call(found, "103", "105")
    assert not may_call(found, "105", "101")
    assert not may_call(found, "101", "105")


def test_anybody_may_pick_up_anybodys_calls() -> None:
    for found in (directory(), directory(SALES)):
        assert may_pick_up(found, "101", "103")
        assert may_pick_up(found, "105", "101")


@pytest.mark.parametrize(
    ("picker", "number", "may"),
    [
        ("101", "102", True),
        ("101", "103", False),
        ("103", "101", False),
        ("105", "101", False),
        ("103", "104", True),
        ("101", "600", False),
    ],
)
def test_pick_ups_stay_within_a_group_that_says_so(picker: str, number: str, may: bool) -> None:
    group = EmployeeGroup("sales", members=SALES.members, isolate_pickup=True)
    assert may_pick_up(directory(group), picker, number) is may


@pytest.mark.row("GRP-7")
async def test_who_may_not_call_is_told_so_and_nobody_rings() -> None:
    office = Office("Test", employee_groups=(isolated(),))
    async with open_office(*OWNED, users=PEOPLE, office=office) as opened:
        a, c = [await opened.registered(number) for number in ("101", "103")]
        for phone, number in ((a, "103"), (c, "101")):
            call = phone.dial(number)
            heard = await opened.played_out(phone.number)
            assert heard == keys_of(scripted_prompts().say("call-not-allowed"))
            assert await call.until_over() == 403
            assert len(phone.responses(183)) == 1  # said before an answer
        assert not a.is_ringing
        assert not c.is_ringing
        assert [(row.to_number, row.cause) for row in opened.rows] == [("103", "forbidden"), ("101", "forbidden")]


async def test_nobody_is_transferred_to_whom_the_transferor_may_not_call() -> None:
    office = Office("Test", employee_groups=(isolated(),))
    async with open_office(*OWNED, users=PEOPLE, office=office) as opened:
        a, b = [await opened.registered(number) for number in ("101", "102")]
        call, ring = await opened.connect(a, b)
        assert (await Referrer(a).refer(call, "103")).status == 403
        call.hangup()
        await ring.until_over()
