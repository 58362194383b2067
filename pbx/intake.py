"""How an INVITE outside of any dialog becomes a call: who sends it, what it is for, the leg of who calls."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from frozen import dataclass
from pbx.addressing import contact, dialled, focus
from pbx.admission import Admitted, Denied
from pbx.apps import UNKNOWN, App, run_stages
from pbx.arrival import Arrival
from pbx.call import Call
from pbx.carried import Carried
from pbx.cause import BAD_REQUEST, NOT_ENCRYPTED, NOT_FOUND, UNSUPPORTED_BODY, UNWANTED_ANSWER, Cause
from pbx.diversion import Way
from pbx.encryption import Encryption
from pbx.events import Direction
from pbx.guests import MOST_GUESTS, arrival_of_guest, is_guest
from pbx.identity import PrivacyUnavailable, calling
from pbx.join import judge_join, who_is_joined
from pbx.leg import NO_LINE, Leg, LineUse
from pbx.media_endpoint import MediaRefused
from pbx.media_session import MediaSession
from pbx.numbering import wanted_number
from pbx.party import Party
from pbx.redirect import Redirection, Redirector
from pbx.replace import Replacements
from pbx.sip_leg import SipSide
from sipcore.body import read_session
from sipcore.errors import ParseError
from sipcore.events import InviteArrived
from sipcore.headers import Accept, Via
from sipcore.message import Request
from storage.records import Conference, Provider

if TYPE_CHECKING:
    from pbx.core import Pbx


@dataclass(frozen=True, slots=True)
class _Peer:
    """What is behind an INVITE: a terminal, or (`is_outside`) an account at a provider or a guest."""

    number: str
    srtp: str = "auto"
    dtmf: str = "auto"
    codecs: tuple[str, ...] = ()
    is_trusted: bool = False
    is_outside: bool = False


class Intake:
    """Takes in what terminals and providers bring."""

    def __init__(self, pbx: "Pbx", redirector: Redirector | None) -> None:
        self._pbx, self._redirector = pbx, redirector
        self._replacements = Replacements(pbx)
        self._guests = self._guests_refused = 0

    def invite(self, event: InviteArrived) -> None:
        """Make a call of it, or say why not."""
        pbx = self._pbx
        accounts = pbx.admission.accounts_of(event.request, event.flow)
        if accounts:
            self._start_incoming(event, accounts)
            return
        verdict = pbx.admission.check(event.request, event.flow)
        device = pbx.directory.provider_behind(verdict.terminal) if isinstance(verdict, Admitted) else None
        if isinstance(verdict, Denied):
            self._stranger(event, verdict)
        elif device is not None:
            self._start_incoming(event, (device,))
        elif pbx.draining:
            pbx.answer(event, 503, [("Retry-After", "10")])
        elif self._comes_back(event.request):
            pbx.answer(event, 482)
        elif "replaces" in event.request.headers:
            self._replacements.invite(event, verdict.terminal)
        elif "join" in event.request.headers:
            self._join(event, verdict)
        elif (found := self._redirection(event.request)) is not None:
            pbx.answer(event, *found)
        else:
            self._start_call(event, verdict)

    def _stranger(self, event: InviteArrived, verdict: Denied) -> None:
        """Somebody who is not admitted: a guest, where the office takes them, or to be challenged."""
        pbx, request = self._pbx, event.request
        if not verdict.challenge or not pbx.admission.is_guest(request, event.flow):
            if pbx.directory.office.inbound.guests and "authorization" not in request.headers:
                self._seek(event)  # otherwise it was counted before it came here
            pbx.deny(event, verdict)
        elif sum(is_guest(call.arrival) for call in pbx.calls.values()) >= MOST_GUESTS:
            self._guests_refused += 1
            pbx.answer(event, 503, [("Retry-After", "30")])
        else:
            self._bring(event, lambda: arrival_of_guest(request))

    def describe(self) -> dict[str, object]:
        """Live dump: calls of guests since the start, and how many were turned away before they were one."""
        return {"guests": self._guests, "guests_refused": self._guests_refused}

    def _seek(self, event: InviteArrived) -> None:
        source = self._pbx.admission.sources.of(event.request, event.flow).remote[0]
        self._pbx.admission.sought(dialled(event.request), source)

    def _redirection(self, request: Request) -> Redirection | None:
        return self._redirector.answer(request, self._pbx.directory) if self._redirector is not None else None

    def _join(self, event: InviteArrived, admitted: Admitted) -> None:
        leg, status = judge_join(self._pbx, event.request, admitted.terminal)
        if leg is None:
            self._pbx.answer(event, status)
        else:
            self._start_call(event, admitted, joined=leg)

    def _comes_back(self, request: Request) -> bool:
        """An INVITE of ours that others have sent in a circle (RFC 3261 §16.3 item 4, RFC 5393 §4)."""
        try:
            return any(self._pbx.driver.stack.is_waiting_for(via.branch or "") for via in request.headers.all(Via))
        except ParseError:
            return False

    def _start_call(self, event: InviteArrived, admitted: Admitted, joined: Leg | None = None) -> None:
        """`joined`: the call comes in where that leg talks."""
        request, terminal, is_trusted = event.request, admitted.terminal, admitted.by_address
        length = self._pbx.directory.office.number_length
        try:
            caller = calling(request, self._pbx.directory.party(terminal), is_trusted=is_trusted, number_length=length)
        except PrivacyUnavailable:
            self._pbx.answer(event, 500)
            return
        only = self._pbx.location.addressee(request.uri)
        to, app = self._pbx.dialled_app(terminal, wanted_number(request.uri) if only is None else only.number)
        if joined is not None:
            to, app = who_is_joined(joined, terminal), self._pbx.apps.joining(joined)
        near = self._pbx.near(terminal.number, to.number) if joined is None else joined.call
        call = self._pbx.new_call(to, near=near)
        call.wanted_leg, call.only = request.headers.get("x-chan-id") or "", only
        call.variables.update(terminal.variables)
        peer = _Peer(terminal.number, terminal.srtp, terminal.dtmf, terminal.codecs, is_trusted=is_trusted)
        self._take_in(event, call, caller, app or self._pbx.apps.services.get(UNKNOWN), peer)

    def _start_incoming(self, event: InviteArrived, accounts: tuple[Provider, ...]) -> None:
        """A call that a provider brings."""

        def arrival() -> Arrival:
            directory = self._pbx.directory
            found = Arrival.of(event.request, accounts, directory.numbers, directory.office.number_rules)
            if found.provider.log_sources:
                found.log_sources(event.request)
            return replace(found, caller=directory.named(found.caller))

        self._bring(event, arrival)

    def _bring(self, event: InviteArrived, read: Callable[[], Arrival]) -> None:
        """A call from outside, as `read` has it. Others' calls are not picked up over it, and nothing is refused for
        what a phone may not do."""
        if self._pbx.draining:
            self._pbx.answer(event, 503, [("Retry-After", "10")])
            return
        if self._comes_back(event.request):
            self._pbx.answer(event, 482)
            return
        try:
            arrival = read()
        except PrivacyUnavailable:
            self._pbx.answer(event, 500)
            return
        to, app = self._pbx.apps.find_incoming(self._pbx, arrival)
        is_known = not is_guest(arrival)
        if app is None and not is_known:
            self._guests_refused += 1
            self._seek(event)
            self._pbx.answer(event, 404)
            return
        self._guests += not is_known
        call = self._pbx.new_call(to)
        call.arrival = arrival
        if app is not None:
            app = self._pbx.services.signatures.before(app, event.request, arrival)
        provider = arrival.provider
        peer = _Peer(arrival.called, provider.srtp, provider.dtmf, is_trusted=is_known, is_outside=True)
        self._take_in(event, call, arrival.caller, app, peer)

    def _take_in(self, event: InviteArrived, call: Call, caller: Party, app: App | None, peer: "_Peer") -> None:
        """The caller gets a leg, `app` the call."""
        request, flow = event.request, event.flow
        is_focus = isinstance(self._pbx.directory.entry(call.to.number), Conference)
        where = focus(call.to.number, flow) if is_focus else contact(peer.number, flow)
        session = self._pbx.driver.stack.accept_session(event.key, where)
        if session is None:
            self._pbx.calls.pop(call.id)
            return
        call.way = Way.of(request, is_trusted=peer.is_trusted)
        call.carried = Carried.of(request, is_trusted=peer.is_trusted)
        call.begin(caller)
        path = self._pbx.admission.sources.of(request, flow)
        encryption = Encryption(peer.srtp, path.transport)
        media = self._pbx.media_for(
            *(call, flow, path.remote[0], encryption, peer.dtmf), codecs=peer.codecs, is_outside=peer.is_outside
        )
        side = SipSide(self._pbx.driver, session, is_trusted=peer.is_trusted, is_outside=peer.is_outside)
        line = LineUse(call.arrival.provider.id) if call.arrival is not None else NO_LINE
        leg = Leg(call, caller, Direction.INCOMING, side, media, self._pbx.services, line=line)
        session.user = leg
        refusal = NOT_FOUND if app is None else _take_first_offer(media, request)
        if app is None or refusal is not None:
            call.run(_refusing(refusal or NOT_FOUND), self._pbx.call_done)
        else:
            call.run(lambda each: run_stages(each, call.to, app, self._pbx), self._pbx.call_done)


def _take_first_offer(media: MediaSession, request: Request) -> Cause | None:
    """Read the offer of an INVITE, if it has one; the cause to refuse it with."""
    if not _takes_sdp(request):
        return UNWANTED_ANSWER
    try:
        sdp = read_session(request)
    except ParseError as error:
        return UNSUPPORTED_BODY if error.status == 415 else BAD_REQUEST
    if not sdp:
        return None
    try:
        media.take_offer(sdp)
    except MediaRefused as refusal:
        return NOT_ENCRYPTED if refusal.is_unencrypted else Cause.of_refusal(refusal.status)
    return None


def _takes_sdp(request: Request) -> bool:
    """Whether the Accept of an INVITE lets us answer it (RFC 3261 §20.1); nobody means a malformed or empty one."""
    try:
        accepts = [each for each in request.headers.all(Accept) if each.tokens]
    except ParseError:
        return True
    return not accepts or any(each.allows(kind) for each in accepts for kind in ("application/sdp", "multipart/mixed"))


def _refusing(cause: Cause) -> Callable[[Call], Awaitable[Cause]]:
    """An app that only says why not."""

    async def refuse(_: Call) -> Cause:
        return cause

    return refuse
