"""How the phones of terminals are rung: one INVITE to each contact, with our offer and who is calling."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from frozen import dataclass
from pbx.addressing import bracketed, contact
from pbx.auto_answer import auto_answer
from pbx.carried import NOTHING
from pbx.cause import BUSY, TOO_BROAD, TOO_MANY_HOPS, UNAVAILABLE, Cause
from pbx.dial import PLAINLY, Attempt, DialOutcome, Ringing, best_cause
from pbx.diversion import redirected_to
from pbx.encryption import Encryption
from pbx.events import Direction
from pbx.flows import FlowFailover
from pbx.identity import Fields, asserting, from_value, shown_number
from pbx.leg import Leg
from pbx.media_endpoint import MediaRefused
from pbx.push import prid_of
from pbx.sip_leg import SipSide
from sipcore.build import new_request

if TYPE_CHECKING:
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.location import Target
    from pbx.media_session import MediaSession
    from pbx.party import Party
    from pbx.passed_stream import AllPassed
    from sipcore.events import SessionEnded
    from sipcore.sdp.model import RtpFormat
    from storage.records import Terminal

OWN_PHONE_S = 60.0  # how long who asked for a call is rung


@dataclass(frozen=True, slots=True)
class _Phone:
    """One contact of a terminal that is rung."""

    terminal: "Terminal"
    target: "Target"


@dataclass(frozen=True, slots=True)
class _Invites:
    """What all INVITEs of one attempt have in common. `is_caller`: they go to who wants to call, and
    show `shown` instead of who is called."""

    number: int
    label: str = ""
    extra: Sequence[tuple[str, str]] = ()
    is_caller: bool = False
    shown: "Party | None" = None


class Ringer:
    """Rings terminals for calls."""

    def __init__(self, pbx: "Pbx", flows: FlowFailover) -> None:
        self._pbx, self._flows = pbx, flows

    async def ring(self, call: "Call", terminals: "Sequence[Terminal]", how: Ringing = PLAINLY) -> DialOutcome:
        """Ring every contact of the terminals at once (EXT-13); busy at `max_calls` (EXT-7). A phone that redirects
        decides for all of its terminal, if that is the only one."""
        outcome = await self._ring_once(call, terminals, how)
        if outcome.redirected is None or not how.follows or len(terminals) + len(how.outside) > 1:
            return outcome
        return self._sent_on(call, outcome.redirected, outcome)

    def _sent_on(self, call: "Call", leg: Leg, outcome: DialOutcome) -> DialOutcome:
        """Where a phone sends the call on to, or why it does not go there (FWD-11)."""
        response, pbx = leg.redirect, self._pbx
        assert response is not None
        known = {leg.side.host, pbx.directory.realm}
        number = redirected_to(response, {host.lower() for host in known})
        if pbx.route(number)[1] is None:
            return outcome
        most = pbx.office.forwarding.max_forwards
        refusal = call.send_on(leg.party, number, response.status, most=most, had_rung=leg.has_rung)
        return replace(outcome, sent_on_to=number) if refusal is None else replace(outcome, cause=refusal)

    async def _ring_once(self, call: "Call", terminals: "Sequence[Terminal]", how: Ringing) -> DialOutcome:
        phones, refusals = self._phones(call, terminals, how)
        if not phones and not how.outside:
            return DialOutcome(None, best_cause(list(refusals.values())), refusals=refusals)
        way = call.way.spread(len(phones) + len(how.outside))
        if way is None:
            return DialOutcome(None, TOO_BROAD)
        call.way = way
        invites = _Invites(self._pbx.services.new_id(), f"{call.label}{how.label}")
        is_shared = len(terminals) + len(how.outside) > 1 or not how.follows
        outcome = await self._attempt(call, phones, invites, how, is_shared=is_shared)
        return replace(outcome, refusals={**refusals, **outcome.refusals}) if refusals else outcome

    async def ring_caller(
        self,
        call: "Call",
        terminal: "Terminal",
        *,
        by_itself: bool,
        every_phone: bool = False,
        shown: "Party | None" = None,
    ) -> DialOutcome:
        """Ring who wants to call (RFC 3725 §4.1): the leg that answers is the caller's. `by_itself`: a single phone, or
        `every_phone`, is asked to answer at once. `shown`: who calls, for the phone; None: who is called."""
        how = Ringing(OWN_PHONE_S, on_ringing=lambda: None)
        phones, refusals = self._phones(call, [terminal], how)
        if not phones:
            return DialOutcome(None, best_cause(list(refusals.values())))
        extra = auto_answer(phones[0].target.flow.local[0]) if by_itself and (every_phone or len(phones) == 1) else []
        invites = _Invites(self._pbx.services.new_id(), extra=extra, is_caller=True, shown=shown)
        return await self._attempt(call, phones, invites, how)

    async def _attempt(
        self, call: "Call", phones: Sequence[_Phone], invites: _Invites, how: Ringing, *, is_shared: bool = False
    ) -> DialOutcome:
        """Those that are awake ring at once, the others as soon as they are, and people outside as soon as they can."""
        asleep = self._pbx.waker.asleep([each.target for each in phones])
        awake = [each for each in phones if each.target not in asleep]
        legs = await self._invite_all(call, awake, invites) if awake else []
        attempt = Attempt(call, legs, how, to_come=len(asleep) + len(how.outside), is_shared=is_shared)
        wakings = [
            asyncio.ensure_future(self._wake(call, each, attempt, invites)) for each in phones if each.target in asleep
        ]
        outside = self._pbx.outside
        wakings += [asyncio.ensure_future(outside.join(call, each, attempt, invites.number)) for each in how.outside]
        try:
            return await attempt.outcome()
        finally:
            for waking in wakings:
                waking.cancel()

    async def _wake(self, call: "Call", phone: _Phone, attempt: Attempt, invites: _Invites) -> None:
        """Wake a phone and ring it when it has registered again (RFC 8599 §5.3)."""
        legs: Sequence[Leg] = ()
        terminal, target = phone.terminal, phone.target
        other = invites.shown or (call.to if invites.is_caller else call.caller.party)
        other = self._pbx.services.masks.shown_to(terminal.number, other)
        try:
            if await self._pbx.waker.wake(target, terminal.number, shown_number(other), call.id):
                prid = prid_of(target.uri)
                again = [each for each in self._pbx.location.targets(terminal) if prid_of(each.uri) == prid]
                legs = await self._invite_all(call, [_Phone(terminal, each) for each in again[:1]], invites)
        except MediaRefused:
            pass  # logged already
        attempt.has_come(*legs)

    def _phones(
        self, call: "Call", terminals: "Sequence[Terminal]", how: Ringing
    ) -> "tuple[list[_Phone], dict[str, Cause]]":
        """The phones to ring, and why other terminals are not rung."""
        found: list[_Phone] = []
        refusals: dict[str, Cause] = {}
        for terminal in terminals:
            targets = self._targets(call, terminal, how)
            if isinstance(targets, Cause):
                refusals[terminal.number] = targets
            else:
                found += [_Phone(terminal, each) for each in targets]
        return found, refusals

    def _targets(self, call: "Call", terminal: "Terminal", how: Ringing) -> "Sequence[Target] | Cause":
        if call.way.hops < 0:
            return TOO_MANY_HOPS
        if not how.ignores_limit and self._pbx.services.active.count(terminal.number) >= terminal.max_calls:
            return BUSY
        return self._pbx.location.targets(terminal, call.only) or UNAVAILABLE

    async def _invite_all(self, call: "Call", phones: Sequence[_Phone], invites: _Invites) -> list[Leg]:
        """The terminals count as taken from now on, also while the engine is asked for ports."""
        pbx = self._pbx
        media = [
            pbx.media_for(
                call,
                each.target.flow,
                each.target.peer_host,
                Encryption(each.terminal.srtp, each.target.transport),
                each.terminal.dtmf,
                codecs=each.terminal.codecs,
            )
            for each in phones
        ]
        with pbx.services.active.reserved({each.terminal.number for each in phones}, call.id):
            passing, has_sound = self._passing(call, invites), bool(self._formats(call, is_caller=invites.is_caller))
            for each in media:
                each.want(passing, pbx.services.new_id, with_sound=has_sound)
            await pbx.create_media(call, *media)
            return [self._invite(call, phone, each, invites) for phone, each in zip(phones, media, strict=True)]

    @staticmethod
    def _passing(call: "Call", invites: _Invites) -> "AllPassed":
        """What the caller offers besides sound, while that can be agreed on."""
        is_open = not invites.is_caller and not call.caller.is_answered and not call.caller.has_early_media
        return call.caller.media.offered if is_open else {}

    def _invite(self, call: "Call", phone: _Phone, media: "MediaSession", invites: _Invites) -> Leg:
        terminal, is_caller = phone.terminal, invites.is_caller
        party = self._pbx.directory.party(terminal)
        other = invites.shown or (call.to if is_caller else call.caller.party)
        offer = media.offer(self._formats(call, is_caller=is_caller), self._passing(call, invites))
        shown = self._pbx.services.masks.shown_to(party.number, other).labelled(invites.label)
        extra = [*invites.extra, *terminal.headers.items()]
        side = self._send(call, party, shown, phone.target, offer, extra, is_trusted=bool(terminal.trust))
        leg = Leg(
            call,
            party,
            Direction.OUTGOING,
            side,
            media,
            self._pbx.services,
            is_caller=is_caller,
            attempt=invites.number,
            label=invites.label,
        )
        side.owned_by(leg)
        self._flows.begin(leg, phone.target)
        return leg

    def _formats(self, call: "Call", *, is_caller: bool) -> "tuple[RtpFormat, ...]":
        """Who wants to call may use anything, everybody else what suits the caller."""
        return self._pbx.services.codecs.basic if is_caller else self._pbx.formats_for(call.caller)

    def rings_again(self, leg: Leg, event: "SessionEnded") -> bool:
        """Whether the phone is rung over another flow, now that this one has failed (RFC 5626)."""
        target = self._flows.next(leg, event)
        if target is None:
            return False
        terminal = self._pbx.directory.terminal(leg.party.number)
        offer = leg.media.offer(self._formats(leg.call, is_caller=leg.is_caller))
        is_trusted = terminal is not None and bool(terminal.trust)
        extra = [*terminal.headers.items()] if terminal is not None else []
        side = self._send(leg.call, leg.party, leg.shown, target, offer, extra, is_trusted=is_trusted)
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
        stack, carried = driver.stack, call.carried if is_trusted else NOTHING
        brought, body = carried.with_offer(offer, stack.ids.tag())
        request = new_request(
            "INVITE",
            target.uri,
            from_=f"{from_value(other, host)};tag={stack.ids.tag()}",
            to=f"<sip:{party.number}@{bracketed(host)}>",
            call_id=stack.ids.call_id(),
            cseq=1,
            extra=[*target.route_fields, *self._fields(call, other, host, is_trusted=is_trusted), *brought, *extra],
            body=body,
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
