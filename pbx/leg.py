"""One party's side of a conversation: one SIP session and one media endpoint.

A leg belongs to a call and a bridge only for the moment. It lives until its party or we hang up (`ended`), and is
closed when the engine has given its last report. Whoever controls it learns of changes by `watch`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from media.api import EndpointId, Play, PlayId, PlaySource, SendDigits, SetEcho, StopPlay, StreamReport
from pbx.cause import MEDIA_FAILED, NO_ANSWER, NORMAL, Cause
from pbx.digits import Digits, Way, reaches
from pbx.events import Direction, LegAnswered, LegCreated, LegEnded, LegHoldChanged, LegId, LegRinging
from pbx.media_endpoint import MediaRefused
from pbx.media_session import NO_ENDPOINTS, NOTHING, MediaSession
from pbx.other_streams import OtherStreams
from pbx.party import Party
from pbx.passed_stream import AllPassed
from pbx.quality import Measured, quality_of
from pbx.recording import Recording, Wanted
from pbx.relocation import Relocation
from pbx.renegotiation import renegotiate
from pbx.services import Services
from pbx.side import Side
from sipcore.message import Response
from sipcore.sdp.model import RtpFormat

if TYPE_CHECKING:
    from pbx.bridge import Bridge
    from pbx.call import Call


class LegState(IntEnum):
    NEW = 0
    RINGING = 1
    ANSWERED = 2
    ENDED = 3


class LineUse(NamedTuple):
    """The account at a provider over which a leg leads outside, and the number by which the caller is known there."""

    provider: str = ""
    external_number: str = ""


NO_LINE = LineUse()
Watcher = Callable[["Leg"], None]


class Leg:
    """`party` and `direction` never change; `call` does on transfer. `is_callee`: an incoming leg that takes the place
    of who was called; `is_caller`: one to who wants to call, until it has answered."""

    __slots__ = (
        "_asked",
        "_asked_by",
        "_asking",
        "_awaits_answer",
        "_earlier",
        "_is_told",
        "_label",
        "_last_report",
        "_plays",
        "_relocation",
        "_services",
        "_until_ended",
        "answered_at",
        "audio_from",
        "bridge",
        "call",
        "cause",
        "digits",
        "direction",
        "ended_at",
        "has_early_media",
        "has_rung",
        "held",
        "id",
        "is_caller",
        "line",
        "media",
        "others",
        "party",
        "redirect",
        "shown",
        "side",
        "state",
        "takes",
        "watch",
    )

    def __init__(
        self,
        call: "Call",
        party: Party,
        direction: Direction,
        side: Side,
        media: MediaSession,
        services: Services,
        *,
        is_callee: bool = False,
        is_caller: bool = False,
        attempt: int = 0,
        label: str = "",
        line: LineUse = NO_LINE,
    ) -> None:
        self.id: LegId = services.new_id()
        self.call, self.party, self.direction = call, party, direction
        self.side, self.media, self._services = side, media, services
        self.is_caller, self.line = is_caller, line
        self._label = label
        media.keeps_digits = party.is_employee  # who may use codes
        self.redirect: Response | None = None
        self.takes: Callable[[Leg], Awaitable[bool]] | None = None  # whether who answers wants the call
        self._asked: asyncio.Task[None] | None = None
        self.has_rung = False
        self.state = LegState.NEW
        self.bridge: Bridge | None = None
        self.watch: Watcher | None = None
        self.has_early_media = False
        self.held = False
        self.audio_from = ""  # where the party's audio comes from
        self.cause: Cause | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self._plays: dict[PlayId, asyncio.Future[str]] = {}
        self._until_ended: asyncio.Future[None] | None = None
        self.digits = Digits()
        self._awaits_answer = False
        self._asked_by: Leg | None = None
        self._relocation: Relocation | None = None
        self._earlier: list[StreamReport] = []
        self._last_report: StreamReport | None = None
        self._asking: asyncio.Future[None] | None = None
        services.legs[media.endpoint] = self
        self.others = OtherStreams(services)
        self.others.register(self)
        at = services.clock.wall()
        services.publish(
            LegCreated(at, call.id, self.id, party, direction, side.sip_call_id, is_callee, is_caller, attempt, *line)
        )
        services.active.enter(party.number, call.id, self.id)
        if line.provider:
            services.channels.enter(line.provider, call.id, self.id)
        call.adopt(self)
        shown = call.to if not call.has_caller or call.caller is self else call.caller.party
        self.shown = services.masks.shown_to(party.number, shown).labelled(label)
        self._is_told = True
        side.show(self.shown)

    # --- control ----------------------------------------------------------------------------------------------

    @property
    def is_ended(self) -> bool:
        return self.state is LegState.ENDED

    @property
    def is_answered(self) -> bool:
        return self.state is LegState.ANSWERED

    @property
    def is_asked(self) -> bool:
        """Who has answered there is being asked; it counts as ringing."""
        return self._asked is not None

    def ring(self, *, like: RtpFormat | None = None, early_media: bool = False) -> None:
        """Tell the incoming party that the other side rings. With early media the answer is given now, for a peer
        that uses the codec `like`."""
        if self.state > LegState.RINGING or self.has_early_media:
            return
        sdp = b""
        if early_media and self.media.peer_offer is not None:
            sdp = self._describe(self._services.codecs.like(like))
            self.has_early_media = True
        elif self.state is LegState.RINGING:
            return
        self.state = LegState.RINGING
        self.side.ring(sdp)

    def answer(self, formats: Sequence[RtpFormat] = ()) -> None:
        """Answer the incoming party with a codec out of `formats`, by default all that can be converted; raises
        `MediaRefused` when none is common."""
        if self.state >= LegState.ANSWERED:
            return
        formats = formats or self._services.codecs.basic
        if self.has_early_media:
            sdp = self.media.repeat()
        elif self.media.peer_offer is not None:
            sdp = self._describe(formats)
        else:
            sdp, self._awaits_answer = self.media.offer(formats), True
        self._answered()
        self.side.answer(sdp)
        self._held_changed()
        self._changed()

    def hangup(self, cause: Cause = NORMAL) -> None:
        """End this side: refuse, cancel or hang up as its state demands."""
        if self.is_ended:
            return
        if self.direction is Direction.INCOMING and not self.is_answered:
            self.side.reject(cause)
        else:
            self.side.end(cause)
        self._end(cause)

    async def until_ended(self) -> None:
        """Wait for the end of this leg."""
        if self.is_ended:
            return
        if self._until_ended is None:
            self._until_ended = asyncio.get_running_loop().create_future()
        await self._until_ended

    def start_play(self, source: PlaySource) -> "asyncio.Future[str]":
        """Play to the party; the future has the reason for which it ended."""
        play, done = self._services.new_id(), asyncio.get_running_loop().create_future()
        if self.is_ended:
            done.set_result("stopped")
            return done
        self._plays[play] = done
        self._services.submit(Play(self.media.endpoint, play, source))
        return done

    async def play(self, source: PlaySource) -> str:
        """Play to the party to the end; returns the reason for which it ended."""
        done = self.start_play(source)
        try:
            return await done
        finally:
            if not done.done():
                self.stop_plays()

    def stop_plays(self) -> None:
        """End everything that plays to the party."""
        self._services.submit(*(StopPlay(self.media.endpoint, play) for play in self._plays))

    def record(self, wanted: Wanted) -> Recording:
        """Keep what the party says in a file."""
        return Recording(self._services, [self], wanted)

    def echo(self) -> None:
        """Send back to the party what it sends."""
        self._services.submit(SetEcho(self.media.endpoint))

    def offer(
        self, formats: Sequence[RtpFormat], asked_by: "Leg | None" = None, passing: AllPassed | None = None
    ) -> bool:
        """Offer the party a changed session; False when that is not possible now. `asked_by`: the leg whose own offer
        waits for the outcome. `passing`: the streams besides sound, as they are without."""
        if not self.may_change:
            return False
        self._asked_by, self._is_told = asked_by, True
        self.side.modify(self.media.offer(formats, passing))
        return True

    def show(self, party: Party) -> None:
        """Somebody else is at the other end now; a party that talks already hears of it by `tell_shown`."""
        party = self._services.masks.shown_to(self.party.number, party).labelled(self._label)
        if party != self.shown:
            self.shown, self._is_told = party, not self.is_answered
            self.side.show(party)

    def tell_shown(self) -> None:
        """Let the display of the party follow (RFC 4916): by UPDATE, else with an offer of what is agreed on; later
        when neither is possible now."""
        if self._is_told or not self.is_answered:
            return
        self._is_told = self.side.announce()
        if not self._is_told:
            self.offer(self._services.codecs.like(self.media.codec))

    @property
    def may_change(self) -> bool:
        """A changed session may be offered now, and no change is under way."""
        return self.is_answered and self._relocation is None and self.side.may_modify

    async def relocate(self, group: int) -> bool:
        """Move the media to the worker of a group; whether they are there now."""
        if not self.is_answered or self._relocation is not None:
            return False
        self._relocation = Relocation(self, group, self._services)
        try:
            return await self._relocation.run()
        finally:
            self._relocation = None

    def change(self, sdp: bytes) -> bool:
        """Offer what the relocation under way has prepared; False when that is not possible now."""
        if not self.is_answered or not self.side.may_modify:
            return False
        self.side.modify(sdp)
        return True

    def move_to(self, media: MediaSession) -> None:
        """The party talks to the endpoint of `media` from now on."""
        left, self.media = self.media, media
        self._services.submit(*media.configuring(), *left.destroying())

    # --- what the party does ----------------------------------------------------------------------------------

    def progressed(self, sdp: bytes) -> None:
        """The outgoing party rings, perhaps with early media."""
        if self.state > LegState.RINGING:
            return
        if sdp and not self.has_early_media:
            try:
                self._agree(sdp)
                self.has_early_media = True
            except MediaRefused:
                pass  # what counts is the answer
        if self.state is LegState.NEW:
            self.state, self.has_rung = LegState.RINGING, True
            self._services.publish(LegRinging(self._services.clock.wall(), self.call.id, self.id, self.side.tags))
        self._changed()

    def accepted(self, sdp: bytes) -> None:
        """The outgoing party answered."""
        if self.state >= LegState.ANSWERED:
            return
        try:
            if sdp or not self.has_early_media:
                self._agree(sdp)
        except MediaRefused:
            self.side.end(MEDIA_FAILED)
            self._end(MEDIA_FAILED)
            return
        if self.takes is None:
            self._has_taken()
        else:
            self._asked = asyncio.ensure_future(self._ask(self.takes(self)))

    async def _ask(self, takes: Awaitable[bool]) -> None:
        is_taken = await takes
        self._asked = None
        if is_taken and not self.is_ended:
            self._has_taken()
        else:
            self.hangup(NO_ANSWER)

    def _has_taken(self) -> None:
        self._answered()
        self._held_changed()
        self._changed()

    def confirmed(self, sdp: bytes) -> None:
        """The party acknowledged; `sdp` answers an offer of ours."""
        if self._awaits_answer:
            self._awaits_answer = False
            try:
                self._agree(sdp)
            except MediaRefused:
                self.hangup(MEDIA_FAILED)
                return
            self._held_changed()
        if self.bridge is not None:
            self.bridge.fit()
        self.tell_shown()

    def offered(self, sdp: bytes) -> None:
        """The party wants to change the session: hold, resume, other codec, other address."""
        if not sdp:
            self._awaits_answer = True
            self.side.accept_offer(self.media.offer(self._services.codecs.like(self._wanted_codec())))
            return
        try:
            theirs = self.media.take_offer(sdp)
        except MediaRefused as refusal:
            self.side.refuse_offer(refusal.status)
            return
        peer = self._peer
        if peer is not None and self.others.concern(self, peer, with_sound=bool(theirs)):
            self._asking = asyncio.ensure_future(renegotiate(self, peer, theirs, self._services))
        elif not self._accept_offer(self._services.codecs.like(self._wanted_codec())) and (
            peer is None or not peer.offer(theirs, asked_by=self)
        ):
            self.side.refuse_offer(488 if peer is None else 491)

    def decide(self, peer: "Leg", status: int) -> None:
        """The peer was asked about our party's offer, with that outcome."""
        if status != 491:
            self.others.note_outcome(self, peer)
        codec = peer.media.codec if status == 200 else self._wanted_codec()
        is_answerable = status == 200 or self.media.offered_formats
        if not is_answerable or not self._accept_offer(self._services.codecs.like(codec)):
            self.others.forget(self)
            self.side.refuse_offer(491 if status == 491 else 488)

    def modified(self, status: int, sdp: bytes) -> None:
        """The outcome of `offer`."""
        if self._relocation is not None:
            self._relocation.answered(status, sdp)
            return
        asked_by, self._asked_by = self._asked_by, None
        agreed = status == 200
        if agreed:
            try:
                self._agree(sdp)
            except MediaRefused:
                agreed = False
            self._held_changed()
        if not agreed:
            self.others.forget(self)
        if asked_by is not None and not asked_by.is_ended:
            asked_by.decide(self, status if agreed or status != 200 else 488)
        self.tell_shown()

    def refreshed(self, sdp: bytes) -> None:
        """The party described itself anew when we asked whether it still is there."""
        try:
            self.media.take_refresh(sdp)
        except MediaRefused:
            return
        self._services.submit(*self.media.configuring())
        self._held_changed()

    def hung_up(self, cause: Cause) -> None:
        """The party ended the session, refused it or fell silent."""
        if not self.is_ended:
            self._end(cause)

    def digit_received(self, digit: str, *, by_info: bool = False) -> None:
        """A digit in the audio or by INFO; kept as the call's digit trail, for the app that asks for it. Who the party
        talks to is told of it, unless it is held."""
        if not self.digits.is_new(digit, by_info=by_info, now=self._services.clock.now()):
            return
        self.call.digits += digit
        self.call.stage_digits += digit
        are_held = self.digits.are_held
        self.digits.give(digit)
        if not are_held:
            self.pass_digits(digit, by_info=by_info)

    def pass_digits(self, digits: str, *, by_info: bool = False) -> None:
        """Tell who the party talks to what it has pressed, where the engine does not carry it."""
        peer, mine = self._peer, self.media
        if peer is None or (not mine.keeps_digits and reaches(mine.digit_way, peer.media.digit_way, by_info=by_info)):
            return
        for digit in digits:
            peer.tell_digit(digit)

    def tell_digit(self, digit: str) -> None:
        """Somebody has pressed a key for the party."""
        way = self.media.digit_way
        if way is Way.INFO:
            self.side.inform(digit)
        elif way is not Way.NONE:
            self._services.submit(SendDigits(self.media.endpoint, digit))

    def play_ended(self, play: PlayId, reason: str) -> None:
        """Something that played has come to its end; what was wrong with it is for the log."""
        if reason not in ("finished", "stopped"):
            self.call.log.warning("a sound could not be played", why=reason)
        done = self._plays.pop(play, None)
        if done is not None and not done.done():
            done.set_result(reason)

    def media_silent(self, silent_s: float) -> None:
        """Nothing has come for long: the party is gone (REG-10). It may have been put on hold meanwhile."""
        if self.is_answered and 0 < self.media.silence_s <= silent_s:
            self.call.log.info("no audio, the call ends", number=self.party.number, silent_s=round(silent_s))
            self.hangup(MEDIA_FAILED)

    def media_lost(self, endpoint: EndpointId) -> None:
        """The engine lost the endpoint: there is nothing to destroy and no report to come."""
        if endpoint != self.media.endpoint:
            self.media.lost(endpoint)
            if self._relocation is not None:
                self._relocation.lost(endpoint)
            self._services.legs.pop(endpoint, None)
            return
        self.media.lost(endpoint)
        self.hangup(MEDIA_FAILED)
        self.give_up_report()

    def give_up_report(self) -> None:
        """No last report will come."""
        self.media.ending = NO_ENDPOINTS
        self.reported(StreamReport(self.media.endpoint))

    def reported(self, report: StreamReport) -> None:
        """An endpoint's last words. The leg is closed with those of the sound, when the other streams have spoken too,
        unless its media have moved meanwhile."""
        if report.endpoint == self.media.endpoint:
            self._last_report = report if self.is_ended else None
        else:
            self._services.legs.pop(report.endpoint, None)
            if not self.others.reported(self, report):
                self._earlier.append(report)
        if self._last_report is not None and not self.media.ending:
            self._close(self._last_report)

    def _close(self, report: StreamReport) -> None:
        if self._services.legs.pop(self.media.endpoint, None) is None:
            return
        assert self.cause is not None
        assert self.ended_at is not None
        self.others.close()
        found = self.measured(report) if self.answered_at is not None else Measured()
        self._services.publish(LegEnded(self.ended_at, self.call.id, self.id, self.cause, found))
        self.call.leg_closed(self)

    def measured(self, report: StreamReport) -> Measured:
        """That report of the endpoint, with those of endpoints that the leg had earlier."""
        reports = (*self._earlier, report)
        quality = quality_of(*reports)
        self.others.add_to(quality)
        return Measured(quality, b"".join(each.intervals for each in reports), self.audio_from)

    # --- inside -----------------------------------------------------------------------------------------------

    @property
    def _peer(self) -> "Leg | None":
        """Whom this leg talks to."""
        return self.bridge.peer_of(self) if self.bridge is not None else None

    def _describe(self, formats: Sequence[RtpFormat]) -> bytes:
        peer = self._peer
        sdp = self.media.answer(formats, peer.media.accepted if peer is not None else NOTHING)
        self._settled()
        return sdp

    def _agree(self, sdp: bytes) -> None:
        self.media.take_answer(sdp)
        self._settled()

    def _settled(self) -> None:
        """The engine does what was agreed on."""
        self._services.submit(*self.media.configuring())
        if self.bridge is not None:
            self.bridge.pass_on()

    def _accept_offer(self, formats: Sequence[RtpFormat]) -> bool:
        try:
            sdp = self._describe(formats)
        except MediaRefused:
            return False
        self.side.accept_offer(sdp)
        self._held_changed()
        return True

    def _wanted_codec(self) -> RtpFormat | None:
        """The codec that suits whom this leg talks to."""
        return (self._peer or self).media.codec

    def _held_changed(self) -> None:
        if self.held != self.media.is_held:
            self.held = self.media.is_held
            self._services.publish(LegHoldChanged(self._services.clock.wall(), self.call.id, self.id, self.held))
            if self.bridge is not None:
                self.bridge.hold_changed(self)

    def _answered(self) -> None:
        self.state = LegState.ANSWERED
        self.answered_at = self._services.clock.wall()
        self._services.publish(LegAnswered(self.answered_at, self.call.id, self.id, self.side.tags))
        self.call.leg_answered(self)

    def _end(self, cause: Cause) -> None:
        self.state, self.cause = LegState.ENDED, cause
        self.ended_at = self._services.clock.wall()
        self._services.active.leave(self.party.number, self.call.id, self.id)
        if self.line.provider:
            self._services.channels.leave(self.line.provider, self.call.id, self.id)
        bridge = self.bridge
        if self._asked is not None:
            self._asked.cancel()
        if self._relocation is not None:
            self._relocation.answered(487, b"")
        if self.media.is_created:
            self._services.submit(*self.media.destroying())
        else:
            self.give_up_report()
        for done in self._plays.values():
            if not done.done():
                done.set_result("stopped")
        if self._until_ended is not None and not self._until_ended.done():
            self._until_ended.set_result(None)
        if bridge is not None:
            bridge.lost(self)
        self.call.leg_ended(self)
        self._changed()

    def _changed(self) -> None:
        if self.watch is not None:
            self.watch(self)
