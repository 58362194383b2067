"""What apps ask of the server (`pbx.api.AppContext`), carried out by those who know: the office, legs, transfers."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from media.api import FileSource, PlaySource
from pbx.apps import App
from pbx.bridge import Bridge
from pbx.bus import Bus
from pbx.call import Call
from pbx.cause import Cause
from pbx.clock import Clock
from pbx.dial import PLAINLY, DialOutcome, Ringing
from pbx.directory import Directory
from pbx.events import BridgeId
from pbx.fax import FaxLine, answer_plainly
from pbx.hearing import Listening
from pbx.inquiry import Inquiry
from pbx.isolation import may_pick_up
from pbx.leg import Leg
from pbx.location import Location
from pbx.originate import Originator
from pbx.outside import OutsideDialler, employee_behind
from pbx.party import Party
from pbx.prompts import Prompts
from pbx.ringing import Ringer
from pbx.room import Room
from pbx.routing import Considered, WayOut
from pbx.said import Said
from pbx.script.hosts import ScriptHost
from pbx.services import Services
from pbx.states import States
from pbx.supervision import may_supervise
from pbx.tones import CountryTones
from pbx.transfer import Transfers
from sipcore.sdp.model import RtpFormat
from storage.ports import CdrStore, HistoryQuery, StorageUnavailable
from storage.records import CdrRow, Office, Terminal, User


class AppSurface:
    """The part of `Pbx` that apps see."""

    directory: Directory
    services: Services
    location: Location
    transfers: Transfers
    ringer: Ringer
    originator: Originator
    _clock: Clock
    _states: States | None
    _cdrs: CdrStore | None

    def route(self, target: str) -> tuple[Party, App | None]:
        """Who is behind a target of the office, and the app that handles calls to it."""
        raise NotImplementedError

    def formats_for(self, caller: Leg) -> tuple[RtpFormat, ...]:
        """What the party that shall talk to the caller may use."""
        raise NotImplementedError

    async def create_media(self, call: Call) -> None:
        """Ports for the caller; raises `MediaRefused`."""
        raise NotImplementedError

    @property
    def outside(self) -> OutsideDialler:
        """Dials numbers outside."""
        raise NotImplementedError

    @property
    def office(self) -> Office:
        return self.directory.office

    @property
    def bus(self) -> Bus:
        return self.services.bus

    @property
    def prompts(self) -> Prompts:
        return self.services.prompts

    @property
    def scripts(self) -> ScriptHost:
        return self.services.scripts

    @property
    def states(self) -> States:
        assert self._states is not None
        return self._states

    def now(self) -> float:
        return self._clock.now()

    def wall(self) -> float:
        return self._clock.wall()

    @property
    def numbers(self) -> Collection[str]:
        return self.directory.numbers

    def is_reachable(self, terminal: Terminal) -> bool:
        return bool(self.location.targets(terminal))

    def phones(self, terminal: Terminal) -> Sequence[str]:
        return [f"{each.uri} ({each.transport.lower()})" for each in self.location.targets(terminal)]

    def calls_at(self, number: str) -> int:
        return self.services.active.count(number)

    def party(self, terminal: Terminal) -> Party:
        return self.directory.party(terminal)

    def owner(self, terminal: Terminal) -> User | None:
        return self.directory.owner(terminal)

    def may_pick_up(self, picker: str, number: str) -> bool:
        return may_pick_up(self.directory, picker, number)

    def may_supervise(self, watcher: str, watched: str) -> bool:
        return may_supervise(self.directory, watcher, watched)

    def sound(self, id: str) -> FileSource | None:
        return self.services.sound.file(id)

    def music(self, id: str) -> PlaySource:
        return self.services.sound.music(id)

    @property
    def hold_music(self) -> PlaySource:
        return self.services.sound.hold

    def call_out(self, terminal: Terminal, to: Party, app: App, *, by_itself: bool = True) -> Call:
        return self.originator.call_out(terminal, to, app, by_itself=by_itself)

    def call_outside(self, number: str, to: Party, app: App) -> Call:
        return self.originator.call_outside(self.outside_party(number) or Party.outside(number), to, app)

    def new_room(self, call: Call) -> Room:
        return Room(self.services, call.id)

    def bridge(self, id: BridgeId) -> Bridge | None:
        return self.services.bridges.get(id)

    def transfer(self, mine: Leg, other: Leg, target: str) -> bool:
        is_possible = self.route(target)[1] is not None and self.transfers.may_call(mine, target)
        return is_possible and self.transfers.send(mine, other, target) is not None

    def consult(self, mine: Leg, other: Leg, target: str) -> bool:
        return self.transfers.consult(mine, other, target)

    def pick_up(self, ringing: Call, leg: Leg) -> bool:
        attempt = ringing.attempt
        if attempt is None or not attempt.ringing or leg.is_ended:
            return False
        leg.answer(self.formats_for(ringing.caller))
        leg.call.link(ringing.linkedid)
        ringing.take(leg, silently=True)
        ringing.announce(leg, is_callee=True)
        attempt.enter(leg)
        return True

    @property
    def tones(self) -> CountryTones:
        return self.services.sound.tones

    def send_on(self, leg: Leg, party: Party, app: App) -> Call:
        return self.transfers.send_on(leg, party, app)

    def play_hold(self, leg: Leg) -> None:
        self.services.sound.play_hold(leg)

    def terminal(self, number: str) -> Terminal | None:
        return self.directory.terminal(number)

    async def prepare(self, call: Call) -> None:
        await self.create_media(call)

    def answer_for_fax(self, call: Call) -> None:
        answer_plainly(call.caller, self.services)

    async def fax_line(self, leg: Leg) -> FaxLine:
        return await self.services.faxes.line(leg, self.services)

    def listen(self, leg: Leg, phrases: Mapping[str, Sequence[str]]) -> Listening:
        key_of = {phrase: key for key, some in phrases.items() for phrase in some}

        def heard(phrase: str) -> None:
            for digit in key_of[phrase]:
                leg.digits.give(digit)

        return self.services.hearing.listen(leg, self.office.language, tuple(key_of), heard)

    def recording_path(self, call: Call, name: str) -> Path:
        return self.services.recording_path(call.id, name)

    def outside_party(self, number: str) -> Party | None:
        return self.directory.outside(number)

    def consider_outside(self, asked: Call | Inquiry | None, number: str) -> Sequence[Considered]:
        return self.outside.consider(asked, number)

    def employee_behind(self, asked: Call | Inquiry) -> Party | None:
        return employee_behind(asked)

    def seen_by(self, viewer: str, party: Party) -> Party:
        return self.services.masks.shown_to(viewer, party)

    def number_behind(self, substitute: str) -> str:
        return self.services.masks.number_of(substitute)

    def obstacle(self, way: WayOut) -> Said | None:
        return self.outside.obstacle(way)

    async def dial_outside(self, call: Call, number: str, way: WayOut) -> DialOutcome:
        party = self.directory.outside(number) or Party.outside(number)
        return await self.outside.dial(call, party, way)

    async def play_failure(self, call: Call, cause: Cause) -> None:
        if not call.goes_on:
            await self.services.sound.play_failure(call.caller, cause)

    async def talks_with(self, number: str, since_at: float, most: int) -> Sequence[CdrRow]:
        assert self._cdrs is not None
        query = HistoryQuery(number, from_at=since_at, limit=most, number_length=self.office.number_length)
        try:
            rows = await self._cdrs.query(query)
        except StorageUnavailable:
            return []
        return [row for row in rows if row.talk_seconds > 0]

    async def ring(self, call: Call, *terminals: Terminal, how: Ringing = PLAINLY) -> DialOutcome:
        return await self.ringer.ring(call, terminals, how)
