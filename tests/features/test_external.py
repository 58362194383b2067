"""Call scripts: what they ask for is done, and what goes wrong in them stays with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from media.api import FileSource, Play, Playlist
from storage.memory import MemoryStorage
from storage.records import Application, Office, Sound
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.prompts import keys_of
from tests.support.scripts import Threads
from tests.support.ua import PhoneCall

SPOKEN = ["en:number/1", "en:number/0", "en:number/2", "en:number/20", "en:number/1"]
FAILED = "the call script has failed, its call ends"


@asynccontextmanager
async def scripted(folder: Path, source: str, storage: MemoryStorage | None = None) -> AsyncIterator[VirtualOffice]:
    """An office with a script at 770 and at all numbers *77X, and three terminals that are registered."""
    (folder / "script.py").write_text(source)
    file = str(folder / "script.py")
    applications = (Application("770", file, "Script"), Application("*77X", file))
    office = Office("Test", sounds=(Sound("hello", "/sounds/hello.wav"),), applications=applications)
    async with open_office(*map(terminal, ("101", "102", "103")), office=office, storage=storage) as opened:
        opened.services.scripts = Threads(thinks_s=0.5)
        yield opened


async def dialled(office: VirtualOffice, number: str = "770") -> PhoneCall:
    return (await office.registered("101")).dial(number)


def said(office: VirtualOffice) -> list[str]:
    """What was played: prompts by their keys, the sound by its id."""
    found: list[str] = []
    for play in office.engine.of(Play):
        files = play.source.files if isinstance(play.source, Playlist) else (play.source,)
        if FileSource("/sounds/hello.wav") in files:
            found.append("hello")
        elif isinstance(play.source, Playlist):
            found += keys_of(play.source)
    return found


def logged(office: VirtualOffice, event: str) -> list[str]:
    return [str(entry.get("why") or entry.get("text")) for entry in office.logs if entry["event"] == event]


async def test_a_script_answers_plays_asks_for_digits_and_sends_the_call_on(tmp_path: Path) -> None:
    source = """
import datetime
def main(call):
    call.answer()
    call.play("hello")
    typed = call.digits(most=3, sound="hello", timeout=5)
    call.say_digits(typed)
    call.say_number(21)
    call.say_date(datetime.date(2026, 11, 27))
    call.say_time(datetime.time(9, 30))
    call.variables["typed"] = typed
    call.log(f"typed {typed} by {call.caller}")
    call.transfer(call.variables["typed"])
"""
    async with scripted(tmp_path, source) as office:
        b = await office.registered("102")
        call = await dialled(office)
        await call.until_answered()
        await asyncio.sleep(2.5)
        office.engine.press(office.leg_of("101").media.endpoint, "102")
        ring = await b.rung()
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(10)
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()
    assert said(office)[: 2 + len(SPOKEN)] == ["hello", "hello", *SPOKEN]
    assert {"en:month/11", "en:number/30"} <= set(said(office))
    assert logged(office, "the call script says") == ["typed 102 by 101"]
    rows = [(row.stage, row.to_number, row.disposition, row.digits) for row in office.rows]
    assert rows == [("application", "770", "ANSWERED", "102"), ("dial", "102", "ANSWERED", "")]


async def test_a_script_rings_somebody_and_goes_on_afterwards(tmp_path: Path) -> None:
    source = """
def main(call):
    call.log(call.dial("103", ring_time=10))
    call.set_caller(name="VIP", number="900")
    call.log(call.dial("102"))
    call.hangup("busy")
"""
    async with scripted(tmp_path, source) as office:
        b, c = await office.registered("102"), await office.registered("103")
        call = await dialled(office, "*771")
        (await c.rung()).ring()
        ring = await b.rung()
        assert ring.invite is not None
        assert "VIP" in str(ring.invite.headers.get("from"))
        assert "900" in str(ring.invite.headers.get("from"))
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(5)
        ring.hangup()
        await call.until_over()
    assert logged(office, "the call script says") == ["no_answer", "answered"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "def main(call):\n    call.answer()\n    return 1 / 0\n",
            "script.py, line 3: ZeroDivisionError: division by zero",
        ),
        ("def main(call):\n    call.answer()\n    while True:\n        pass\n", "it did nothing for 0.5 s"),
        ("def main(call)\n", "script.py, line 1: SyntaxError: expected ':'"),
        ("hello = 1\n", "script.py has no function main(call)"),
        ("def main(call):\n    call.play('gone')\n", 'line 2: pbx.script.call.Refused: play: there is no sound "gone"'),
        ("import sys\ndef main(call):\n    sys.exit()\n", "script.py, line 3: SystemExit"),
    ],
)
async def test_a_script_that_fails_ends_its_own_call_and_says_where(tmp_path: Path, source: str, why: str) -> None:
    async with scripted(tmp_path, source) as office:
        office.may_log.add(FAILED)
        b, c = await office.registered("102"), await office.registered("103")
        others, ring = await office.connect(b, c)
        call = await dialled(office)
        await call.until_over()
        assert not others.is_over, "nobody else is touched"
        others.hangup()
        await ring.until_over()
    (found,) = logged(office, FAILED)
    assert why in found


async def test_a_changed_script_counts_for_new_calls_only(tmp_path: Path) -> None:
    async with scripted(tmp_path, "def main(call):\n    call.wait(10)\n    call.log('old')\n") as office:
        a, b = await office.registered("101"), await office.registered("102")
        first = a.dial("770")
        await asyncio.sleep(1)
        (tmp_path / "script.py").write_text("def main(call):\n    call.log('new')\n")
        second = b.dial("770")
        await second.until_over()
        await first.until_over()
    assert logged(office, "the call script says") == ["new", "old"]


async def test_what_a_script_stores_is_there_for_the_next_call_and_after_a_restart(tmp_path: Path) -> None:
    source = """
def main(call):
    call.store["calls"] = str(int(call.store.get("calls", 0)) + 1)
    call.log(call.store["calls"] + " " + ",".join(call.store) + str(len(call.variables)))
"""
    storage = MemoryStorage()
    for _ in range(2):
        async with scripted(tmp_path, source, storage) as office:
            await (await dialled(office)).until_over()
        found = logged(office, "the call script says")
    assert found == ["2 calls0"]


async def test_a_script_whose_caller_is_gone_may_tidy_up(tmp_path: Path) -> None:
    done = tmp_path / "done"
    source = f"""
def main(call):
    try:
        call.wait(60)
    finally:
        open({str(done)!r}, "w").close()
"""
    async with scripted(tmp_path, source) as office:
        call = await dialled(office)
        await asyncio.sleep(3)
        call.hangup()
        await asyncio.sleep(3)
    assert done.exists()
