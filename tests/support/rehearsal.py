"""`zvon test`: people try out their own office and scripts with simulated phones, on a clock that jumps.

A test is a coroutine `test_…(office)` in a file of theirs. The office is the one of their document: real call control,
real apps, real SIP between real stacks; what is simulated are the network, the sound and the time.
"""

import asyncio
import inspect
import traceback
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from media.api import EndpointId, FileSource, Play, Playlist
from pbx.cause import NORMAL
from pbx.events import BusEvent, LegCreated
from pbx.hearing import Heard, Listening
from pbx.leg import Leg
from storage.records import CdrRow, Office
from tests.support.office import VirtualOffice, open_office
from tests.support.scripts import Threads
from tests.support.ua import Phone, PhoneCall
from tests.support.vloop import START_S, Deadlock, LeftBehind, VirtualTimeLimit, run_virtual

PASSWORD = "Rehearsal-1"
SOUND_S = 3.0  # how long any sound of the office takes


class RehearsedCall:
    """A call as its phone sees it."""

    def __init__(self, call: PhoneCall, number: str, office: VirtualOffice, ears: "Ears") -> None:
        self._call, self._number, self._office, self._ears = call, number, office, ears

    def ring(self) -> None:
        self._call.ring()

    def answer(self) -> None:
        self._call.answer()

    def refuse(self, status: int = 486) -> None:
        """486 is busy, 603 is declined."""
        self._call.reject(status)

    def hang_up(self) -> None:
        self._call.hangup()

    def press(self, keys: str) -> None:
        self._office.engine.press(self._leg.media.endpoint, keys)

    def say(self, phrase: str) -> None:
        """A spoken command; nothing happens where nobody listens for it."""
        self._ears.hear(self._leg, phrase)

    @property
    def is_answered(self) -> bool:
        return self._call.is_answered

    @property
    def is_over(self) -> bool:
        return self._call.is_over

    async def answered(self, within: float = 60.0) -> None:
        """Wait until the other side has taken the call; TimeoutError when it has not in so many seconds."""
        await self._call.until_answered(within)

    async def ended(self, within: float = 3600.0) -> int:
        """Wait for the end; the SIP status, 200 after a conversation."""
        return await self._call.until_over(within)

    @property
    def _leg(self) -> Leg:
        return [leg for leg in self._office.services.legs.values() if leg.party.number == self._number][-1]


class RehearsedPhone:
    """A phone that is registered."""

    def __init__(self, phone: Phone, office: VirtualOffice, ears: "Ears", heard: "Played") -> None:
        self.number = phone.number
        self._phone, self._office, self._ears, self._heard = phone, office, ears, heard

    def dial(self, number: str) -> RehearsedCall:
        return self._of(self._phone.dial(number))

    async def rings(self, within: float = 60.0) -> RehearsedCall:
        """Wait for a call to this phone; it rings."""
        call = await self._phone.rung(within)
        call.ring()
        return self._of(call)

    @property
    def is_ringing(self) -> bool:
        return self._phone.is_ringing

    @property
    def talks_with(self) -> str | None:
        """The number of the party that is heard now."""
        return self._office.hears(self.number) if self.number in self._office.leg_numbers() else None

    @property
    def heard(self) -> list[str]:
        """What was played to it so far: ids of sounds, keys of prompts such as "en:number/1", "tone"."""
        return self._heard.by(self.number)

    def _of(self, call: PhoneCall) -> RehearsedCall:
        return RehearsedCall(call, self.number, self._office, self._ears)


class Rehearsal:
    """What a test is given."""

    def __init__(self, office: VirtualOffice) -> None:
        self._office, self._ears, self._heard = office, Ears(), Played(office)
        office.services.hearing, office.services.scripts = self._ears, Threads()
        office.engine.sound_s = SOUND_S
        office.bus.subscribe([LegCreated], self._heard.leg_created)

    async def phone(self, number: str) -> RehearsedPhone:
        """Register a phone of that terminal; several may share one."""
        at = f"10.1.{len(self._office.phones) // 250}.{len(self._office.phones) % 250 + 1}"
        phone = await self._office.registered(number, at)
        return RehearsedPhone(phone, self._office, self._ears, self._heard)

    @property
    def history(self) -> Sequence[CdrRow]:
        """The rows of calls that have ended, in the order of `zvon history --json`."""
        return self._office.rows

    @property
    def log(self) -> list[str]:
        """What the server has logged so far."""
        return [" ".join(f"{key}={value}" for key, value in entry.items()) for entry in self._office.logs]


class Ears:
    """A recogniser that hears what tests say."""

    def __init__(self) -> None:
        self._listening: dict[int, tuple[frozenset[str], Heard]] = {}

    def listen(self, leg: Leg, language: str, phrases: Collection[str], heard: Heard) -> Listening:
        self._listening[leg.id] = frozenset(phrases), heard
        return _Ear(self._listening, leg.id)

    def hear(self, leg: Leg, phrase: str) -> None:
        phrases, heard = self._listening.get(leg.id, (frozenset(), None))
        if heard is not None and phrase in phrases:
            heard(phrase)


@dataclass(frozen=True, slots=True)
class _Ear:
    listening: dict[int, Any]
    leg: int

    def stop(self) -> None:
        self.listening.pop(self.leg, None)


class Played:
    """What was played to whom."""

    def __init__(self, office: VirtualOffice) -> None:
        self._office = office
        self._number_of: dict[EndpointId, str] = {}

    def leg_created(self, event: BusEvent) -> None:
        for endpoint, leg in self._office.services.legs.items():
            self._number_of.setdefault(endpoint, leg.party.number)

    def by(self, number: str) -> list[str]:
        plays = [each for each in self._office.engine.of(Play) if self._number_of.get(each.endpoint) == number]
        return [name for play in plays for name in self._names(play)]

    def _names(self, play: Play) -> Iterator[str]:
        ids = {sound.file: sound.id for sound in self._office.pbx.office.sounds}
        source = play.source
        files = source.files if isinstance(source, Playlist) else (source,) if isinstance(source, FileSource) else ()
        yield from (ids.get(file.path, file.path) for file in files) if files else ("tone",)


Test = Callable[[Rehearsal], Coroutine[Any, Any, None]]


def rehearse(files: Sequence[Path], office: Office, tell: Callable[[str], None]) -> int:
    """Run every test of the files, each with an office of its own; how many failed. Providers stay outside: outside
    numbers cannot be reached."""
    failed = ran = 0
    for file in files:
        for name, test in _tests_of(file):
            why, lasted_s = _run(test, _without_surroundings(office), file)
            ran, failed = ran + 1, failed + bool(why)
            tell(f"{file}: {name}: {why or 'passed'} ({lasted_s:.0f} s of the office)")
    tell(f"{ran - failed} passed, {failed} failed")
    return failed if ran else 1


def _without_surroundings(office: Office) -> Office:
    """Phones may come from anywhere, and need no password that the document does not tell."""
    phones = [
        replace(each, password=each.password or PASSWORD, trust="", network="", transport="any")
        for each in office.terminals
    ]
    return replace(office, providers=(), terminals=tuple(phones))


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
        run_virtual(main())
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
