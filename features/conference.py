"""Conferences (CNF-*): everybody who dials the room hears everybody else; who is alone hears music.

Joining is an answer by people: each participant has a row of its own in the history (CNF-8). `*1` mutes oneself and
ends that.
"""

import asyncio
from typing import ClassVar

from features._keys import press_keys
from features._summons import Summons
from features.announcement import announce
from features.dialogue import Dialogue
from pbx.api import (
    BUSY,
    FORBIDDEN,
    NORMAL,
    AppContext,
    Arrived,
    BusEvent,
    Call,
    Cause,
    Collect,
    Conference,
    Inquiry,
    Leg,
    LegHoldChanged,
    Next,
    PartyKind,
    Recording,
    Room,
    RoomMember,
    RosterChanged,
    Wanted,
    collect,
    say,
)

PIN_TRIES = 3
PIN_S, PIN_DIGIT_S = 10.0, 5.0
MUTE_CODE = "*1"


class Conferences:
    """The rooms that somebody is in. One per server."""

    def __init__(self) -> None:
        self._rooms: dict[str, Meeting] = {}

    def app(self, conference: Conference) -> "Participation":
        """What a call to that room goes through."""
        return Participation(self, conference)

    def meeting(self, ctx: AppContext, conference: Conference, call: Call) -> "Meeting":
        """The room of a conference; the first who comes makes it."""
        found = self._rooms.get(conference.number)
        if found is None:
            summons = Summons(ctx, conference, call.to, lambda keys: Summoned(self, conference, keys))
            found = self._rooms[conference.number] = Meeting(ctx, conference, call, summons)
        return found

    def is_on(self, number: str) -> bool:
        return number in self._rooms

    def size(self, number: str) -> int:
        found = self._rooms.get(number)
        return len(found.room.legs) if found is not None else 0

    def left(self, meeting: "Meeting") -> None:
        """Somebody has gone: the last one takes the room along."""
        if not meeting.room.legs:
            meeting.close()
            self._rooms.pop(meeting.conference.number, None)


class Meeting:
    """One conference in progress."""

    def __init__(self, ctx: AppContext, conference: Conference, call: Call, summons: Summons) -> None:
        self.conference = conference
        self.room: Room = ctx.new_room(call)
        self._ctx = ctx
        self._recording: Recording | None = None
        self._since: dict[int, float] = {}
        self._inside: set[int] = set()  # legs of people of the office
        self.summons = summons
        self._detach = ctx.bus.subscribe([LegHoldChanged], self._hold_changed)

    def enter(self, call: Call, leg: Leg) -> None:
        self.room.enter(leg)
        self._since[leg.id] = self._ctx.wall()
        others = [each for each in self.room.legs if each is not leg]
        if self.conference.broadcast and others:
            self.room.mute(leg, is_muted=True)
        if leg.party.kind is PartyKind.TERMINAL and not leg.party.presented:
            self._inside.add(leg.id)
            if not self.summons.are_out:
                self.summons.call(but=leg.party.number)
        if len(others) == 1:
            others[0].stop_plays()
            self._record(call)
        self._tell()

    def leave(self, leg: Leg) -> None:
        self.room.leave(leg)
        self._since.pop(leg.id, None)
        if leg.id in self._inside:
            self._inside.discard(leg.id)
            if not self._inside:
                self.summons.end()
        self.soothe()
        if self.room.legs:
            self._tell()

    def soothe(self) -> None:
        """Who is alone hears music (CNF-4)."""
        if len(self.room.legs) == 1:
            self._ctx.play_hold(self.room.legs[0])

    def close(self) -> None:
        self._detach()
        self.room.close()
        self._tell()

    def toggle_mute(self, leg: Leg) -> bool:
        """Whether the participant is muted now."""
        is_muted = not self.room.is_muted(leg)
        self.room.mute(leg, is_muted=is_muted)
        self._tell()
        return is_muted

    def _record(self, call: Call) -> None:
        """The whole room in one file (CNF-7), from the moment two are in it."""
        policy = self._ctx.office.recording
        if self.conference.record and policy.enabled and self._recording is None:
            path = self._ctx.recording_path(call, f"conference-{self.conference.number}")
            wanted = Wanted(path, format=policy.format, keep="call", to_number=self.conference.number)
            self._recording = self.room.record(wanted)

    def _tell(self) -> None:
        members = tuple(
            RoomMember(leg.id, leg.party, self._since[leg.id], is_muted=self.room.is_muted(leg), is_held=leg.held)
            for leg in self.room.legs
        )
        self._ctx.bus.publish(RosterChanged(self._ctx.wall(), self.conference.number, members))

    def _hold_changed(self, event: BusEvent) -> None:
        if isinstance(event, LegHoldChanged) and event.leg in self._since:
            self._tell()


