"""Transfer by the phone's own means (FEAT-11): a REFER inside a call (RFC 3515, RFC 5589 §6).

The party to be transferred becomes the caller of a new call that goes on from the old one; the bridge with the
transferor stays until the target answers. Whatever goes wrong, that party talks to somebody again: it stays with the
transferor, or rings there once more when the transferor has hung up meanwhile (FEAT-8). Nobody is transferred to
numbers outside the office (FEAT-10).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from media.api import LeaveRoom, ToneSource
from pbx.cause import NORMAL, NOT_FOUND, Cause
from pbx.dial import DialOutcome
from pbx.media_session import MediaRefused
from pbx.numbering import dialled_number
from sipcore.build import response_to
from sipcore.dialog.referral import Referral
from sipcore.errors import ParseError
from sipcore.headers import Via
from sipcore.uri import SipUri, TelUri, same_host

if TYPE_CHECKING:
    from pbx.api import App
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg
    from sipcore.dialog.refer import ReferSubscription
    from sipcore.events import ReferReceived
    from sipcore.message import Request
    from storage.records import Terminal

EXTENSIONS = frozenset(("norefersub",))  # what a peer may require of us: RFC 4488
RETURN_AFTER_S = 2.0  # FEAT-8
RINGBACK = ToneSource((((425.0,), 1000), ((), 4000)), loop=True, level_db=-18.0)


class Transfers:
    """Judges what phones ask for and starts what may be; a party takes part in one transfer at a time."""

    def __init__(self, pbx: "Pbx") -> None:
        self._pbx = pbx
        self._busy: set[int] = set()

    def refer(self, transferor: "Leg", event: "ReferReceived") -> None:
        """Answer a REFER, and follow it."""
        try:
            referral = Referral.of(event.request)
        except ParseError:
            self._refuse(event, 400)
            return
        transferee = _who_talks_to(transferor)
        status = self._refusal(transferor, transferee, referral, event.request)
        if status or transferee is None:
            self._refuse(event, status)
            return
        driver = self._pbx.driver
        refer = driver.stack.accept_refer(
            event.session, event.key, event.request, driver.now(), silently=not referral.wants_reports
        )
        driver.kick()
        self._begin(transferor, transferee, number_of(referral.uri), Reports(self._pbx, refer))

    def _refusal(self, transferor: "Leg", transferee: "Leg | None", referral: Referral, request: "Request") -> int:
        """The status to refuse with, 0 to go on."""
        if transferee is None or referral.method != "INVITE":
            return 403
        if referral.replaces is not None:
            return 501  # ringing who is being consulted once more would be a surprise
        if self._busy & {transferor.id, transferee.id}:
            return 491
        if self._pbx.draining:
            return 503
        if not isinstance(referral.uri, SipUri | TelUri):
            return 416
        return 0 if self._is_ours(referral.uri, request) else 403

    def _is_ours(self, uri: SipUri | TelUri, request: "Request") -> bool:
        """A number of ours: at no host, or at one by which we or the phone's own account are known (FEAT-10): also
        at a proxy that the REFER came through."""
        if isinstance(uri, TelUri):
            return True
        known = [getattr(each, "host", "") for each in (request.uri, request.to.uri, request.from_.uri)]
        known += [via.host for via in request.headers.all(Via)[:-1]]
        return any(same_host(uri.host, host) for host in (*known, self._pbx.directory.realm))

    def _refuse(self, event: "ReferReceived", status: int) -> None:
        driver = self._pbx.driver
        driver.stack.respond(event.key, response_to(event.request, status), driver.now())
        driver.kick()

    def _begin(self, transferor: "Leg", transferee: "Leg", number: str, reports: "Reports") -> None:
        party, app = self._pbx.route(number)
        call = self._pbx.new_call(party, transferee.call)
        call.stage, call.referred_by = "transfer", transferor.party
        call.begin(transferee.party)
        call.take(transferee)
        marks = {transferor.id, transferee.id}
        self._busy |= marks
        transfer = BlindTransfer(
            self._pbx, transferor, transferee, reports, lambda: self._busy.difference_update(marks)
        )
        terminal = self._pbx.terminal(number)
        self._pbx.run(call, lambda each: transfer.run(each, terminal, app), transfer.settled)


class Reports:
    """What the sender of a REFER is told; nothing after the final status."""

    def __init__(self, pbx: "Pbx", refer: "ReferSubscription | None") -> None:
        self._driver, self._refer = pbx.driver, refer

    def tell(self, status: int) -> None:
        refer = self._refer
        if refer is None:
            return
        if status >= 200:
            self._refer = None
        self._driver.stack.report_refer(refer, status, self._driver.now())
        self._driver.kick()


class BlindTransfer:
    """The app of a transfer's call: rings the target for the transferee, who is the call's caller."""

    def __init__(
        self, pbx: "Pbx", transferor: "Leg", transferee: "Leg", reports: Reports, over: Callable[[], None]
    ) -> None:
        self._pbx, self._transferor, self._transferee = pbx, transferor, transferee
        self._reports, self._over = reports, over
        self._is_settled = self._is_ringing = False

    async def run(self, call: "Call", terminal: "Terminal | None", app: "App | None") -> Cause:
        """Reach the target, then let both talk; the cause for which it ended."""
        try:
            if terminal is not None:
                return await self._to_terminal(call, terminal)
            return await self._to_application(call, app) if app is not None else await self._failed(call, NOT_FOUND)
        finally:
            self.settled()

    def settled(self) -> None:
        """The transfer is over, one way or the other; without an outcome it was given up (487)."""
        if not self._is_settled:
            self._settle(487)

    def _settle(self, status: int) -> None:
        self._is_settled = True
        self._reports.tell(status)
        self._over()

    async def _to_terminal(self, call: "Call", terminal: "Terminal") -> Cause:
        outcome = await self._ring(call, terminal)
        if outcome.answered is None:
            return await self._failed(call, outcome.cause)
        return await self._talk(call, outcome.answered)

    async def _to_application(self, call: "Call", app: "App") -> Cause:
        self._settle(200)
        if self._transferee.bridge is not None:
            self._transferee.bridge.lost(self._transferee)
        self._pbx.services.submit(LeaveRoom(self._transferee.media.endpoint))
        self._transferee.stop_plays()
        return await app.run(call, self._pbx)

    async def _ring(self, call: "Call", terminal: "Terminal") -> DialOutcome:
        self._is_ringing = False
        try:
            return await self._pbx.ring(call, terminal, self._rings)
        except MediaRefused as refusal:
            return DialOutcome(None, Cause.of_refusal(refusal.status))

    def _rings(self) -> None:
        if not self._is_ringing:
            self._is_ringing = True
            self._reports.tell(180)
            self._transferee.start_play(RINGBACK)

    async def _talk(self, call: "Call", target: "Leg") -> Cause:
        self._transferee.stop_plays()
        bridge = call.connect(self._transferee, target)
        if not self._is_settled:
            self._settle(200)
        gone = await bridge.until_one_left()
        return gone.cause or NORMAL

    async def _failed(self, call: "Call", cause: Cause) -> Cause:
        """Nobody answers there: back to the transferor, who still is in the call or is rung again."""
        self._settle(cause.status)
        self._transferee.stop_plays()
        bridge = self._transferee.bridge
        if bridge is not None:
            self._transferor.call.take(self._transferee)
            bridge.hold_changed(self._transferor)
            return cause
        await asyncio.sleep(RETURN_AFTER_S)
        terminal = self._pbx.terminal(self._transferor.party.number)
        if terminal is None:
            return cause
        call.referred_by = None
        outcome = await self._ring(call, terminal)
        return cause if outcome.answered is None else await self._talk(call, outcome.answered)


def number_of(uri: object) -> str:
    """The number that a Refer-To names."""
    if isinstance(uri, SipUri):
        return dialled_number(uri.user or "")
    return dialled_number(uri.number) if isinstance(uri, TelUri) else ""


def _who_talks_to(leg: "Leg") -> "Leg | None":
    """The other party of an answered conversation of two."""
    peer = leg.bridge.peer_of(leg) if leg.bridge is not None else None
    return peer if peer is not None and peer.is_answered and leg.is_answered else None
