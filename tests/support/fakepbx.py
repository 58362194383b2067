"""One app under test, without SIP: real calls and legs whose sides follow a script, and a fake engine.

A feature's test writes `pbx = FakePbx(...)`, `run = pbx.start(App())`, then lets the people at the legs act.
"""

import asyncio
from collections import deque
from pathlib import Path

from pbx.api import App
from pbx.bus import Bus
from pbx.call import Call
from pbx.cause import UNAVAILABLE, Cause
from pbx.clock import Clock
from pbx.dial import DialOutcome
from pbx.events import BusEvent, CallEnded, CallStarted, Direction, LegAnswered, LegCreated, LegEnded, LegRinging
from pbx.leg import Leg
from pbx.media_session import MediaAddress, MediaSession
from pbx.party import Party, PartyKind
from pbx.services import Services
from storage.records import Terminal
from tests.support.builders import BASIC, answer_sdp, sdp
from tests.support.fakemedia import FakeMedia
from tests.support.office import WALL_AT_START

EVENTS = (CallStarted, LegCreated, LegRinging, LegAnswered, LegEnded, CallEnded)
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


class FakePbx:
    """An `AppContext` with one call. `outcomes` are what `ring` gives back, one after the other."""

    def __init__(self, to: str = "102", *terminals: Terminal, codecs: tuple[str, ...] = BASIC) -> None:
        loop = asyncio.get_running_loop()
        self.engine = FakeMedia()
        self.bus = Bus()
        self.events: list[BusEvent] = []
        self.bus.subscribe(EVENTS, self.events.append)
        self.services = Services(self.engine, Clock(loop, lambda: WALL_AT_START + loop.time()), self.bus)
        self.terminals = {each.number: each for each in terminals}
        self.outcomes: deque[DialOutcome] = deque()
        self.rung: list[str] = []
        self.call = Call("test-1.1", Party(PartyKind.TERMINAL, to), self.services)
        self.call.begin(Party(PartyKind.TERMINAL, "101"))
        self.caller_side = ScriptedSide("caller")
        media = self.media()
        if codecs:
            media.take_offer(sdp(PHONE_HOST, 40000, codecs))
        self.caller = self._leg("101", Direction.INCOMING, self.caller_side, media)
        self.ended: asyncio.Future[Call] = loop.create_future()

    def media(self) -> MediaSession:
        return MediaSession(self.services.new_id(), MediaAddress("10.0.0.1", "10.0.0.1"), (PHONE_HOST,))

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
        from media.api import EndpointCreated

        fresh = [session for session in sessions if not session.is_created]
        replies = await self.engine.execute(*(session.creating() for session in fresh))
        for session, reply in zip(fresh, replies, strict=True):
            assert isinstance(reply, EndpointCreated)
            session.created(reply)

    # --- the app --------------------------------------------------------------------------------------------------

    def start(self, app: App) -> None:
        """Let the app control the call."""
        self.call.run(lambda call: app.run(call, self), self.ended.set_result)

    async def until_ended(self) -> Cause:
        call = await self.ended
        assert call.cause is not None
        return call.cause

    # --- AppContext -----------------------------------------------------------------------------------------------

    async def ring(self, call: Call, terminal: Terminal) -> DialOutcome:
        self.rung.append(terminal.number)
        await asyncio.sleep(1)
        return self.outcomes.popleft() if self.outcomes else DialOutcome(None, UNAVAILABLE)

    def terminal(self, number: str) -> Terminal | None:
        return self.terminals.get(number)

    def recording_path(self, call: Call, name: str) -> Path:
        return self.services.recording_path(call.id, name)

    async def play_failure(self, call: Call, cause: Cause) -> None:
        await self.services.sound.play_failure(call.caller, cause)

    async def prepare(self, call: Call) -> None:
        await self._create(call.caller.media)
