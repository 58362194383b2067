"""One app under test, without SIP: real calls and legs whose sides follow a script, and a fake engine.

A feature's test writes `pbx = FakePbx(...)`, `run = pbx.start(App())`, then lets the people at the legs act.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from media.api import FileSource, PlaySource
from pbx.api import App
from pbx.apps import run_stages
from pbx.bridge import Bridge
from pbx.bus import Bus
from pbx.calendars.keeper import Calendars
from pbx.call import Call
from pbx.cause import UNAVAILABLE, Cause
from pbx.clock import Clock
from pbx.dial import PLAINLY, DialOutcome, Ringing
from pbx.directory import Directory
from pbx.events import (
    BusEvent,
    CallEnded,
    CallStarted,
    Direction,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegRinging,
    StageEntered,
    StageLeft,
)
from pbx.fax import FaxLine, answer_plainly
from pbx.hearing import Deaf, Listening
from pbx.inquiry import Inquiry
from pbx.isolation import may_pick_up
from pbx.leg import Leg
from pbx.mailbox_settings import MailboxSettings
from pbx.mailboxes import Mailboxes
from pbx.media_endpoint import MediaAddress
from pbx.media_ports import make_ports
from pbx.media_session import MediaSession
from pbx.office_sound import OfficeSound
from pbx.party import Party, PartyKind
from pbx.room import Room
from pbx.routing import Considered, WayOut
from pbx.said import Said
from pbx.script.hosts import ScriptHost
from pbx.services import Services
from pbx.states import States
from pbx.supervision import may_supervise
from pbx.tones import CountryTones
from storage.memory import MemoryKept
from storage.records import CdrRow, Office, Terminal, User
from tests.support.builders import BASIC, answer_sdp, sdp
from tests.support.fakemedia import FakeMedia
from tests.support.office import WALL_AT_START
from tests.support.prompts import scripted_prompts

EVENTS = (CallStarted, StageEntered, StageLeft, LegCreated, LegRinging, LegAnswered, LegEnded, CallEnded)
PHONE_HOST = "10.0.5.5"


class ScriptedSide:
    """The side of a leg: keeps what the leg said as (verb, argument)."""

    def __init__(self, sip_call_id: str = "call-id") -> None:
        self.sip_call_id = sip_call_id
        self.may_modify = True
        self.tags, self.host = ("ours", "theirs"), "10.0.0.1"
        self.said: list[tuple[str, object]] = []

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.said]

    def of(self, verb: str) -> list[object]:
        return [argument for each, argument in self.said if each == verb]

    def ring(self, sdp: bytes) -> None:
        self.said.append(("ring", sdp))

    def answer(self, sdp: bytes) -> None:
        self.said.append(("answer", sdp))

    def reject(self, cause: Cause) -> None:
        self.said.append(("reject", cause))

    def end(self, cause: Cause) -> None:
        self.said.append(("end", cause))

    def modify(self, sdp: bytes) -> None:
        self.may_modify = False
        self.said.append(("modify", sdp))

    def show(self, party: Party) -> None:
        self.shown = party

    def announce(self) -> bool:
        self.said.append(("announce", self.shown))
        return True

    def accept_offer(self, sdp: bytes) -> None:
        self.said.append(("accept_offer", sdp))

    def refuse_offer(self, status: int) -> None:
        self.said.append(("refuse_offer", status))

    def inform(self, digit: str) -> None:
        self.said.append(("inform", digit))


class FakePbx:
    """An `AppContext` with one call. `outcomes` are what `ring` gives back, one after the other; `rung` and `how` what
    it was asked for. A target that an app goes on to is kept in `went_to`; it ends the call, unless `apps` has it."""

    def __init__(self, to: str = "102", *terminals: Terminal, codecs: tuple[str, ...] = BASIC) -> None:
        loop = asyncio.get_running_loop()
        self.engine = FakeMedia()
        self.bus = Bus()
        self.events: list[BusEvent] = []
        self.bus.subscribe(EVENTS, self.events.append)
        self.services = Services(self.engine, Clock(loop, lambda: WALL_AT_START + loop.time()), self.bus)
        self.draining = False
        self.terminals = {each.number: each for each in terminals}
        self.outcomes: deque[DialOutcome] = deque()
        self.rung: list[str] = []
        self.how: list[Ringing] = []
        self.apps: dict[str, App] = {}
        self.went_to: list[str] = []
        self.office = Office("Test", terminals=terminals)
        self.states = States(MemoryKept())
        self.calendars = Calendars(self.services.clock, self.states, self.bus)
        self.prompts = scripted_prompts()
        settings = MailboxSettings(MemoryKept(), Path("greetings"), loop.time)
        recordings = self.services.recordings_folder
        self.mailboxes = Mailboxes(MemoryKept(), settings, recordings, self.bus, self.services.clock)
        self.unreachable: set[str] = set()
        self.known = {each.number for each in terminals}
        self.transfers: list[tuple[Leg, Leg, str]] = []
        self.consultations: list[tuple[Leg, Leg, str]] = []
        self.busy: dict[str, int] = {}
        self.call = Call("test-1.1", Party(PartyKind.TERMINAL, to), self.services)
        self.call.begin(Party(PartyKind.TERMINAL, "101"))
        self.caller_side = ScriptedSide("caller")
        media = self.media()
        if codecs:
            media.take_offer(sdp(PHONE_HOST, 40000, codecs))
        self.caller = self._leg("101", Direction.INCOMING, self.caller_side, media)
        self.ended: asyncio.Future[Call] = loop.create_future()

    @property
    def scripts(self) -> ScriptHost:
        return self.services.scripts

    def answer_for_fax(self, call: Call) -> None:
        answer_plainly(call.caller, self.services)

    async def fax_line(self, leg: Leg) -> FaxLine:
        return await self.services.faxes.line(leg, self.services)

    def listen(self, leg: Leg, phrases: Mapping[str, Sequence[str]]) -> Listening:
        return Deaf()

    def media(self) -> MediaSession:
        return MediaSession(
            self.services.new_id(), MediaAddress("10.0.0.1", "10.0.0.1"), (PHONE_HOST,), self.services.codecs
        )

    def _leg(self, number: str, direction: Direction, side: ScriptedSide, media: MediaSession) -> Leg:
        return Leg(self.call, Party(PartyKind.TERMINAL, number), direction, side, media, self.services)

    async def callee(self, number: str = "102", *, answered: bool = True) -> Leg:
        """A leg to another terminal, answered in the caller's favourite codec."""
        media = self.media()
        await self._create(self.caller.media, media)
        leg = self._leg(number, Direction.OUTGOING, ScriptedSide(number), media)
        offer = media.offer(self.caller.media.offered_formats)
        if answered:
            found = answer_sdp(offer, PHONE_HOST, 41000, BASIC)
            assert found is not None
            leg.accepted(found)
        return leg

    async def _create(self, *sessions: MediaSession) -> None:
        await make_ports(self.services, *sessions)

    # --- the app --------------------------------------------------------------------------------------------------

    def start(self, app: App) -> None:
        """Let the app control the call."""
        self.call.run(lambda call: run_stages(call, call.to, app, self), self.ended.set_result)

    async def until_ended(self) -> Cause:
        call = await self.ended
        assert call.cause is not None
        return call.cause

    # --- AppContext -----------------------------------------------------------------------------------------------

    @property
    def calls(self) -> dict[str, Call]:
        return {self.call.id: self.call}

    async def talks_with(self, number: str, since_at: float, most: int) -> list[CdrRow]:
        return []

    def now(self) -> float:
        return self.services.clock.now()

    def wall(self) -> float:
        return self.services.clock.wall()

    def party(self, terminal: Terminal) -> Party:
        return self._directory.party(terminal)

    def owner(self, terminal: Terminal) -> User | None:
        return self._directory.owner(terminal)

    def may_pick_up(self, picker: str, number: str) -> bool:
        return may_pick_up(self._directory, picker, number)

    def may_supervise(self, watcher: str, watched: str) -> bool:
        return may_supervise(self._directory, watcher, watched)

    def sound(self, id: str) -> FileSource | None:
        return OfficeSound.of(self.office).file(id)

    def music(self, id: str) -> PlaySource:
        return OfficeSound.of(self.office).music(id)

    @property
    def hold_music(self) -> PlaySource:
        return self.services.sound.hold

    @property
    def _directory(self) -> Directory:
        return Directory(self.office, "zvon.test")

    @property
    def numbers(self) -> Collection[str]:
        return self.known

    def is_reachable(self, terminal: Terminal) -> bool:
        return terminal.number not in self.unreachable

    def phones(self, terminal: Terminal) -> Sequence[str]:
        return (f"sip:{terminal.number}@10.0.0.9 (udp)",) if self.is_reachable(terminal) else ()

    def calls_at(self, number: str) -> int:
        return self.busy.get(number, 0)

    def route(self, target: str) -> tuple[Party, App | None]:
        self.went_to.append(target)
        return Party(PartyKind.APPLICATION, target), self.apps.get(target)

    def play_hold(self, leg: Leg) -> None:
        self.services.sound.play_hold(leg)

    def outside_party(self, number: str) -> Party | None:
        return None

    def consider_outside(self, asked: Call | Inquiry | None, number: str) -> list[Considered]:
        return []

    def employee_behind(self, asked: Call | Inquiry) -> Party | None:
        return None

    def seen_by(self, viewer: str, party: Party) -> Party:
        return party

    def number_behind(self, substitute: str) -> str:
        return ""

    def obstacle(self, way: WayOut) -> Said | None:
        return None

    async def dial_outside(self, call: Call, number: str, way: WayOut) -> DialOutcome:
        return self.outcomes.popleft()

    async def ring(self, call: Call, *terminals: Terminal, how: Ringing = PLAINLY) -> DialOutcome:
        self.rung += [terminal.number for terminal in terminals]
        self.how.append(how)
        await asyncio.sleep(1)
        return self.outcomes.popleft() if self.outcomes else DialOutcome(None, UNAVAILABLE)

    def terminal(self, number: str) -> Terminal | None:
        return self.terminals.get(number)

    def recording_path(self, call: Call, name: str) -> Path:
        return self.services.recording_path(call.id, name)

    async def play_failure(self, call: Call, cause: Cause) -> None:
        await self.services.sound.play_failure(call.caller, cause)

    def call_out(self, terminal: Terminal, to: Party, app: App, *, by_itself: bool = True) -> Call:
        raise NotImplementedError

    def call_outside(self, number: str, to: Party, app: App) -> Call:
        raise NotImplementedError

    def new_room(self, call: Call) -> Room:
        return Room(self.services, call.id)

    def bridge(self, id: int) -> Bridge | None:
        return self.services.bridges.get(id)

    def transfer(self, mine: Leg, other: Leg, target: str) -> bool:
        self.transfers.append((mine, other, target))
        return True

    def consult(self, mine: Leg, other: Leg, target: str) -> bool:
        self.consultations.append((mine, other, target))
        return True

    def pick_up(self, ringing: Call, leg: Leg) -> bool:
        return False

    @property
    def tones(self) -> CountryTones:
        return self.services.sound.tones

    def send_on(self, leg: Leg, party: Party, app: App) -> Call:
        raise NotImplementedError

    async def prepare(self, call: Call) -> None:
        await self._create(call.caller.media)
