"""The INVITE usage of a dialog, for both roles: RFC 3261 §9, §13, §14, §15 with RFC 6026 and RFC 5407.

                 UAC                                      UAS
    Calling -> Proceeding -> Confirmed      Incoming -> Answered (2xx, waits for ACK) -> Confirmed
        \\-> Cancelling                          \\-> Ended (refused, cancelled)
    Confirmed -> Ending (BYE sent) -> Ended
             \\-> Parting -> Ending

A CANCEL may only follow a provisional response, so Cancelling first waits for one. A 2xx that overtakes the CANCEL is
acknowledged and ended by BYE. Who asked us to call somebody else (REFER) is told the outcome before our BYE: until then
the session is Parting. A UAS whose 2xx is not acknowledged yet must not send BYE: it remembers to. The 2xx of
forks that lost are acknowledged and ended by BYE without troubling the user. `SessionEnded` is told exactly once, and
nothing after it.

Steps return actions; the stack carries them out. What happens inside Confirmed to change the session is the second,
smaller table in `modify.py`, carried out in `session_change.py`; `session_base.py` has what both stand on.
"""

from sipcore.actions import (
    FINISHED,
    NOTHING,
    Actions,
    CancelInvite,
    Respond,
    Send,
    Tell,
)
from sipcore.auth.client import DigestClient
from sipcore.body import ACCEPTED, read_session, session_of
from sipcore.build import Extra, response_to
from sipcore.dialog import info, offer_answer, session_timer
from sipcore.dialog import modify as changes
from sipcore.dialog.dialog import CSeqVerdict, Dialog
from sipcore.dialog.profile import ALLOW, SessionProfile
from sipcore.dialog.session_base import request_via
from sipcore.dialog.session_info import InformingSession
from sipcore.dialog.session_table import On, Role, State
from sipcore.errors import LocalProtocolError, ParseError
from sipcore.events import InfoDigit, ReferReceived, SessionAnswered, SessionConfirmed, SessionEnded
from sipcore.flow import Flow
from sipcore.headers import CSeq
from sipcore.ids import IdSource
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key

_TELL_S = 4.0  # how long a BYE waits for the peer to be told how its REFER went: three tries over a bad network


