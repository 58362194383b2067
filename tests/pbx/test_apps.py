"""Apps behind numbers, and a call that goes from one to the next."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import pytest

from pbx import cause
from pbx.api import AppContext, Apps, Call, GoTo, Next
from pbx.apps import MOST_STAGES
from pbx.directory import Directory
from pbx.events import StageEntered, StageLeft
from pbx.party import PartyKind
from storage.records import Office, Terminal, User
from tests.support.builders import terminal
from tests.support.fakepbx import FakePbx


@dataclass(frozen=True)
class Scripted:
    """Waits a second, then does what it was told to."""

    step: Next
    name: ClassVar[str] = "scripted"
    stage: ClassVar[str] = "ivr"

    async def run(self, call: Call, ctx: AppContext) -> Next:
        call.stage_digits += "t"
        await asyncio.sleep(1)
        return self.step


def office(*terminals: Terminal) -> Directory:
    return Directory(Office(users=(User("anna", "Anna"),), terminals=terminals), "zvon.test")


def stages(pbx: FakePbx) -> list[StageEntered | StageLeft]:
    return [each for each in pbx.events if isinstance(each, StageEntered | StageLeft)]


async def test_the_same_call_goes_from_stage_to_stage() -> None:
    pbx = FakePbx("700")
    pbx.apps["500"] = Scripted(cause.NORMAL)
    pbx.start(Scripted(GoTo("500", cause.NO_ANSWER)))
    assert await pbx.until_ended() == cause.NORMAL
    first, first_left, second, second_left = stages(pbx)
    assert isinstance(first, StageEntered)
    assert isinstance(second, StageEntered)
    assert (first.party.number, first.stage, second.party.number) == ("700", "ivr", "500")
    assert isinstance(first_left, StageLeft)
    assert isinstance(second_left, StageLeft)
    assert (first_left.cause, first_left.digits, second_left.digits) == (cause.NO_ANSWER, "t", "t")
    assert pbx.caller.cause == cause.NORMAL


async def test_a_call_that_is_sent_to_a_number_that_is_gone_ends_as_not_found() -> None:
    pbx = FakePbx("700")
    pbx.start(Scripted(GoTo("599")))
    assert await pbx.until_ended() == cause.NOT_FOUND
    assert pbx.went_to == ["599"]


async def test_menus_that_lead_to_each_other_do_not_hold_a_call_for_ever() -> None:
    pbx = FakePbx("700")
    pbx.apps = {"700": Scripted(GoTo("701")), "701": Scripted(GoTo("700"))}
    pbx.start(Scripted(GoTo("701")))
    assert await pbx.until_ended() == cause.LOOP
    assert len(pbx.went_to) == MOST_STAGES


async def test_a_caller_who_hangs_up_leaves_the_stage_without_a_cause() -> None:
    pbx = FakePbx("700")
    pbx.start(Scripted(cause.NORMAL))
    await asyncio.sleep(0.5)
    pbx.caller.hung_up(cause.CANCELLED)
    assert await pbx.until_ended() == cause.CANCELLED
    (_, left) = stages(pbx)
    assert isinstance(left, StageLeft)
    assert left.cause is None


def test_an_entry_of_the_office_stands_before_a_built_in_number() -> None:
    found = Scripted(cause.NORMAL)
    apps = Apps({Terminal: lambda _: found}, {"102": Scripted(cause.BUSY), "000": Scripted(cause.BUSY)}, {})
    party, app = apps.find(office(terminal("102", owner="anna")), "102")
    assert (party.kind, party.name, app) == (PartyKind.TERMINAL, "Anna", found)
    assert apps.find(office(), "000")[1] == Scripted(cause.BUSY)
    assert apps.find(office(), "103") == (apps.find(office(), "103")[0], None)


@pytest.mark.parametrize("number", ["hangup", "voicemail"])
def test_services_are_targets_but_nobody_can_dial_them(number: str) -> None:
    service = Scripted(cause.NORMAL)
    apps = Apps({}, {}, {number: service})
    assert apps.find_target(office(), number)[1] is service
    assert apps.find(office(), number)[1] is None


def test_a_disabled_terminal_is_nobody() -> None:
    apps = Apps({Terminal: lambda _: Scripted(cause.NORMAL)}, {}, {})
    assert apps.find(office(terminal("102", disabled=True)), "102")[1] is None
