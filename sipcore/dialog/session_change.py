"""Changes of a session, carried out: the actions of the table in `modify.py`. RFC 3261 §14, RFC 3311, RFC 6141."""

from sipcore.actions import NOTHING, AbandonInvite, Actions, Respond, Send, Tell
from sipcore.body import session_of
from sipcore.build import response_to
from sipcore.dialog import modify as changes
from sipcore.dialog import offer_answer
from sipcore.dialog.reliable import rack_for, rseq_of
from sipcore.dialog.session_base import SessionBase
from sipcore.dialog.session_table import On, Role, State
from sipcore.dialog.update import Fields
from sipcore.errors import ParseError
from sipcore.events import OfferReceived, SessionModified, SessionRefreshed
from sipcore.headers import RetryAfter
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key

_LONGEST_WAIT_S = 60  # what a busy peer may ask for


class ChangingSession(SessionBase):
    """Offers in both directions, by re-INVITE or UPDATE."""

    __slots__ = ()

    def _change_step(self, on: changes.On, now: float, *args: object) -> Actions:
        row = changes.TABLE.row(self._change, on)
        if row is None:
            return NOTHING
        self._change = row.to
        actions: Actions = getattr(self, row.do)(now, *args)
        return actions

    def _refresh(self, now: float) -> Actions:
        """Repeat the session as it is (RFC 4028 §10)."""
        if not self.may_modify or not self._local_sdp:
            if self._timer is not None:
                self._timer.busy(now)
            return NOTHING
        self._refreshing = True
        return self._change_by("INVITE", self._local_sdp, (), now)

    def _change_by(self, method: str, sdp: bytes, extra: Fields, now: float) -> Actions:
        """A change of ours begins."""
        self._change_method, self._change_sdp, self._change_extra = method, sdp, extra
        return self._change_step(changes.On.MODIFY, now)

    @property
    def may_modify(self) -> bool:
        """`modify` is allowed now."""
        return self.state is State.CONFIRMED and self._success is None and self._may_offer

    @property
    def _may_offer(self) -> bool:
        """No offer and no change is under way."""
        return self._change is changes.State.IDLE and self.offers.may_offer

    def _change_response(self, request: Request, response: Response, now: float) -> Actions:
        status = response.status
        if status < 200:
            return self._change_progressed(response)
        if status < 300:
            return self._change_success(request, response, now)
        if status in (408, 481):
            return self._change_step(changes.On.LOST, now, status)
        if status == 491:
            return self._change_step(changes.On.PENDING, now)
        if status == 422 and self._timer is not None and self._timer.raised_by(response):
            return self._change_step(changes.On.TOO_BRIEF, now)
        if self._change is changes.State.SENT and self._may_prove(request, response):
            return self._change_step(changes.On.CHALLENGED, now)
        return self._change_step(changes.On.REFUSED, now, status)

    def _change_progressed(self, response: Response) -> Actions:
        """A reliable provisional response to our re-INVITE is acknowledged; an answer in it counts once the 2xx comes,
        because a refusal undoes it (RFC 6141 §3.4)."""
        rseq = rseq_of(response) if self._speaks_reliable else 0
        if not rseq or (self._change_rseq and rseq != self._change_rseq + 1):
            return NOTHING
        self._change_rseq = rseq
        self._change_answer = self._change_answer or session_of(response)
        extra = [*rack_for(response, rseq), ("User-Agent", self.profile.agent)]
        return (self._in_dialog(self._peer, "PRACK", extra=extra),)

    def _change_failed(self, status: int, now: float) -> Actions:
        """No response to our change came (408), or the flow failed (503)."""
        return self._change_step(changes.On.LOST if status == 408 else changes.On.REFUSED, now, status)

    def _change_success(self, request: Request, response: Response, now: float) -> Actions:
        """Every copy of a 2xx is acknowledged, whatever became of the change; copies of an older one mean no more."""
        number = request.cseq.number
        if request.method == "UPDATE":
            return self._change_step(changes.On.SUCCESS, now, response) if number == self._change_cseq else NOTHING
        ack = Send(bytes(self._with_via(self._proving_as(request, self._peer.ack(number)))), self.flow)
        if number != self._change_cseq:
            return (ack,)
        return (ack, *self._change_step(changes.On.SUCCESS, now, response))

    def _dialog_lost(self, now: float, status: int) -> Actions:
        """No such dialog, or no answer; before the answer the INVITE itself shows whether anybody is there."""
        if self.state is not State.CONFIRMED:
            return self._not_modified(now, status)
        self.offers.on(offer_answer.On.ROLLED_BACK)
        return self._step(On.LOST, now, status)

    def _abandon(self, now: float) -> Actions:
        return (AbandonInvite(self._change_branch),)

    def _wait_no_more(self, now: float) -> Actions:
        self._retry_at = None
        return NOTHING

    def _send_offer(self, now: float) -> Actions:
        self.offers.on(offer_answer.On.OFFER_SENT)
        self._change_rseq, self._change_answer = 0, b""
        extra: list[tuple[str, object]] = self.profile.request_extra(self._change_sdp)
        if self._timer is not None and self._timer.is_agreed:
            extra += self._timer.request_fields()
        extra += self._change_extra
        sent = self._in_dialog(self._peer, self._change_method, extra=extra, body=self._change_sdp)
        self._change_branch, self._change_cseq = sent.branch, self._peer.local_cseq
        return (sent,)

    def _modified(self, now: float, response: Response) -> Actions:
        self._challenges = 0
        self._peer.refresh_target(response)
        self.offers.on(offer_answer.On.ANSWER_RECEIVED)
        if self._timer is not None:
            self._timer.accepted(response, now)
        sdp, before = self._change_answer or session_of(response), self._remote_sdp
        self._local_sdp, self._remote_sdp = self._change_sdp, sdp or before
        if not self._refreshed():
            return (Tell(SessionModified(self._whole, 200, sdp)),)
        return (Tell(SessionRefreshed(self._whole, sdp)),) if self._remote_sdp != before else NOTHING

    def _not_modified(self, now: float, status: int) -> Actions:
        self.offers.on(offer_answer.On.ROLLED_BACK)
        if not self._refreshed():
            return (Tell(SessionModified(self._whole, status, b"")),)
        if self._timer is not None:
            self._timer.refused(now)
        return NOTHING

    def _refreshed(self) -> bool:
        """Whether the change that is over was but a refresh of ours: nobody waits for its outcome."""
        was, self._refreshing = self._refreshing, False
        return was

    def _offer_again(self, now: float) -> Actions:
        self.offers.on(offer_answer.On.ROLLED_BACK)
        return self._send_offer(now)

    def _wait(self, now: float) -> Actions:
        self.offers.on(offer_answer.On.ROLLED_BACK)
        self._retry_at = now + changes.retry_wait_s(self.role is Role.UAC, self._ids.fraction())
        return NOTHING

    def _invited_again(self, now: float, key: Key, request: Request) -> Actions:
        if self._end_reason is not None:  # only an ACK is missing before the BYE goes out
            return self._glare(now, key, request)
        return self._change_step(changes.On.INVITE, now, key, request)

    def _take_offer(self, now: float, key: Key, request: Request) -> Actions:
        offered = bool(session_of(request))
        if not self.offers.may_offer or (offered and not self.offers.on(offer_answer.On.OFFER_RECEIVED)):
            self._change = changes.State.IDLE
            return self._busy(now, key, request) if self.offers.offered else self._glare(now, key, request)
        self._change_key, self._change_request = key, request
        self._peer.refresh_target(request)
        return (Tell(OfferReceived(self._whole, session_of(request), request)),)

    def _give_way(self, now: float, key: Key, request: Request) -> Actions:
        self._retry_at = None
        taken = self._take_offer(now, key, request)
        return taken if self._refreshed() else (Tell(SessionModified(self._whole, 491, b"")), *taken)

    def _glare(self, now: float, key: Key, request: Request) -> Actions:
        return (Respond(key, response_to(request, 491)),)

    def _busy(self, now: float, key: Key, request: Request) -> Actions:
        wait = int(self._ids.fraction() * 10)
        return (Respond(key, response_to(request, 500, extra=[("Retry-After", wait)])),)

    def _accept(self, now: float, sdp: bytes) -> Actions:
        assert self._change_request is not None
        self.offers.on(offer_answer.On.ANSWER_SENT if self.offers.offered else offer_answer.On.OFFER_SENT)
        request, self._change_request = self._change_request, None
        self._remote_sdp = session_of(request) or self._remote_sdp
        response = self._success_response(request, sdp, (), now)
        if request.method == "INVITE":
            self._start_success(response, request, now)
        return (Respond(self._change_key, response),)

    def _refuse(self, now: float, status: int) -> Actions:
        assert self._change_request is not None
        self.offers.on(offer_answer.On.ROLLED_BACK)
        request, self._change_request = self._change_request, None
        return (Respond(self._change_key, response_to(request, status)),)

    def _withdrawn(self, now: float) -> Actions:
        return self._refuse(now, 487)


def retry_after_s(response: Response | None) -> float:
    """How long a busy peer asks us to wait; 0 when it does not say."""
    try:
        named = response.headers.first(RetryAfter) if response is not None else None
    except ParseError:
        return 0.0
    return float(min(named.value, _LONGEST_WAIT_S)) if named is not None else 0.0
