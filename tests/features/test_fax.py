"""Faxes on external numbers (INB-32): a provider on the virtual network, a fax machine that does as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from media.api import Play, ToneSource
from pbx.explain import explain
from pbx.fax import FaxLine, FaxOutcome, NoFaxHere
from pbx.leg import Leg
from pbx.services import Services
from tests.features.test_incoming import CLIENT, DID, NUMBER, called, finish_play, played, ringing, stages, talk
from tests.support.office import VirtualOffice
from tests.support.telco import Telco


class ScriptedFax:
    """A line for each call."""

    def __init__(self, problem: str = "") -> None:
        self.problem = problem
        self.lines: list[ScriptedLine] = []

    async def line(self, leg: Leg, services: Services) -> FaxLine:
        if self.problem:
            raise NoFaxHere(self.problem)
        self.lines.append(ScriptedLine())
        return self.lines[-1]


class ScriptedLine:
    def __init__(self) -> None:
        self.calling: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.outcome: asyncio.Future[FaxOutcome] = asyncio.get_running_loop().create_future()
        self.file: Path | None = None
        self.is_closed = False

    def receive(self, file: Path) -> "asyncio.Future[FaxOutcome]":
        self.file = file
        return self.outcome

    def close(self) -> None:
        self.is_closed = True


@asynccontextmanager
async def faxed(
    mode: str, *, greeting: str = "", problem: str = "", direct_dial: bool = False
) -> AsyncIterator[tuple[VirtualOffice, Telco, ScriptedFax]]:
    number = replace(NUMBER, fax=mode, greeting=greeting, direct_dial=direct_dial)
    async with called(number=number) as (office, telco):
        machine = office.pbx.services.faxes = ScriptedFax(problem)
        yield office, telco, machine


@pytest.mark.row("INB-32")
async def test_a_number_that_is_a_fax_takes_the_pages_and_rings_nobody() -> None:
    async with faxed("only") as (office, telco, machine):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(30)
        (line,) = machine.lines
        assert line.file is not None
        assert line.file.suffix == ".tif"
        line.outcome.set_result(FaxOutcome(2, "4951111111", 14400))
        await call.until_over()
        await asyncio.sleep(1)
        assert line.is_closed
    assert stages(office) == [(DID, "incoming", "NOANSWER"), ("fax", "fax", "ANSWERED")]


@pytest.mark.row("INB-32")
@pytest.mark.parametrize("direct_dial", [False, True])
async def test_a_fax_that_calls_during_the_greeting_is_taken_and_nobody_rings(direct_dial: bool) -> None:
    async with faxed("detect", greeting="welcome", direct_dial=direct_dial) as (office, telco, machine):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(2)
        machine.lines[0].calling.set_result(None)
        await asyncio.sleep(1)
        listening, taking = machine.lines
        assert (listening.is_closed, taking.is_closed) == (True, False)
        taking.outcome.set_result(FaxOutcome(1))
        await call.until_over()
        await asyncio.sleep(1)
    assert [stage for _, stage, _ in stages(office)] == ["incoming", "fax"]
    assert not any(each.is_ringing for each in office.phones)


async def test_who_is_no_fax_hears_a_greeting_or_ringing_and_then_somebody_rings() -> None:
    async with faxed("detect") as (office, telco, machine):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(1)
        assert isinstance(office.engine.of(Play)[-1].source, ToneSource)
        await asyncio.sleep(3.5)
        assert not any(each.is_ringing for each in office.phones)
        await talk(call, await ringing(office, "101"), is_answered=True)
        assert machine.lines[0].is_closed
    async with faxed("detect", greeting="welcome") as (office, telco, machine):
        call = telco.call(DID, CLIENT)
        await asyncio.sleep(6)
        await finish_play(office)
        await talk(call, await ringing(office, "101", 1), is_answered=True)
        assert played(office) == ["welcome.wav"]


async def test_a_caller_who_hangs_up_in_the_middle_leaves_what_has_come() -> None:
    async with faxed("only") as (_, telco, machine):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(5)
        call.hangup()
        await asyncio.sleep(1)
        assert machine.lines[0].is_closed
        assert not machine.lines[0].outcome.cancelled(), "its pages are still told"
        machine.lines[0].outcome.set_result(FaxOutcome(1, problem="the call has ended"))


async def test_without_a_fax_machine_the_number_works_as_before_and_the_log_says_why() -> None:
    async with faxed("detect", problem="the library libspandsp is not there") as (office, telco, _):
        office.may_log.add("nobody listens whether a fax calls")
        call = telco.call(DID, CLIENT)
        await talk(call, await ringing(office, "101"), is_answered=True)
    async with faxed("only", problem="the library libspandsp is not there") as (office, telco, _):
        office.may_log.add("a fax cannot be taken")
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await call.until_over()
        await asyncio.sleep(1)


async def test_what_becomes_of_a_fax_is_explained() -> None:
    async with faxed("only") as (office, _, _):
        view = explain(office.pbx, CLIENT, DID)
        assert {each.rule: each.why for each in view.rules}["fax"] == "every call"
        assert "fax" in view.result