class Participation:
    """The app behind the number of a conference."""

    name: ClassVar[str] = "conference"
    stage: ClassVar[str] = "conference"

    def __init__(self, conferences: Conferences, conference: Conference) -> None:
        self._conferences, self._conference = conferences, conference

    async def run(self, call: Call, ctx: AppContext) -> Next:
        leg = call.caller
        if self._is_full():
            await announce(call, ctx, ctx.prompts.say("conference-full", language=leg.party.language))
            return BUSY
        await ctx.prepare(call)
        leg.answer()
        refusal = await self._admit(leg, ctx)
        if refusal is not None:
            return refusal
        return await self._take_part(call, ctx)

    async def _take_part(self, call: Call, ctx: AppContext) -> Next:
        leg, meeting = call.caller, self._conferences.meeting(ctx, self._conference, call)
        meeting.enter(call, leg)
        try:
            if len(meeting.room.legs) == 1:
                await Dialogue(leg, ctx).say("conference-only-one")
                meeting.soothe()
            return await self._stay(leg, ctx, meeting)
        finally:
            leg.digits.listen(None)
            meeting.leave(leg)
            self._conferences.left(meeting)

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        conference = self._conference
        size, cap = self._conferences.size(conference.number), conference.max_participants
        most = cap or say("any number")
        asked.tried(
            "max_participants", matched=self._is_full(), why=say("{n} of {most} are in the room", n=size, most=most)
        )
        if self._is_full():
            return BUSY
        asked.tried("pin", matched=bool(conference.pin), why=say("is asked for" if conference.pin else "there is none"))
        return Arrived((conference.number,), say("answers: a conference with {n} participants", n=size))

    def _is_full(self) -> bool:
        cap = self._conference.max_participants
        return bool(cap) and self._conferences.size(self._conference.number) >= cap

    async def _admit(self, leg: Leg, ctx: AppContext) -> Cause | None:
        """Ask for the PIN (CNF-2); the cause to end with when it is not known after three tries."""
        pin = self._conference.pin
        if not pin:
            return None
        prompt = "conference-enter-pin"
        for _ in range(PIN_TRIES):
            wanted = Collect(len(pin), PIN_S, PIN_DIGIT_S, end="#")
            entered = await collect(leg, wanted, Dialogue(leg, ctx).prompt(prompt))
            if entered.digits == pin:
                return None
            prompt = "conference-wrong-pin"
        await Dialogue(leg, ctx).say("conference-wrong-pin", "call-goodbye")
        return FORBIDDEN

    async def _stay(self, leg: Leg, ctx: AppContext, meeting: Meeting) -> Next:
        """Until the participant is taken elsewhere or hangs up; the latter interrupts."""
        typed = ""
        changed = asyncio.Event()

        def press(digit: str) -> None:
            nonlocal typed
            typed = (typed + digit)[-len(MUTE_CODE) :]
            if typed == MUTE_CODE:
                typed = ""
                changed.set()

        leg.digits.listen(press)
        while True:
            await changed.wait()
            changed.clear()
            prompt = "conference-muted" if meeting.toggle_mute(leg) else "conference-unmuted"
            await Dialogue(leg, ctx).say(prompt)
            meeting.soothe()


class Summoned(Participation):
    """The app of who was called into the room: without a PIN, and only while the meeting goes on."""

    def __init__(self, conferences: Conferences, conference: Conference, keys: str) -> None:
        super().__init__(conferences, conference)
        self._keys = keys

    async def run(self, call: Call, ctx: AppContext) -> Next:
        if self._is_full() or not self._conferences.is_on(self._conference.number):
            return NORMAL
        pressing = asyncio.ensure_future(press_keys(call.caller, self._keys))
        try:
            return await self._take_part(call, ctx)
        finally:
            pressing.cancel()
