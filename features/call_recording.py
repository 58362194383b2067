"""Which conversations are recorded (REC-*): by the policy of the office, except those of people who are left out; on
demand by code.

A recording begins when people talk and ends with their bridge: after a transfer, a pick-up or parking the next
conversation has a file of its own (REC-5).
"""

import asyncio
from collections.abc import Sequence

from features._cascade import external_number
from features.call_codes import Talk
from features.dialogue import Dialogue
from features.forwarding import is_same
from pbx.api import (
    AppContext,
    Bridge,
    BridgeEnded,
    BridgeFormed,
    BusEvent,
    Leg,
    LegAnswered,
    PartyKind,
    Recording,
    Wanted,
)

FEW_NOTICED = 64  # conversations that are kept without asking which of them are over


class CallRecording:
    """Watches bridges; `by_code` is what the record code does."""

    def __init__(self) -> None:
        self._recordings: dict[int, Recording] = {}  # by bridge
        self._paused: set[int] = set()
        self._noticing: set[int] = set()  # bridges whose parties hear it now
        self._noticed: set[str] = set()  # conversations whose parties have heard the notice (REC-9)
        self._most_noticed = FEW_NOTICED
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, ctx: AppContext) -> None:
        ctx.bus.subscribe([BridgeFormed], lambda event: self._formed(ctx, event))
        ctx.bus.subscribe([LegAnswered], lambda event: self._answered(ctx, event))
        ctx.bus.subscribe([BridgeEnded], lambda event: self._ended(ctx, event))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def is_recorded(self, bridge: Bridge) -> bool:
        return bridge.id in self._recordings

    async def by_code(self, ctx: AppContext, talk: Talk) -> None:
        """REC-14: begin, pause, go on. What a person who is left out says is not recorded on demand either."""
        recording = self._recordings.get(talk.bridge.id)
        if recording is None:
            is_allowed = not any(is_left_out(ctx, leg) for leg in (talk.mine, talk.other))
            if is_allowed:
                self._begin(ctx, talk.bridge)
            prompt = "recording-started" if is_allowed else "call-feature-unavailable"
        elif talk.bridge.id in self._paused:
            self._paused.discard(talk.bridge.id)
            recording.resume()
            prompt = "recording-started"
        else:
            self._paused.add(talk.bridge.id)
            recording.pause()
            prompt = "recording-paused"
        await Dialogue(talk.mine, ctx).say(prompt)

    # --- what happens -------------------------------------------------------------------------------------------

    def _formed(self, ctx: AppContext, event: BusEvent) -> None:
        bridge = ctx.bridge(event.bridge) if isinstance(event, BridgeFormed) else None
        if bridge is not None:
            self._consider(ctx, bridge)

    def _answered(self, ctx: AppContext, event: BusEvent) -> None:
        """Who heard early media before talks now."""
        call = ctx.calls.get(event.call) if isinstance(event, LegAnswered) else None
        for leg in call.legs if call is not None else ():
            if leg.bridge is not None:
                self._consider(ctx, leg.bridge)

    def _ended(self, ctx: AppContext, event: BusEvent) -> None:
        if isinstance(event, BridgeEnded):
            recording = self._recordings.pop(event.bridge, None)
            self._paused.discard(event.bridge)
            if recording is not None:
                recording.stop()
            self._forget_ended(ctx)

    def _forget_ended(self, ctx: AppContext) -> None:
        """Conversations that are over; not with each that ends, for it means to look at every call."""
        if len(self._noticed) > self._most_noticed:
            self._noticed &= {call.linkedid for call in ctx.calls.values()}
            self._most_noticed = max(FEW_NOTICED, 2 * len(self._noticed))

    def _consider(self, ctx: AppContext, bridge: Bridge) -> None:
        legs = tuple(bridge.members.values())
        talks = len(legs) == 2 and all(leg.is_answered for leg in legs)
        is_settled = self.is_recorded(bridge) or bridge.id in self._noticing or bridge.has_ended
        if not talks or is_settled or not is_wanted(ctx, legs):
            return
        notice = ctx.sound(_notice_of(ctx, legs))
        linkedid = legs[0].call.linkedid
        if notice is None or linkedid in self._noticed:
            self._begin(ctx, bridge)
            return
        self._noticed.add(linkedid)
        self._noticing.add(bridge.id)
        task = asyncio.ensure_future(self._notice_then_begin(ctx, bridge, legs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notice_then_begin(self, ctx: AppContext, bridge: Bridge, legs: Sequence[Leg]) -> None:
        notice = ctx.sound(_notice_of(ctx, legs))
        try:
            if notice is not None:
                await asyncio.gather(*(leg.play(notice) for leg in legs))
        finally:
            self._noticing.discard(bridge.id)
        if not bridge.has_ended and not self.is_recorded(bridge):
            self._begin(ctx, bridge)

    def _begin(self, ctx: AppContext, bridge: Bridge) -> None:
        """The caller is on the first channel (REC-6)."""
        policy = ctx.office.recording
        legs = sorted(bridge.members.values(), key=lambda leg: leg is not leg.call.caller)
        path = ctx.recording_path(legs[0].call, "call")
        wanted = Wanted(path, stereo=policy.stereo, format=policy.format, keep="call")
        self._recordings[bridge.id] = bridge.record(wanted)


def is_wanted(ctx: AppContext, legs: Sequence[Leg]) -> bool:
    """REC-4: who is left out decides, then the external number, then whether internal conversations are recorded, then
    whether any are."""
    policy, is_asked = ctx.office.recording, _by_number(ctx, legs)
    if is_asked is None:
        is_asked = policy.enabled and (policy.internal or any(_is_outside(leg) for leg in legs))
    return is_asked and not any(is_left_out(ctx, leg) for leg in legs)


def _by_number(ctx: AppContext, legs: Sequence[Leg]) -> bool | None:
    """What the external number wants to which the call came, then the one by which it is known outside (INB-8); None
    when neither says anything."""
    arrival = legs[0].call.arrival
    number = external_number(ctx.office, arrival) if arrival is not None else None
    if number is not None and number.record_in is not None:
        return number.record_in
    return next((found for leg in legs if (found := _by_line(ctx, leg)) is not None), None)


def _by_line(ctx: AppContext, leg: Leg) -> bool | None:
    """What is wanted of the number of the office by which the provider of this leg knows it."""
    line = leg.line
    own = (each for each in ctx.office.external_numbers if each.provider == line.provider and not each.disabled)
    return next((each.record_out for each in own if is_same(each.number, line.external_number)), None)


def is_left_out(ctx: AppContext, leg: Leg) -> bool:
    """Neither the terminal nor its person may be recorded (EXT-25)."""
    terminal = ctx.terminal(leg.party.number)
    owner = ctx.owner(terminal) if terminal is not None else None
    return terminal is not None and (not terminal.record or (owner is not None and not owner.record))


def _is_outside(leg: Leg) -> bool:
    return leg.party.kind is not PartyKind.TERMINAL or bool(leg.party.presented)


def _notice_of(ctx: AppContext, legs: Sequence[Leg]) -> str:
    """The id of the sound that both hear first: another one for calls from outside and to it."""
    policy, caller = ctx.office.recording, legs[0].call.caller
    if _is_outside(caller):
        return policy.notice_in
    return policy.notice_out if any(_is_outside(leg) for leg in legs) else ""
