"""How the phones of a terminal are rung: one INVITE to each contact, with our offer and who is calling."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pbx.addressing import bracketed, contact
from pbx.auto_answer import auto_answer
from pbx.cause import BUSY, TOO_BROAD, TOO_MANY_HOPS, UNAVAILABLE, Cause
from pbx.dial import RING_CAP_S, Attempt, DialOutcome
from pbx.diversion import Diverted, redirected_to
from pbx.encryption import Encryption
from pbx.events import Direction
from pbx.flows import FlowFailover
from pbx.identity import Fields, asserting, from_value, shown_number
from pbx.leg import Leg
from pbx.media_session import BASIC, MediaRefused
from pbx.push import prid_of
from pbx.sip_leg import SipSide
from sipcore.build import new_request

if TYPE_CHECKING:
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.location import Target
    from pbx.media_session import MediaSession
    from pbx.party import Party
    from sipcore.events import SessionEnded
    from storage.records import Terminal

OWN_PHONE_S = 60.0  # how long who asked for a call is rung


class Ringer:
    """Rings terminals for calls."""

    def __init__(self, pbx: "Pbx", flows: FlowFailover) -> None:
        self._pbx, self._flows = pbx, flows

    async def ring(
        self, call: "Call", terminal: "Terminal", on_ringing: Callable[[], None] | None = None
    ) -> DialOutcome:
        """Ring every contact of the terminal at once (EXT-13); busy at `max_calls` (EXT-7). A phone that redirects
        decides for all of them."""
        while True:
            outcome = await self._ring_once(call, terminal, on_ringing)
            if outcome.redirected is None:
                return outcome
            further = self._follow(call, outcome.redirected)
            if isinstance(further, Cause):
                return DialOutcome(None, further)
            terminal = further

    def _follow(self, call: "Call", leg: Leg) -> "Terminal | Cause":
        """The terminal that a phone sends the call on to, or why it does not go there."""
        response, pbx = leg.redirect, self._pbx
        assert response is not None
        known = {leg.side.host, pbx.directory.realm}
        number = redirected_to(response, {host.lower() for host in known})
        terminal = pbx.terminal(number)
        if terminal is None:
            return leg.cause or UNAVAILABLE
        refusal = call.way.refusal(number, call.to.number)
        if refusal is not None:
            return refusal
        call.only = None  # that named a phone of the number that was dialled
        call.way = call.way.further(Diverted(leg.party, number, response.status, leg.has_rung))
        return terminal

    async def _ring_once(
        self, call: "Call", terminal: "Terminal", on_ringing: Callable[[], None] | None
    ) -> DialOutcome:
        targets = self._targets(call, terminal)
        if isinstance(targets, DialOutcome):
            return targets
        return await self._attempt(call, terminal, targets, on_ringing)

    async def ring_caller(self, call: "Call", terminal: "Terminal", *, by_itself: bool) -> DialOutcome:
        """Ring who wants to call (RFC 3725 §4.1): the leg that answers is the caller's. `by_itself`: a single phone is
        asked to answer at once."""
        targets = self._targets(call, terminal)
        if isinstance(targets, DialOutcome):
            return targets
        extra = auto_answer(targets[0].flow.local[0]) if by_itself and len(targets) == 1 else []
        return await self._attempt(call, terminal, targets, lambda: None, OWN_PHONE_S, extra, is_caller=True)

    async def _attempt(
        self,
        call: "Call",
        terminal: "Terminal",
        targets: "Sequence[Target]",
        on_ringing: Callable[[], None] | None,
        ring_s: float = RING_CAP_S,
        extra: Sequence[tuple[str, str]] = (),
        *,
        is_caller: bool = False,
    ) -> DialOutcome:
        """Those that are awake ring at once, the others as soon as they are."""
        asleep = self._pbx.waker.asleep(targets)
        awake = [each for each in targets if each not in asleep]
        legs = await self._invite_all(call, terminal, awake, extra, is_caller=is_caller) if awake else []
        attempt = Attempt(call, legs, on_ringing, to_come=len(asleep))
        wakings = [
            asyncio.ensure_future(self._wake(call, terminal, each, attempt, extra, is_caller=is_caller))
            for each in asleep
        ]
        try:
            return await attempt.outcome(ring_s)
        finally:
            for waking in wakings:
                waking.cancel()

    async def _wake(
        self,
        call: "Call",
        terminal: "Terminal",
        target: "Target",
        attempt: Attempt,
        extra: Sequence[tuple[str, str]],
        *,
        is_caller: bool,
    ) -> None:
        """Wake a phone and ring it when it has registered again (RFC 8599 §5.3)."""
        legs: Sequence[Leg] = ()
        other = call.to if is_caller else call.caller.party
        try:
            if await self._pbx.waker.wake(target, terminal.number, shown_number(other), call.id):
                prid = prid_of(target.uri)
                again = [each for each in self._pbx.location.targets(terminal) if prid_of(each.uri) == prid]
                legs = await self._invite_all(call, terminal, again[:1], extra, is_caller=is_caller)
        except MediaRefused:
            pass  # logged already
        attempt.has_come(*legs)

    def _targets(self, call: "Call", terminal: "Terminal") -> "Sequence[Target] | DialOutcome":
        if call.way.hops < 0:
            return DialOutcome(None, TOO_MANY_HOPS)
        if self._pbx.services.active.count(terminal.number) >= terminal.max_calls:
            return DialOutcome(None, BUSY)
        targets = self._pbx.location.targets(terminal, call.only)
        if not targets:
            return DialOutcome(None, UNAVAILABLE)
        way = call.way.spread(len(targets))
        if way is None:
            return DialOutcome(None, TOO_BROAD)
        call.way = way
        return targets

    async def _invite_all(
        self,
        call: "Call",
        terminal: "Terminal",
        targets: "Sequence[Target]",
        extra: Sequence[tuple[str, str]] = (),
        *,
        is_caller: bool = False,
    ) -> list[Leg]:
        """The terminal counts as taken from now on, also while the engine is asked for ports."""
        pbx = self._pbx
        media = [
            pbx.media_for(call, target.flow, target.peer_host, Encryption(terminal.srtp, target.transport))
            for target in targets
        ]
        with pbx.services.active.reserved(terminal.number, call.id):
            await pbx.create_media(call, *media)
            return [
                self._invite(call, terminal, target, each, extra, is_caller=is_caller)
                for target, each in zip(targets, media, strict=True)
            ]

    def _invite(
        self,
        call: "Call",
        terminal: "Terminal",
        target: "Target",
        media: "MediaSession",
        extra: Sequence[tuple[str, str]],
        *,
        is_caller: bool,
    ) -> Leg:
        party, other = self._pbx.directory.party(terminal), call.to if is_caller else call.caller.party
        offer = media.offer(BASIC if is_caller else self._pbx.formats_for(call.caller))
        side = self._send(call, party, other, target, offer, extra, is_trusted=bool(terminal.trust))
        leg = Leg(call, party, Direction.OUTGOING, side, media, self._pbx.services, is_caller=is_caller)
        side.owned_by(leg)
        self._flows.begin(leg, target)
        return leg

    def rings_again(self, leg: Leg, event: "SessionEnded") -> bool:
        """Whether the phone is rung over another flow, now that this one has failed (RFC 5626)."""
        target = self._flows.next(leg, event)
        if target is None:
            return False
        terminal = self._pbx.directory.terminal(leg.party.number)
        offer = leg.media.offer(BASIC if leg.is_caller else self._pbx.formats_for(leg.call.caller))
        is_trusted = terminal is not None and bool(terminal.trust)
        side = self._send(leg.call, leg.party, leg.shown, target, offer, (), is_trusted=is_trusted)
        side.show(leg.shown)
        leg.side = side
        side.owned_by(leg)
        return True

    def _send(
        self,
        call: "Call",
        party: "Party",
        other: "Party",
        target: "Target",
        offer: bytes,
        extra: Sequence[tuple[str, str]],
        *,
        is_trusted: bool,
    ) -> SipSide:
        driver, host = self._pbx.driver, target.flow.local[0]
        stack = driver.stack
        request = new_request(
            "INVITE",
            target.uri,
            from_=f"{from_value(other, host)};tag={stack.ids.tag()}",
            to=f"<sip:{party.number}@{bracketed(host)}>",
            call_id=stack.ids.call_id(),
            cseq=1,
            extra=[*target.route_fields, *self._fields(call, other, host, is_trusted=is_trusted), *extra],
            body=offer,
        )
        for name, value in call.way.limits():
            request.headers.set(name.lower(), value)
        session = stack.invite(request, target.flow, contact(shown_number(other), target.flow), driver.now())
        driver.kick()
        return SipSide(driver, session, is_trusted=is_trusted)

    @staticmethod
    def _fields(call: "Call", other: "Party", host: str, *, is_trusted: bool) -> Fields:
        fields = [*asserting(other, host, is_trusted=is_trusted), *call.way.fields(host)]
        if call.referred_by is not None:
            fields.append(("Referred-By", from_value(call.referred_by, host)))
        return fields
