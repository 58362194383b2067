"""INVITE with Replaces (RFC 3891): a phone takes the place of another in a dialog of ours.

While the other phone rings, any terminal of the office may answer instead (call pickup, RFC 5359 §2.16), unless a group
of employees keeps its calls to itself (GRP-8): its own row in the history. A conversation may only be taken over by
another device of the same terminal; whoever is at the other end stays where it is.
"""

import asyncio
from typing import TYPE_CHECKING

from pbx.addressing import contact
from pbx.cause import DECLINED, NORMAL, UNAVAILABLE, Cause
from pbx.encryption import Encryption
from pbx.events import Direction
from pbx.isolation import may_pick_up
from pbx.leg import Leg, LegState
from pbx.media_endpoint import MediaRefused
from pbx.sip_leg import SipSide
from sipcore.body import session_of
from sipcore.errors import ParseError
from sipcore.headers import Replaces

if TYPE_CHECKING:
    from pbx.core import Pbx
    from sipcore.events import InviteArrived
    from sipcore.message import Request
    from storage.records import Terminal


class Replacements:
    """Judges INVITEs with Replaces and carries out those that may be."""

    def __init__(self, pbx: "Pbx") -> None:
        self._pbx = pbx
        self._tasks: set[asyncio.Task[None]] = set()

    def invite(self, event: "InviteArrived", terminal: "Terminal") -> None:
        """Answer an admitted INVITE that has a Replaces."""
        leg, status = self._judge(event.request, terminal)
        if leg is None:
            self._pbx.answer(event, status)
            return
        session = self._pbx.driver.stack.accept_session(event.key, contact(terminal.number, event.flow))
        if session is None:
            return
        call, party = leg.call, self._pbx.directory.party(terminal)
        path = self._pbx.admission.sources.of(event.request, event.flow)
        encryption = Encryption(terminal.srtp, path.transport)
        media = self._pbx.media_for(call, event.flow, path.remote[0], encryption, terminal.dtmf, codecs=terminal.codecs)
        side = SipSide(self._pbx.driver, session)
        new = Leg(call, party, Direction.INCOMING, side, media, self._pbx.services, is_callee=leg is not call.caller)
        session.user = new
        task = asyncio.ensure_future(self._take_place(leg, new, event.request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _judge(self, request: "Request", terminal: "Terminal") -> tuple[Leg | None, int]:
        """The leg to be replaced, or the status to refuse with (RFC 3891 §3)."""
        try:
            wanted = request.headers.all(Replaces)
        except ParseError:
            return None, 400
        if len(wanted) != 1 or "join" in request.headers:
            return None, 400
        leg = self._pbx.leg_of_dialog(wanted[0])
        if leg is None:
            return None, 481
        if leg.is_answered:
            return self._judge_talk(leg, terminal, early_only=wanted[0].early_only)
        if leg.state is not LegState.RINGING or leg.call.attempt is None or leg.direction is not Direction.OUTGOING:
            return None, 481
        return (leg, 0) if may_pick_up(self._pbx.directory, terminal.number, leg.party.number) else (None, 403)

    def _judge_talk(self, leg: Leg, terminal: "Terminal", *, early_only: bool) -> tuple[Leg | None, int]:
        if early_only:
            return None, 486
        if leg.party.number != terminal.number:
            return None, 403
        return (leg, 0) if leg.bridge is not None and leg.bridge.peer_of(leg) is not None else (None, 603)

    async def _take_place(self, leg: Leg, new: Leg, request: "Request") -> None:
        try:
            sdp = session_of(request)
            if sdp:
                new.media.take_offer(sdp)
            await self._pbx.create_media(new.call, new.media)
            if new.is_ended:  # given up meanwhile, by either side
                self._pbx.services.submit(*new.media.destroying())
            else:
                self._swap(leg, new)
        except MediaRefused as refusal:
            new.hangup(Cause.of_refusal(refusal.status))

    def _swap(self, leg: Leg, new: Leg) -> None:
        call = new.call
        if leg.bridge is not None and leg.is_answered:
            peer = leg.bridge.peer_of(leg)
            new.answer(self._pbx.services.codecs.like(peer.media.codec if peer is not None else None))
            leg.bridge.replace(leg, new)
            call.seat(leg, new)
            leg.hangup(NORMAL)
        elif call.attempt is not None and not leg.is_ended:
            call.attempt.enter(new)
            new.answer(self._pbx.formats_for(call.caller))
        else:
            new.hangup(DECLINED if leg.is_ended else UNAVAILABLE)
