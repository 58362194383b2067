"""Calls to numbers outside: for whom they are made, over which account, and when the next one is tried (OUT-8).

A server of a provider that stays silent is given up after `SILENT_S` for the next one of the same provider, and one
that dies while the phone out there rings within a few seconds more: it is asked by OPTIONS until somebody answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pbx.addressing import contact
from pbx.carried import NOTHING
from pbx.cause import PEER_BUSY, TIMEOUT, TOO_MANY_HOPS, UNAVAILABLE, Cause
from pbx.dial import PLAINLY, Attempt, DialOutcome, OutsideMember, Ringing
from pbx.encryption import Encryption
from pbx.events import Direction
from pbx.guests import is_guest
from pbx.identity import on_line
from pbx.leg import Leg, LineUse
from pbx.media_endpoint import MediaRefused
from pbx.party import Party, PartyKind
from pbx.routing import Considered, WayOut
from pbx.said import Said, say
from pbx.sip_leg import SipSide
from sipcore.build import new_request
from storage.records import EmployeeGroup

if TYPE_CHECKING:
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.inquiry import Inquiry
    from pbx.line import Line
    from pbx.media_session import MediaSession
    from pbx.providers import Providers
    from sipcore.flow import Flow

SILENT_S = 4.0  # an INVITE is answered by a 100 at once, and sent four times within this
MOST_SERVERS = 3  # of one provider: all of them have been silent for 12 s then
PAUSE_S = 1.0
NOBODY = EmployeeGroup("")  # may use no route
OutcomeOf = Callable[[Leg], Awaitable[DialOutcome]]  # what comes of a leg that has been sent


class OutsideDialler:
    """Dials numbers outside for calls, over the `lines` to providers."""

    def __init__(self, pbx: "Pbx", lines: "Providers") -> None:
        self._pbx, self._lines = pbx, lines

    def consider(self, asked: "Call | Inquiry | None", number: str) -> Sequence[Considered]:
        """What each rule of the office makes of the number for this call, in order; None: for the office itself."""
        if asked is not None and is_guest(asked.arrival):
            return [Considered("guests", say("who calls by address is not sent outside"), is_barred=True)]
        directory = self._pbx.directory
        employee = employee_behind(asked) if asked is not None else None
        terminal = directory.terminal(employee.number) if employee is not None else None
        group = self._group(asked) if asked is not None else None
        own_line = terminal.line if terminal is not None else ""
        load = self._pbx.services.channels.count
        return list(directory.ways.consider(directory.dial_string(number), group, load, own_line))

    def obstacle(self, way: WayOut) -> Said | None:
        """Why this way cannot be used now, as a part of a sentence; None when it can."""
        line, most = self._lines.line(way.provider.id), way.provider.max_calls
        state = line.state if line is not None else "off"
        if line is None or not (line.is_usable or (way.is_emergency and state != "off")):
            return say("{provider} is {state}", provider=way.provider.id, state=say(state))
        carried = self._pbx.services.channels.count(way.provider.id)
        if most and carried >= most and not way.is_emergency:
            return say("{provider} carries {calls} of {most} calls", provider=way.provider.id, calls=carried, most=most)
        return None

    async def dial(self, call: "Call", party: Party, way: WayOut) -> DialOutcome:
        """One way to `party`: every server of the provider until one speaks."""
        if call.way.hops < 0:
            return DialOutcome(None, TOO_MANY_HOPS)
        how = PLAINLY if call.has_caller else Ringing(on_ringing=lambda: None)
        return await self._dial(
            call, party, way, self._pbx.services.new_id(), lambda leg: Attempt(call, [leg], how).outcome()
        )

    async def dial_caller(self, call: "Call", party: Party) -> DialOutcome:
        """Dial who shall be the caller of the call, for the office itself: one way after the other."""
        outcome = DialOutcome(None, UNAVAILABLE)
        for way in (way for each in self.consider(None, party.number) for way in each.ways):
            outcome = await self.dial(call, party, way)
            if outcome.answered is not None or not outcome.cause.may_retry or way.is_last:
                break
        return outcome

    async def join(self, call: "Call", member: OutsideMember, attempt: Attempt, number: int) -> None:
        """Ring somebody outside as one of those of an attempt; the next way is tried when one leads nowhere."""

        async def outcome(leg: Leg) -> DialOutcome:
            leg.takes = member.takes
            attempt.enter(leg)
            await leg.until_ended()
            return DialOutcome(None, leg.cause or UNAVAILABLE)

        try:
            for way in member.ways:
                if not (await self._dial(call, member.party, way, number, outcome)).cause.may_retry:
                    break
        except MediaRefused:
            pass  # logged already
        attempt.has_come()

    async def _dial(self, call: "Call", party: Party, way: WayOut, number: int, outcome_of: OutcomeOf) -> DialOutcome:
        line, outcome = self._lines.line(way.provider.id), DialOutcome(None, UNAVAILABLE)
        if line is None or self.obstacle(way) is not None:
            return outcome
        with ExitStack() as taken:
            taken.enter_context(self._pbx.services.channels.reserved((way.provider.id,), call.id))
            for flow in (await line.ways())[:MOST_SERVERS]:
                leg = await self._invite(call, party, way, line, flow, number)
                vigil = asyncio.ensure_future(_watch(leg, line, flow))
                try:
                    outcome = await outcome_of(leg)
                finally:
                    vigil.cancel()
                if outcome.answered is not None or not _is_no_word(leg):
                    return outcome
                line.is_silent(flow)
        return outcome

    async def _invite(self, call: "Call", party: Party, way: WayOut, line: "Line", flow: "Flow", attempt: int) -> Leg:
        pbx, provider = self._pbx, way.provider
        encryption = Encryption(provider.srtp, flow.transport)
        media = pbx.media_for(call, flow, flow.remote[0], encryption, provider.dtmf, is_outside=True)
        await pbx.create_media(call, media)
        side = self._send(call, way, line, flow, media)
        leg = Leg(
            call,
            party,
            Direction.OUTGOING,
            side,
            media,
            pbx.services,
            is_caller=not call.has_caller,
            attempt=attempt,
            line=LineUse(provider.id, way.shown),
        )
        side.owned_by(leg)
        return leg

    def _send(self, call: "Call", way: WayOut, line: "Line", flow: "Flow", media: "MediaSession") -> SipSide:
        pbx, provider = self._pbx, way.provider
        driver, stack = pbx.driver, pbx.driver.stack
        shown = self._shown(call)
        from_value, said = on_line(provider, shown, way.caller_id, flow.local[0])
        own = [each.number for each in pbx.directory.office.external_numbers]
        signed = pbx.services.signatures.fields(call, shown, way, own)
        carried = call.carried.locations if way.is_emergency else NOTHING
        formats = pbx.formats_for(call.caller) if call.has_caller else pbx.services.codecs.basic
        brought, body = carried.with_offer(media.offer(formats), stack.ids.tag())
        uri = line.uri(way.number)
        request = new_request(
            "INVITE",
            uri,
            from_=f"{from_value};tag={stack.ids.tag()}",
            to=f"<{uri}>",
            call_id=stack.ids.call_id(),
            cseq=1,
            extra=[*(("Route", each) for each in line.routes), *said, *signed, *brought],
            body=body,
        )
        for name, value in call.way.limits():
            request.headers.set(name.lower(), value)
        account = provider.login or provider.from_user or "zvon"
        session = stack.invite(request, flow, contact(account, flow), driver.now(), digest=line.digest)
        driver.kick()
        return SipSide(driver, session, is_trusted=True, is_outside=True)

    # --- for whom -------------------------------------------------------------------------------------------------

    def _group(self, asked: "Call | Inquiry") -> EmployeeGroup | None:
        """Whose rights hold: those of the employee who sends the call outside; None where nothing is barred, as for the
        office itself, whose menus and queues send callers on."""
        employee = employee_behind(asked)
        if employee is None:
            return None
        terminal = self._pbx.directory.terminal(employee.number)
        return self._pbx.directory.employee_group(terminal) if terminal is not None else NOBODY

    @staticmethod
    def _shown(call: "Call") -> Party:
        """Who is shown: the employee who sends the call outside (FWD-13), else the caller; whatever calls who shall be
        the caller."""
        return (employee_behind(call) or call.calling) if call.has_caller else call.to


def employee_behind(asked: "Call | Inquiry") -> Party | None:
    """Who forwards, transfers or makes the call: of several the last."""
    sent_on = [step.party for step in reversed(asked.way.steps)]
    parties = [*sent_on, *([asked.referred_by] if asked.referred_by is not None else []), asked.calling]
    return next((each for each in parties if each.kind is PartyKind.TERMINAL), None)


async def _watch(leg: Leg, line: "Line", flow: "Flow") -> None:
    """End a leg whose server is silent, or does not answer any longer."""
    await asyncio.sleep(SILENT_S)
    if isinstance(leg.side, SipSide) and not leg.side.is_heard:
        leg.hangup(TIMEOUT)
    if not line.health.is_reachable:
        return  # it does not speak OPTIONS, or is not to be asked
    misses = 0
    while not leg.is_ended and not leg.is_answered:
        misses = 0 if await line.answers(flow) else misses + 1
        if misses > 1:
            leg.hangup(TIMEOUT)
        await asyncio.sleep(PAUSE_S)


def _is_no_word(leg: Leg) -> bool:
    """Whether another server of the provider may do better (RFC 3263 §4.3): this one has not said that anybody rings,
    and is silent or overloaded."""
    cause: Cause | None = leg.cause
    return not leg.has_rung and cause is not None and cause.name in (TIMEOUT.name, PEER_BUSY.name)
