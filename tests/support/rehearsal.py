"""`zvon test`: people try out their own office and scripts with simulated phones, on a clock that jumps.

A test is a coroutine `test_…(office)` in a file of theirs. The office is the one of their document: real call control,
real apps, real SIP between real stacks; what is simulated are the network, the sound, the time, and the servers of the
providers.
"""

import asyncio
import inspect
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from conf.calendar_values import DAYS
from pbx.cause import NORMAL
from pbx.events import LegCreated
from storage.records import CdrRow, Office
from tests.support.office import VirtualOffice, open_office
from tests.support.rehearsed import Ears, Played, RehearsedLine, RehearsedPhone
from tests.support.scripts import Threads
from tests.support.vloop import START_S, Deadlock, LeftBehind, VirtualTimeLimit, run_virtual

PASSWORD = "Rehearsal-1"
SOUND_S = 3.0  # how long any sound of the office takes
DAYS_S = 15 * 86_400.0  # the longest test, by the clock of the office


class Rehearsal:
    """What a test is given."""

    def __init__(self, office: VirtualOffice) -> None:
        self._office, self._ears, self._heard = office, Ears(), Played(office)
        office.services.hearing, office.services.scripts = self._ears, Threads()
        office.engine.sound_s = SOUND_S
        self._lines = {
            each.id: RehearsedLine(office.telco(each.host), office, self._ears, self._heard)
            for each in office.pbx.office.providers
        }
        office.bus.subscribe([LegCreated], self._heard.leg_created)

    async def phone(self, number: str) -> RehearsedPhone:
        """Register a phone of that terminal; several may share one."""
        at = f"10.1.{len(self._office.phones) // 250}.{len(self._office.phones) % 250 + 1}"
        phone = await self._office.registered(number, at)
        return RehearsedPhone(phone, self._office, self._ears, self._heard)

    def line(self, provider: str) -> RehearsedLine:
        """The provider with that id; KeyError where there is none."""
        return self._lines[provider]

    async def until(self, moment: str) -> None:
        """Let time pass until the clock of the office says so the next time: "09:30", "mon 09:30". Phones that were
        registered before may be gone by then."""
        day, _, clock = moment.rpartition(" ")
        now = datetime.fromtimestamp(self._office.clock.wall(), ZoneInfo(self._office.pbx.office.timezone))
        then = datetime.combine(now.date(), time.fromisoformat(clock), now.tzinfo)
        while then <= now or (day and DAYS[then.weekday()] != day):
            then += timedelta(days=1)
        await asyncio.sleep((then - now).total_seconds())

    @property
    def history(self) -> Sequence[CdrRow]:
        """The rows of calls that have ended, in the order of `zvon history --json`."""
        return self._office.rows

    @property
    def log(self) -> list[str]:
        """What the server has logged so far."""
        return [" ".join(f"{key}={value}" for key, value in entry.items()) for entry in self._office.logs]


Test = Callable[[Rehearsal], Coroutine[Any, Any, None]]


def rehearse(files: Sequence[Path], office: Office, tell: Callable[[str], None]) -> int:
    """Run every test of the files, each with an office of its own; how many failed. Providers are simulated: nothing
    leaves the machine."""
    failed = ran = 0
    for file in files:
        for name, test in _tests_of(file):
            why, lasted_s = _run(test, _without_surroundings(office), file)
            ran, failed = ran + 1, failed + bool(why)
            tell(f"{file}: {name}: {why or 'passed'} ({lasted_s:.0f} s of the office)")
    tell(f"{ran - failed} passed, {failed} failed")
    return failed if ran else 1


def _without_surroundings(office: Office) -> Office:
    """Phones may come from anywhere, and need no password that the document does not tell; each provider has a server
    of its own, which takes any registration."""
    phones = [
        replace(each, password=each.password or PASSWORD, trust="", network="", transport="any")
        for each in office.terminals
    ]
    lines = [
        replace(
            each,
            host=f"192.0.2.{place}",
            port=5060,
            transport="udp",
            outbound_proxy="",
            kind="ip" if each.kind == "inbound_register" else each.kind,
            password=each.password or PASSWORD,
            qualify=0,
            addresses=(),
            srtp="off",
            network="",
        )
        for place, each in enumerate(office.providers, 1)
    ]
    return replace(office, providers=tuple(lines), terminals=tuple(phones))


def _tests_of(file: Path) -> list[tuple[str, Test]]:
    names: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
    exec(compile(file.read_bytes(), str(file), "exec"), names)
    return [(name, it) for name, it in names.items() if name.startswith("test_") and inspect.iscoroutinefunction(it)]


def _run(test: Test, office: Office, file: Path) -> tuple[str, float]:
    """Why the test failed, "" when it did not, and how long it took by the clock of the office."""
    lasted = 0.0

    async def main() -> None:
        nonlocal lasted
        async with _opened(office) as opened:
            await test(Rehearsal(opened))
            lasted = asyncio.get_running_loop().time() - START_S

    try:
        run_virtual(main(), limit_s=DAYS_S)
    except (Exception, Deadlock, VirtualTimeLimit, LeftBehind) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        what = "".join(traceback.format_exception_only(error)).strip()
        return f"failed{f' at line {lines[-1]}' if lines else ''}: {what}", lasted
    return "", lasted


@asynccontextmanager
async def _opened(office: Office) -> AsyncIterator[VirtualOffice]:
    """The office of a document; calls that a test leaves are hung up. What the server logs as an error is the test's
    to look at."""
    async with open_office(*office.terminals, users=office.users, office=office) as opened:
        yield opened
        opened.may_log.update(str(entry["event"]) for entry in opened.logs)
        for call in list(opened.pbx.calls.values()):
            call.end(NORMAL)