class InviteSession(InformingSession):
    """One session. `user` is whatever its user keeps there; `request` is the INVITE that made it; `reports` says how
    many outcomes of REFERs the peer waits for."""

    __slots__ = ()

    # --- making -----------------------------------------------------------------------------------------------

    @classmethod
    def outgoing(
        cls, request: Request, flow: Flow, profile: SessionProfile, ids: IdSource, digest: DigestClient | None = None
    ) -> tuple["InviteSession", Actions]:
        """A session that sends `request` (no Via yet, From with a tag of ours; its body is the offer, which must be
        there: the ACK goes out by itself and could carry no answer). `digest` answers challenges."""
        if not request.body:
            raise LocalProtocolError("an INVITE of ours without an offer")
        session = cls(Role.UAC, request, flow, profile, ids)
        session.local_tag = request.from_tag or ""
        session.offers.on(offer_answer.On.OFFER_SENT)
        session._local_sdp = session_of(request)
        session._ask_interval(request)
        session.digest = digest
        session._authorize(request)
        session.branch = ids.branch()
        return session, (request_via(request, flow, session.branch),)

    @classmethod
    def incoming(
        cls, key: Key, request: Request, flow: Flow, profile: SessionProfile, ids: IdSource
    ) -> "InviteSession":
        """A session for an INVITE that arrived; nothing is sent yet."""
        session = cls(Role.UAS, request, flow, profile, ids)
        session.key = key
        session.local_tag = ids.tag()
        session.dialog = Dialog.as_uas(request, session.local_tag, flow)
        session._note_peer(request)
        session._begin_reliable()
        session._remote_sdp = session_of(request)
        if session._remote_sdp:
            session.offers.on(offer_answer.On.OFFER_RECEIVED)
        return session

    @property
    def is_heard(self) -> bool:
        """The peer has answered our INVITE, at least provisionally."""
        return self._proceeding or self.state is not State.CALLING

    # --- what the user asks -----------------------------------------------------------------------------------

    def progress(self, status: int, now: float, *, sdp: bytes = b"", extra: Extra = ()) -> Actions:
        """Send a provisional response; `sdp` opens early media (the answer is given for good with it)."""
        return self._step(On.PROGRESS, now, status, sdp, extra)

    def answer(self, sdp: bytes, now: float, *, extra: Extra = ()) -> Actions:
        """Accept the INVITE. `sdp`: the answer, or our offer when the INVITE had none."""
        return self._step(self._answer_on(), now, sdp, extra)

    def reject(self, status: int, now: float, *, extra: Extra = (), reason: str = "") -> Actions:
        """Refuse the INVITE with a final status of 300 or more."""
        return self._step(On.REJECT, now, status, extra, reason)

    def end(self, now: float, reason: str = "") -> Actions:
        """CANCEL or BYE, as the state demands; `reason` is the text of a Reason header (RFC 3326)."""
        return self._step(On.END_LATER if self.reports and self.state is State.CONFIRMED else On.END, now, reason)

    def told(self, now: float) -> Actions:
        """One of the `reports` that the peer waits for has been given, or will never be."""
        self.reports -= 1
        return NOTHING if self.reports else self._step(On.TOLD, now)

    def modify(self, sdp: bytes, now: float, *, extra: Extra = ()) -> Actions:
        """Offer a changed session by re-INVITE, where `may_modify`; `SessionModified` tells the outcome. `extra` are
        more header fields."""
        if not self.may_modify:
            raise LocalProtocolError(f"a change of a session that is {self.state.name} and {self._change.name}")
        return self._change_by("INVITE", sdp, tuple((name, str(value)) for name, value in extra), now)

    def accept_offer(self, sdp: bytes, now: float) -> Actions:
        """Answer the offer of the peer's re-INVITE or UPDATE (with our offer when a re-INVITE had none)."""
        return self._change_step(changes.On.ACCEPT, now, sdp)

    def refuse_offer(self, status: int, now: float) -> Actions:
        """Refuse the peer's re-INVITE or UPDATE: the session goes on as it was."""
        return self._change_step(changes.On.REFUSE, now, status)

    # --- what the stack reports -------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The earliest of all that waits."""
        found = self._retry_at if self._part_at is None else self._part_at
        for each in (self._success, self._timer, self._reliable, self._update):
            if each is not None and (at := each.deadline) is not None and (found is None or at < found):
                found = at
        return found

    def on_timer(self, now: float) -> Actions:
        if self._part_at is not None and now >= self._part_at:
            return self._step(On.TOLD, now)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            return self._change_step(changes.On.RETRY, now)
        if self._update.deadline is not None and now >= self._update.deadline:
            return self._update_again(now)
        if self._timer is not None and (due := self._timer.due(now)) is not None:
            return self._step(On.LOST, now, 408) if due is session_timer.On.EXPIRED else self._refresh(now)
        return self._repeat_response(now)

    def _repeat_response(self, now: float) -> Actions:
        """A 2xx without an ACK, or a reliable provisional response without a PRACK, goes out again or is given up."""
        if self._success is not None:
            actions = self._success.on_timer(now)
            if actions and actions[0] is FINISHED:
                self._success = None
                return self._step(On.ACK_MISSING, now)
            return actions
        actions = self._reliable.on_timer(now) if self._reliable is not None else NOTHING
        return self._step(On.UNPRACKED, now) if actions and actions[0] is FINISHED else actions

    def receive_response(self, request: Request, response: Response, now: float) -> Actions:
        """A response to a request of this session."""
        if self._is_first(request):
            status = response.status
            if status == 422 and self._timer is not None and self._timer.raised_by(response):
                return self._step(On.TOO_BRIEF, now, status, response)
            if self._may_prove(request, response):
                return self._step(On.CHALLENGED, now, status, response)
            if status >= 300:
                return self._step(On.FAILURE, now, status, response)
            return self._step(On.PROVISIONAL if status < 200 else On.SUCCESS, now, response)
        if request.method == "INVITE":
            return self._change_response(request, response, now)
        if request.method == "UPDATE":
            return self._update_response(request, response, now)
        if request.method == "INFO":
            return self._info_response(request, response, now)
        if request.method == "BYE" and self.dialog is not None and self._may_prove(request, response):
            return (self._in_dialog(self.dialog, "BYE", reason=request.headers.get("reason") or ""),)
        if request.method == "BYE" and response.status >= 200:
            return self._step(On.BYE_DONE, now)
        return NOTHING

    def request_failed(self, request: Request, status: int, now: float) -> Actions:
        """No response came (408), or the flow failed (503)."""
        if self._is_first(request):
            return self._step(On.FAILURE, now, status, None)
        if request.method == "BYE":
            return self._step(On.BYE_DONE, now)
        if request.method == "INVITE":
            return self._change_failed(status, now)
        if request.method == "UPDATE":
            return self._update_failed(request, status, now)
        if request.method == "INFO":
            return self._info_outcome(status, now)
        return NOTHING

    def _is_first(self, request: Request) -> bool:
        """Whether this is the INVITE that made the session, perhaps thawed apart from it."""
        return request is self.request or (request.method == "INVITE" and request.branch == self.branch)

    def receive_request(self, key: Key, request: Request, now: float) -> Actions:
        """A request inside the dialog other than ACK and CANCEL; always answered, now or by the user."""
        tag = request.from_tag or ""
        if self._is_stranger(tag):
            return (Respond(key, response_to(request, 481)),)
        dialog = self._dialog_with(tag)
        if dialog is not None and dialog.check(request) is CSeqVerdict.OLD:
            return (Respond(key, response_to(request, 500, reason="CSeq Out of Order")),)
        if request.body and (refusal := _refusal_of_body(request)) is not None:
            return (Respond(key, refusal),)
        match request.method:
            case "BYE":
                return self._step(On.BYE, now, key, request)
            case "INVITE":
                return self._step(On.INVITE, now, key, request)
            case "UPDATE":
                return self._step(On.UPDATE, now, key, request)
            case "PRACK":
                return self._prack_received(now, key, request)
            case _ if dialog is None or self.state >= State.PARTING:
                return (Respond(key, response_to(request, 481)),)
            case "OPTIONS":
                return (Respond(key, response_to(request, 200, extra=self.profile.response_extra(b""))),)
            case "INFO":
                return self._informed(key, request)
            case "REFER":
                return (Tell(ReferReceived(self, key, request)),)
            case _:
                return (Respond(key, response_to(request, 405, extra=[("Allow", ALLOW)])),)

    def _informed(self, key: Key, request: Request) -> Actions:
        status, extra, digit = info.answer_to(request)
        answered = Respond(key, response_to(request, status, extra=[("Server", self.profile.agent), *extra]))
        return (answered, Tell(InfoDigit(self, digit))) if digit else (answered,)

    def receive_ack(self, ack: Request, now: float) -> Actions:
        if self._success is None or not self._success.acknowledged(ack.cseq.number):
            return NOTHING
        self._success = None
        return self._step(On.ACK, now, ack)

    def cancelled(self, key: Key, reason: str, now: float) -> Actions:
        """The peer sent a CANCEL for one of its INVITEs (already answered 200 by the stack)."""
        if key == self.key:
            return self._step(On.CANCELLED, now, reason)
        return self._change_step(changes.On.CANCELLED, now) if key == self._change_key else NOTHING

    def flow_failed(self, now: float) -> Actions:
        """A response to the INVITE could not be delivered."""
        return self._step(On.FLOW_FAILED, now)

    # --- UAC --------------------------------------------------------------------------------------------------

    def _answered(self, now: float, response: Response) -> Actions:
        self._note_peer(response)
        over, sdp = self._take_fork(response, now)
        self._remote_sdp = sdp or self._remote_sdp
        if self._timer is not None:
            self._timer.accepted(response, now)
        ack = self._acknowledge(self._peer, self.request.cseq.number)
        self.request.settle()
        return (ack, *over, Tell(SessionAnswered(self, sdp, response)))

    def _answered_again(self, now: float, response: Response) -> Actions:
        """A copy of the 2xx, or the 2xx of another fork: that one is ended at once."""
        tag = response.to_tag or ""
        known = self._acks.get(tag)
        if known is not None:
            return (Send(known, self.flow),)
        fork = self._confirm_dialog(response)
        ack = self._acknowledge(fork, self.request.cseq.number)
        return (ack, self._in_dialog(fork, "BYE", owner=False))

    def _answered_too_late(self, now: float, response: Response) -> Actions:
        self.dialog = self._confirm_dialog(response)
        ack = self._acknowledge(self.dialog, self.request.cseq.number)
        return (ack, self._in_dialog(self.dialog, "BYE", reason=self._cancel_reason))

    def _ask_longer_again(self, now: float, _: int, __: Response) -> Actions:
        """The same INVITE with a longer interval (RFC 4028 §7.4)."""
        return self._invite_again()

    def _prove(self, now: float, _: int, __: Response) -> Actions:
        """The same INVITE with credentials."""
        return self._invite_again()

    def _invite_again(self) -> Actions:
        """Same Call-ID, next CSeq number, new branch (RFC 3261 §8.1.3.5)."""
        headers = self.request.headers.copy()
        headers.remove("via")
        headers.set("cseq", CSeq(self.request.cseq.number + 1, "INVITE"))
        self.request = Request("INVITE", self.request.uri, headers, self.request.body)
        self._ask_interval(self.request)
        self._authorize(self.request)
        self._proceeding, self.branch = False, self._ids.branch()
        self._early, self._followed, self._hears = {}, "", False
        return (request_via(self.request, self.flow, self.branch),)

    def _ask_interval(self, request: Request) -> None:
        if self._timer is not None:
            for name, value in self._timer.request_fields():
                request.headers.set(name.lower(), value)

    def _refused(self, now: float, status: int, response: Response | None) -> Actions:
        reason = (response.headers.get("reason") or "") if response is not None else ""
        return self._ended(now, status, reason, by_peer=self._by_peer, response=response)

    def _cancel_later(self, now: float, reason: str) -> Actions:
        """No CANCEL before a provisional response; the INVITE's own Timer B ends the wait."""
        self._cancel_reason, self._by_peer = reason, False
        return NOTHING

    def _cancel_now(self, now: float, reason: str) -> Actions:
        self._cancel_reason, self._by_peer = reason, False
        return self._cancel_due(now)

    def _cancel_due(self, now: float, _: Response | None = None) -> Actions:
        if self._cancel_sent:
            return NOTHING
        self._cancel_sent = True
        return (CancelInvite(self.branch, self._cancel_reason),)

    def _bye_too_early(self, now: float, key: Key, request: Request) -> Actions:
        """The peer hangs up before its 2xx reached us: agree, and take back the INVITE."""
        answered = Respond(key, response_to(request, 200))
        return (answered, *(self._cancel_due(now) if self._proceeding else NOTHING))

    # --- UAS --------------------------------------------------------------------------------------------------

    def _send_refusal(self, now: float, status: int, extra: Extra, reason: str) -> Actions:
        response = response_to(self.request, status, to_tag=self.local_tag, extra=extra, reason=reason)
        return (Respond(self.key, response), *self._ended(now, status, "", by_peer=False))

    def _never_pracked(self, now: float) -> Actions:
        return self._send_refusal(now, 504, (), "")

    def _take_back(self, now: float, reason: str) -> Actions:
        """Hung up while the answer waits for the PRACK: it was never given."""
        return self._send_refusal(now, 480, [("Reason", reason)] if reason else (), "")

    def _cancelled(self, now: float, reason: str) -> Actions:
        response = response_to(self.request, 487, to_tag=self.local_tag)
        return (Respond(self.key, response), *self._ended(now, 487, reason))

    def _bye_before_answer(self, now: float, key: Key, request: Request) -> Actions:
        return (Respond(key, response_to(request, 200)), *self._cancelled(now, request.headers.get("reason") or ""))

    def _undeliverable(self, now: float) -> Actions:
        return self._ended(now, 503, "")

    def _acknowledged(self, now: float, ack: Request) -> Actions:
        sdp = session_of(ack)
        self._remote_sdp = sdp or self._remote_sdp
        self.request.settle()
        if self.offers.state is offer_answer.State.LOCAL_OFFER:
            self.offers.on(offer_answer.On.ANSWER_RECEIVED if sdp else offer_answer.On.ROLLED_BACK)
        if self._end_reason is not None:
            reason, self._end_reason = self._end_reason, None
            return self.end(now, reason)
        return (Tell(SessionConfirmed(self, sdp)),)

    def _end_after_ack(self, now: float, reason: str) -> Actions:
        self._end_reason = reason
        return NOTHING

    # --- the end ----------------------------------------------------------------------------------------------

    def _send_bye(self, now: float, reason: str) -> Actions:
        assert self.dialog is not None
        return (*self._quiet(now), self._in_dialog(self.dialog, "BYE", reason=reason))

    def _part(self, now: float, reason: str) -> Actions:
        self._end_reason, self._part_at = reason, now + _TELL_S
        return self._quiet(now)

    def _part_now(self, now: float) -> Actions:
        reason, self._end_reason, self._part_at = self._end_reason or "", None, None
        return self._send_bye(now, reason)

    def _unacknowledged(self, now: float) -> Actions:
        return self._give_up(now, 408, "No ACK")

    def _lost(self, now: float, status: int) -> Actions:
        return self._give_up(now, status, "Session Lost")

    def _give_up(self, now: float, status: int, why: str) -> Actions:
        """The peer fell silent or knows nothing of the session: tell at once, end the dialog properly all the same."""
        self._told = True
        return (Tell(SessionEnded(self, status)), *self._send_bye(now, f'SIP;cause={status};text="{why}"'))

    def _bye(self, now: float, key: Key, request: Request) -> Actions:
        reason = request.headers.get("reason") or ""
        return (Respond(key, response_to(request, 200)), *self._ended(now, 200, reason))

    def _over(self, now: float, key: Key, request: Request) -> Actions:
        return (Respond(key, response_to(request, 481)),)

    def _bye_again(self, now: float, key: Key, request: Request) -> Actions:
        return (Respond(key, response_to(request, 200)),)

    def _bye_done(self, now: float) -> Actions:
        return self._ended(now, 200, "", by_peer=False)

    def _ended(
        self, now: float, status: int, reason: str, *, by_peer: bool = True, response: Response | None = None
    ) -> Actions:
        last = self._quiet(now)
        if self._told:
            return (*last, FINISHED)
        self._told = True
        return (*last, Tell(SessionEnded(self, status, reason, by_peer, response)), FINISHED)

    def _quiet(self, now: float) -> Actions:
        """No timer of the session runs any longer, and no change of it is under way."""
        self._success = None
        if self.state is not State.PARTING:
            self._part_at = None
        if self._timer is not None:
            self._timer.stop(now)
        self._update.end(now)
        if self._reliable is not None:
            self._reliable.final(now)
        return self._change_step(changes.On.END, now)


def _refusal_of_body(request: Request) -> Response | None:
    """What a change gets whose body has to be understood and is not (RFC 3261 §8.2.3)."""
    if request.method not in ("INVITE", "UPDATE"):
        return None
    try:
        read_session(request)
    except ParseError as error:
        return response_to(request, error.status, extra=ACCEPTED if error.status == 415 else ())
    return None
