"""A whole phone server on the virtual loop: real call control and SIP stack, an in-memory network, a fake engine.

`async with open_office(…)` checks at its end that nothing is left: no call, leg, endpoint, transaction, timer, task.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from structlog.testing import capture_logs

from features import make_apps
from media.api import (
    Command,
    FileSource,
    MediaEvent,
    Play,
    Playlist,
    PlaySource,
    Refused,
    Reply,
    StreamReport,
    ToneSource,
)
from pbx.admission import Admission
from pbx.api import Apps
from pbx.bus import Bus
from pbx.cdr import CdrRecorder
from pbx.challenger import Challenger
from pbx.clock import Clock
from pbx.conversations import Conversations
from pbx.core import Pbx
from pbx.directory import Directory
from pbx.events import (
    BridgeEnded,
    BridgeFormed,
    BusEvent,
    CallEnded,
    CallLinked,
    CallStarted,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHoldChanged,
    LegRinging,
    RegistrationChanged,
    RosterChanged,
)
from pbx.gate import Gate
from pbx.leg import Leg
from pbx.line import LineTerms
from pbx.location import Location
from pbx.outward import Outward
from pbx.providers import Providers
from pbx.registrar import Registrar
from pbx.services import Services
from pbx.textbox import TextPolicy
from sipcore.flow import Flow
from sipcore.register.binding import RegisterPolicy
from sipcore.stack import SipStack, StackConfig
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import SipDriver
from sipcore.transport.resolver import LazyDns, Resolver
from storage.memory import MemoryStorage
from storage.records import CdrRow, Office, Terminal, User
from tests.support.builders import BASIC
from tests.support.fakemedia import FakeEndpoint, FakeMedia
from tests.support.ids import CountingIds
from tests.support.prompts import keys_of, scripted_prompts
from tests.support.telco import Telco
from tests.support.ua import Phone, PhoneCall, RawPhone
from tests.support.wire import PERFECT, Address, Datagrams, Faults, Stream, Wire

SERVER: Address = ("10.0.0.1", 5060)
REALM = "zvon.test"
NONCE_KEY = bytes(range(32))
WALL_AT_START = 1_700_000_000.0
QUIET_S = 75.0  # longer than Timer H of a last response after Timer B of a last request
ALL_EVENTS = (
    CallStarted,
    CallLinked,
    LegCreated,
    LegRinging,
    LegAnswered,
    LegHoldChanged,
    LegEnded,
    BridgeFormed,
    BridgeEnded,
    CallEnded,
    RegistrationChanged,
)

B = TypeVar("B", bound=BusEvent)


class OfficeMedia(FakeMedia):
    """The fake engine with an answer that may take its time and reports that may differ or stay away."""

    def __init__(self) -> None:
        super().__init__()
        self.answer_after_s = 0.0
        self.is_reporting = True
        self.report = StreamReport(0)
        self.ports_left: int | None = None
        self.prompt_s = 2.0  # how long a list of prompts takes
        self.sound_s: float | None = None  # how long a sound file takes; None: until the test ends it

    def _apply(self, command: Command) -> Reply:
        reply = super()._apply(command)
        if isinstance(command, Play) and isinstance(command.source, Playlist | ToneSource) and not command.source.loop:
            asyncio.get_running_loop().call_later(self.prompt_s, self._prompt_is_over, command)
        elif self.sound_s is not None and isinstance(command, Play) and _is_sound(command.source):
            asyncio.get_running_loop().call_later(self.sound_s, self._prompt_is_over, command)
        return reply

    def _prompt_is_over(self, command: Play) -> None:
        found = self.endpoints.get(command.endpoint)
        if found is not None and found.play == command.play:
            self.finish_play(command.endpoint)

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        replies = await super().execute(*commands[: self.ports_left])
        replies += (Refused("All RTP ports are in use."),) * (len(commands) - len(replies))
        if self.answer_after_s:
            await asyncio.sleep(self.answer_after_s)
        return replies

    def emit(self, event: MediaEvent) -> None:
        if isinstance(event, StreamReport):
            if not self.is_reporting:
                return
            event = replace(self.report, endpoint=event.endpoint)
        super().emit(event)


def _is_sound(source: PlaySource) -> bool:
    return isinstance(source, FileSource) and not source.loop


class VirtualOffice:
    """What `pbx.runtime.Server` wires together, on the in-memory network."""

    def __init__(
        self,
        terminals: Iterable[Terminal],
        users: Iterable[User] = (),
        *,
        faults: Faults = PERFECT,
        seed: int = 0,
        storage: MemoryStorage | None = None,
        policy: RegisterPolicy | None = None,
        apps: Apps | None = None,
        office: Office | None = None,
        stack: StackConfig | None = None,
        texts: TextPolicy | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.wire = Wire(faults, seed)
        self.clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        self.bus = Bus()
        self.events: list[BusEvent] = []
        self.bus.subscribe(ALL_EVENTS, self.events.append)
        self.more_events: list[BusEvent] = []
        self.bus.subscribe([RosterChanged], self.more_events.append)
        self.storage = storage or MemoryStorage()
        self.engine = OfficeMedia()
        self.services = Services(self.engine, self.clock, self.bus, prompts=scripted_prompts())
        office = replace(office or Office("Test"), users=tuple(users), terminals=tuple(terminals))
        directory = Directory(office, REALM)
        self.admission = Admission(directory, NONCE_KEY, self.clock)
        self.location = Location(
            self.storage.locations, self.clock, self.bus, self._flow_to, lambda flow: self.driver.is_open(flow)
        )
        self.rows: list[CdrRow] = []
        self.recorder = CdrRecorder(self._append)
        self.recorder.attach(self.bus)
        self.over: list[Callable[[Sequence[CdrRow]], None]] = []
        self.conversations = Conversations(self.bus, self._over)
        self.stack = SipStack(stack or StackConfig(), CountingIds("w0"))
        self.pbx = Pbx(
            directory=directory,
            admission=self.admission,
            location=self.location,
            services=self.services,
            addresses=AdvertisedAddress(),
            apps=apps or make_apps(),
            clock=self.clock,
        )
        self.driver = SipDriver(self.stack, self.pbx.handle)
        self.registrar = Registrar(self.stack, self.admission, self.location, policy or RegisterPolicy(), self.clock)
        self.pbx.attach(self.driver, self.registrar, self.storage, texts or TextPolicy())
        challenge = Challenger(self.admission, self.stack).answer
        self.gate = Gate(lambda: 0.0, self.stack.holds, challenge=challenge, now=loop.time)
        self.driver.gate = self.gate.judge
        self.driver.on_closed = self.location.flow_closed
        self.udp = Datagrams(self.wire, self.driver, SERVER)
        self.wire.listening[SERVER] = self._accept
        self.driver.set_opener("TCP", self._open)
        self.lines = self._providers()
        self.pbx.attach_lines(self.lines)
        self.phones: list[Phone] = []
        self.raw_phones: list[RawPhone] = []
        self.logs: list[MutableMapping[str, Any]] = []
        self.may_log: set[str] = set()

    def _providers(self) -> Providers:
        """The lines to the providers, which are given by address."""
        finder = Resolver(LazyDns([]), self.stack.ids.fraction)
        bound = [("UDP", SERVER[0]), ("TCP", SERVER[0])]
        outward = Outward(self.driver, finder, self._flow_to, lambda: bound)
        terms, ids = LineTerms(3600, "Zvon"), self.stack.ids
        return Providers(
            terms, outward, ids, self.clock, self.bus, lambda each: self.location.targets(Directory.account_of(each))
        )

    def _append(self, row: CdrRow) -> None:
        self.rows.append(row)
        self.conversations.row(row)

    def _over(self, rows: Sequence[CdrRow]) -> None:
        for each in self.over:
            each(rows)

    # --- transports -------------------------------------------------------------------------------------------------

    def _accept(self, stream: Stream) -> None:
        stream.serve(self.driver)

    def _open(self, flow: Flow, data: bytes) -> None:
        stream = self.wire.connect(SERVER, flow.remote)
        if stream is None:
            self.driver.unreachable(flow)
            return
        stream.serve(self.driver)
        stream.send(data, flow.remote)

    def _flow_to(self, transport: str, host: str, port: int) -> Flow | None:
        if transport == "TCP":
            return Flow("TCP", SERVER, (host, port), self.driver.new_id())
        return self.udp.flow_to(host, port)

    # --- phones -----------------------------------------------------------------------------------------------------

    def phone(
        self,
        number: str,
        host: str = "",
        port: int = 5060,
        *,
        codecs: tuple[str, ...] = BASIC,
        transport: str = "UDP",
        algorithm: str = "",
        password: str | None = None,
        extensions: frozenset[str] = frozenset(),
    ) -> Phone:
        """A phone for a terminal, not yet registered."""
        found = self.pbx.directory.terminal(number)
        secret = password if password is not None else (found.password if found is not None else "")
        where = (host or f"10.0.1.{int(number) % 250 + 1}", port)
        phone = Phone(
            self.wire,
            number,
            where,
            SERVER,
            password=secret,
            codecs=codecs,
            transport=transport,
            algorithm=algorithm,
            extensions=extensions,
        )
        self.phones.append(phone)
        return phone

    async def registered(
        self,
        number: str,
        host: str = "",
        port: int = 5060,
        *,
        codecs: tuple[str, ...] = BASIC,
        transport: str = "UDP",
        extensions: frozenset[str] = frozenset(),
    ) -> Phone:
        phone = self.phone(number, host, port, codecs=codecs, transport=transport, extensions=extensions)
        response = await phone.register()
        assert response.status == 200
        return phone

    def raw(self, number: str, host: str, port: int = 5060) -> RawPhone:
        phone = RawPhone(self.wire, number, (host, port), SERVER)
        self.raw_phones.append(phone)
        return phone

    def unplug(self, phone: Phone) -> None:
        """The phone goes away without a word; what it still holds is its own affair."""
        phone.is_gone = True
        self.wire.detach(phone.address)
        if phone.transport == "TCP":
            phone.stream.close()

    async def connect(self, caller: Phone, callee: Phone, *codecs: str) -> tuple[PhoneCall, PhoneCall]:
        """A call that both sides talk on."""
        call = caller.dial(callee.number, None, *codecs)
        ring = await callee.rung()
        ring.ring()
        await asyncio.sleep(2)
        ring.answer()
        await ring.until_confirmed()
        await call.until_answered()
        await asyncio.sleep(1)
        return call, ring

    async def played_out(self, number: str) -> list[str]:
        """Let all that is played to a terminal, one after the other, come to its end; prompts by what they say."""
        heard: list[str] = []
        await asyncio.sleep(1)
        while number in self.leg_numbers() and (play := self.endpoint_of(number).play) is not None:
            (source,) = [each.source for each in self.engine.of(Play) if each.play == play]
            heard += keys_of(source) if isinstance(source, Playlist) else ["tone"]
            self.engine.finish_play(self.leg_of(number).media.endpoint)
            await asyncio.sleep(0.1)
        return heard

    # --- looking ----------------------------------------------------------------------------------------------------

    def of(self, kind: type[BusEvent]) -> list[BusEvent]:
        return [event for event in self.events if type(event) is kind]

    def leg_of(self, number: str) -> Leg:
        """The one living leg of a terminal."""
        (found,) = [leg for leg in self.services.legs.values() if leg.party.number == number]
        return found

    def endpoint_of(self, number: str) -> FakeEndpoint:
        return self.engine.endpoints[self.leg_of(number).media.endpoint]

    def hears(self, number: str) -> str | None:
        """The number of the party that `number` hears now."""
        source = self.engine.hears(self.leg_of(number).media.endpoint)
        return None if source is None else self.services.legs[source].party.number

    def hears_all(self, number: str) -> list[str]:
        """The numbers of all parties that `number` hears now."""
        found = self.engine.hears_all(self.leg_of(number).media.endpoint)
        return sorted(self.services.legs[endpoint].party.number for endpoint in found)

    def bus_events(self, kind: type[B]) -> list[B]:
        """What the bus has told of one kind."""
        return [event for event in (*self.events, *self.more_events) if isinstance(event, kind)]

    def leg_numbers(self) -> list[str]:
        """The terminals of all living legs."""
        return [leg.party.number for leg in self.services.legs.values()]

    @property
    def row(self) -> CdrRow:
        (found,) = self.rows
        return found

    # --- the end ----------------------------------------------------------------------------------------------------

    def leaks(self) -> list[str]:
        """Everything that is still held; empty when all is quiet."""
        found = [f"call {call}" for call in self.pbx.calls]
        found += [f"leg {leg.id} of {leg.party.number}" for leg in self.services.legs.values()]
        found += [f"endpoint {endpoint}" for endpoint in self.engine.endpoints]
        found += [f"active {number}" for number in self.services.active.numbers()]
        found += [f"refused: {why}" for why in self.engine.refused]
        if self.recorder.describe()["calls_in_progress"]:
            found.append("a story of the call history")
        for name, stack in [
            ("server", self.stack),
            *((phone.number, phone.stack) for phone in self.phones if not phone.is_gone),
        ]:
            if not stack.is_idle() or stack.deadline() is not None:
                found.append(f"stack of {name}: {stack.describe()}")
        current = asyncio.current_task()
        found += [f"task {task}" for task in asyncio.all_tasks() if task is not current]
        return found

    def unexpected_logs(self) -> list[str]:
        """Errors in the log that the test did not announce in `may_log`."""
        errors = [entry for entry in self.logs if entry["log_level"] in ("error", "critical", "exception")]
        return [str(entry) for entry in errors if entry["event"] not in self.may_log]

    def check_history(self) -> None:
        """Every call that started ended once and left at least one row."""
        started = [event.call for event in self.events if isinstance(event, CallStarted)]
        ended = [event.call for event in self.events if isinstance(event, CallEnded)]
        assert sorted(started) == sorted(ended), "a call has not ended exactly once"
        linked = {event.call: event.linkedid for event in self.events if isinstance(event, CallStarted | CallLinked)}
        assert {row.linkedid for row in self.rows} == set(linked.values()), "a call without a history row"

    def telco(self, host: str, port: int = 5060) -> Telco:
        """The server of a provider."""
        found = Telco(self.wire, host, SERVER, port=port)
        self.phones.append(found)
        return found

    async def close(self) -> None:
        await self.pbx.finish()
        await self.driver.close()
        for phone in self.phones:
            await phone.driver.close()
        for raw in self.raw_phones:
            raw.close()


@contextmanager
def _failures() -> Iterator[list[str]]:
    """Errors logged the standard way while the body runs."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(handler)


@asynccontextmanager
async def open_office(
    *terminals: Terminal,
    users: Iterable[User] = (),
    faults: Faults = PERFECT,
    seed: int = 0,
    storage: MemoryStorage | None = None,
    policy: RegisterPolicy | None = None,
    apps: Apps | None = None,
    office: Office | None = None,
    stack: StackConfig | None = None,
    texts: TextPolicy | None = None,
) -> AsyncIterator[VirtualOffice]:
    """The office; at the end all timers run out and everything must be gone."""
    opened = VirtualOffice(
        terminals,
        users,
        faults=faults,
        seed=seed,
        storage=storage,
        policy=policy,
        apps=apps,
        office=office,
        stack=stack,
        texts=texts,
    )
    try:
        await opened.pbx.begin()
        with capture_logs() as opened.logs, _failures() as failures:
            opened.lines.apply(opened.pbx.office)
            yield opened
            await opened.lines.stop()
            await asyncio.sleep(QUIET_S)
        assert opened.leaks() == []
        assert [*opened.unexpected_logs(), *failures] == []
        opened.check_history()
    finally:
        await opened.close()
