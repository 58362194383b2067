"""The fax process behind the port: what the engine is told, what comes of a call, what happens without it."""

import asyncio
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from media.api import CreateEndpoint, DestroyEndpoint, HostPort, JoinRoom, LeaveRoom
from pbx import fax
from pbx.cause import NORMAL
from pbx.events import BusEvent, FaxReceived
from pbx.fax import FaxMachine, NoFaxHere
from tests.support.fakepbx import FakePbx

pytestmark = pytest.mark.real_loop

# A process that says what it was asked: pages come when the line is closed.
STUB = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    said = {"id": asked["id"]}
    if "open" in asked:
        said |= {"port": 40000 + asked["open"], "problem": ""}
    elif "receive" in asked:
        said |= {"calling": True}
    elif "close" in asked:
        said |= {"pages": 2, "station": "4951111111", "bit_rate": 9600, "problem": "the call has ended"}
    else:
        continue
    print(json.dumps(said), flush=True)
"""


async def answered() -> FakePbx:
    pbx = FakePbx("74951234567")
    await pbx.prepare(pbx.call)
    pbx.answer_for_fax(pbx.call)
    return pbx


async def test_the_sound_of_a_party_goes_to_the_process_and_pages_are_told_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fax, "faxing", lambda: [sys.executable, "-c", STUB])
    pbx, machine = await answered(), FaxMachine()
    told: list[BusEvent] = []
    pbx.bus.subscribe((FaxReceived,), told.append)
    line = await machine.line(pbx.caller, pbx.services)
    made = pbx.engine.of(CreateEndpoint)[-1]
    assert made.spec is not None
    assert made.spec.remote == HostPort("127.0.0.1", 40008)
    assert [each.name for each in made.spec.payloads] == ["PCMA"]
    rooms = {each.endpoint: each.room for each in pbx.engine.of(JoinRoom)}
    assert rooms.keys() == {pbx.caller.media.endpoint, made.endpoint}
    assert len(set(rooms.values())) == 1
    outcome = line.receive(tmp_path / "faxes" / "a.tif")
    await asyncio.wait_for(line.calling, 10)
    line.close()
    assert (await asyncio.wait_for(outcome, 10)).pages == 2
    assert [each.endpoint for each in pbx.engine.of(LeaveRoom)] == [pbx.caller.media.endpoint]
    assert pbx.engine.of(DestroyEndpoint)[-1].endpoint == made.endpoint
    (event,) = told
    assert isinstance(event, FaxReceived)
    assert (event.number, event.file, event.pages, event.station) == (
        "74951234567", str(tmp_path / "faxes" / "a.tif"), 2, "4951111111"
    )  # fmt: skip
    assert event.problem == "the call has ended"
    pbx.caller.hung_up(NORMAL)
    await machine.close()


async def test_so_many_callers_are_listened_to_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fax, "faxing", lambda: [sys.executable, "-c", STUB])
    monkeypatch.setattr(fax, "MOST", 1)
    pbx, machine = await answered(), FaxMachine()
    line = await machine.line(pbx.caller, pbx.services)
    with pytest.raises(NoFaxHere, match="1 callers are listened to already"):
        await machine.line(pbx.caller, pbx.services)
    line.close()
    (await machine.line(pbx.caller, pbx.services)).close()
    pbx.caller.hung_up(NORMAL)
    await machine.close()


async def test_a_server_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    said = '{"id": json.loads(input())["id"], "port": 0, "problem": "Install libspandsp2."}'
    stub = f"import json; print(json.dumps({said}))"
    monkeypatch.setattr(fax, "faxing", lambda: [sys.executable, "-c", stub])
    pbx, machine = await answered(), FaxMachine()
    with pytest.raises(NoFaxHere, match="Install libspandsp2"):
        await machine.line(pbx.caller, pbx.services)
    assert len(pbx.engine.of(CreateEndpoint)) == 1, "no port for a fax"
    pbx.caller.hung_up(NORMAL)
    await machine.close()


async def test_a_process_that_dies_ends_its_faxes_and_the_next_one_has_a_new_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = STUB.replace('said |= {"calling": True}', "sys.exit(3)")
    monkeypatch.setattr(fax, "faxing", lambda: [sys.executable, "-c", dies])
    pbx, machine = await answered(), FaxMachine()
    line = await machine.line(pbx.caller, pbx.services)
    with capture_logs() as logs:
        outcome = await asyncio.wait_for(line.receive(tmp_path / "a.tif"), 10)
    assert (outcome.pages, outcome.problem) == (0, "the fax process has ended")
    assert [each["log_level"] for each in logs] == ["error", "warning"]
    line.close()
    again = await machine.line(pbx.caller, pbx.services)
    again.close()
    pbx.caller.hung_up(NORMAL)
    await machine.close()
