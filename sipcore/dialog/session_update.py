"""UPDATE in an INVITE session, both ways: RFC 3311, and as the refresh of RFC 4028.

With an offer it is a change like a re-INVITE (the table in `modify.py`); without one it changes nothing of the media
and runs on the small table in `update.py`. Either may move the target of the dialog.
"""

from sipcore.actions import NOTHING, Actions, Respond, Tell
from sipcore.body import session_of
from sipcore.build import Extra, response_to
from sipcore.dialog import modify as changes
from sipcore.dialog.session_change import ChangingSession, retry_after_s
from sipcore.dialog.session_table import On, Role, State
from sipcore.dialog.update import Fields
from sipcore.errors import LocalProtocolError
from sipcore.events import SessionUpdated, UpdateReceived
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key


class UpdatingSession(ChangingSession):
    """UPDATE in both directions."""

    __slots__ = ()

    @property
    def may_update(self) -> bool:
        """The peer takes UPDATE, and there is a dialog for it: `update` without an offer is allowed."""
        if not self._peer_updates or self._current is None:
            return False
        if self.state in (State.INCOMING, State.ACCEPTING):  # the peer knows the dialog by a reliable response
            return self._reliable is not None and self._reliable.is_known
        return self.state in (State.PROCEEDING, State.CONFIRMED)

    @property
    def may_update_offer(self) -> bool:
        """`update` with an offer is allowed now."""
        return self.may_update and not self._update.is_sent and self._may_offer

    def update(self, now: float, *, sdp: bytes = b"", extra: Extra = ()) -> Actions:
        """Send UPDATE, where `may_update`. `extra` are header fields that tell the peer something, such as who it
        talks to: while another UPDATE is under way they wait, and of several only the last goes out;
        `SessionUpdated` tells the outcome. With `sdp` it offers a changed session at once, where `may_update_offer`;
        then `SessionModified` tells the outcome."""
        fields = tuple((name, str(value)) for name, value in extra)
        if sdp:
            if not self.may_update_offer:
                raise LocalProtocolError(f"an UPDATE of a session that is {self.state.name} and {self._change.name}")
            return self._change_by("UPDATE", sdp, fields, now)
        if not self.may_update:
            raise LocalProtocolError(f"an UPDATE of a session that is {self.state.name}")
        return self._ask_update(fields, now)

    # --- ours -------------------------------------------------------------------------------------------------

    def _ask_update(self, fields: Fields, now: float, *, is_refresh: bool = False) -> Actions:
        go = self._update.ask(fields, now, is_possible=self._may_send_update, is_refresh=is_refresh)
        return self._send_update(now) if go else NOTHING

    @property
    def _may_send_update(self) -> bool:
        """No UPDATE with an offer is under way."""
        return not (self._change is changes.State.SENT and self._change_method == "UPDATE")

    def _send_update(self, now: float) -> Actions:
        extra: list[tuple[str, object]] = [
            ("Contact", self.profile.contact),
            ("Allow", self.profile.allow),
            ("User-Agent", self.profile.agent),
        ]
        if self.profile.supported:
            extra.append(("Supported", self.profile.supported))
        if self._timer is not None and self._timer.is_agreed:
            extra += self._timer.request_fields()
        sent = self._in_dialog(self._peer, "UPDATE", extra=[*extra, *self._update.fields])
        self._update.cseq = self._peer.local_cseq
        return (sent,)

    def _update_again(self, now: float) -> Actions:
        """The wait after a busy peer, or a busy session of ours, is over."""
        return self._send_update(now) if self._update.again(now, is_possible=self._may_send_update) else NOTHING

    def _refresh(self, now: float) -> Actions:
        """Repeat the session as it is (RFC 4028 §10): by UPDATE where the peer takes it, else by re-INVITE."""
        if not self.may_update:
            return super()._refresh(now)
        if not self._update.is_idle or not self._may_send_update:
            if self._timer is not None:
                self._timer.busy(now)
            return NOTHING
        return self._ask_update((), now, is_refresh=True)

    def _update_response(self, request: Request, response: Response, now: float) -> Actions:
        if response.status < 200:
            return NOTHING
        if request.cseq.number != self._update.cseq:
            return self._change_response(request, response, now)
        if self._update.is_sent and self._may_prove(request, response):
            return self._send_update(now)
        return self._update_outcome(response.status, response, now)

    def _update_failed(self, request: Request, status: int, now: float) -> Actions:
        """No response came, or the flow failed."""
        if request.cseq.number != self._update.cseq:
            return self._change_failed(status, now)
        return self._update_outcome(status, None, now)

    def _update_outcome(self, status: int, response: Response | None, now: float) -> Actions:
        if not self._update.is_sent:
            return NOTHING
        if status in (408, 481) and self.state is State.CONFIRMED:
            return self._step(On.LOST, now, status)
        if self._asked_too_little(status, response) or (
            _is_busy(status, response) and self._update.busy(now + self._update_wait_s(response))
        ):
            return self._send_update(now) if self._update.is_sent else NOTHING
        return self._update_over(status, response, now)

    def _asked_too_little(self, status: int, response: Response | None) -> bool:
        return bool(status == 422 and self._timer is not None and response and self._timer.raised_by(response))

    def _update_wait_s(self, response: Response | None) -> float:
        named = retry_after_s(response)
        return named or changes.retry_wait_s(self.role is Role.UAC, self._ids.fraction())

    def _update_over(self, status: int, response: Response | None, now: float) -> Actions:
        if status in (405, 501):
            self._peer_updates = False
        if status < 300 and response is not None:
            self._challenges = 0
            self._peer.refresh_target(response)
        if self._timer is not None and self._timer.is_agreed:
            if status < 300 and response is not None:
                self._timer.accepted(response, now)
            elif status in (405, 501):
                self._timer.busy(now)  # and then by re-INVITE
            else:
                self._timer.refused(now)
        told: Actions = () if self._update.is_refresh else (Tell(SessionUpdated(self._whole, status)),)
        wanted = self._update.done(now)
        return told if wanted is None else (*told, *self._ask_update(wanted, now))

    # --- the peer's -------------------------------------------------------------------------------------------

    def _update_received(self, now: float, key: Key, request: Request) -> Actions:
        if session_of(request):
            return self._change_step(changes.On.UPDATE, now, key, request)
        self._peer.refresh_target(request)
        response = response_to(
            request, 200, extra=[*self.profile.response_extra(b""), *self._agreed_again(request, now)]
        )
        return (Respond(key, response), Tell(UpdateReceived(self._whole, request)))


def _is_busy(status: int, response: Response | None) -> bool:
    return status == 491 or (status == 500 and response is not None and "retry-after" in response.headers)
