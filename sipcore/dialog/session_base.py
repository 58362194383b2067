"""What every part of an INVITE session stands on: its state, and how its messages are made."""

from typing import TYPE_CHECKING, cast

from sipcore.actions import NOTHING, Actions, Send, SendRequest
from sipcore.auth.client import MOST_CHALLENGES, DigestClient
from sipcore.build import Extra, response_to
from sipcore.dialog import modify as changes
from sipcore.dialog import offer_answer
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.offer_answer import OfferAnswer
from sipcore.dialog.profile import SessionProfile, with_extra
from sipcore.dialog.reliable import OPTION, ReliableProvisional
from sipcore.dialog.session_table import TABLE, On, Role, State
from sipcore.dialog.session_timer import SessionTimer
from sipcore.dialog.success import SuccessRetransmission
from sipcore.dialog.update import Fields, PlainUpdate
from sipcore.flow import Flow
from sipcore.ids import IdSource
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key

if TYPE_CHECKING:
    from sipcore.dialog.session import InviteSession
    from sipcore.dialog.session_early import EarlyDialog

_CREDENTIALS = ("authorization", "proxy-authorization")


class SessionBase:
    """Fields and pieces; `user` is whatever the session's user keeps there."""

    __slots__ = (
        "_acks",
        "_answer_extra",
        "_answered_early",
        "_by_peer",
        "_cancel_reason",
        "_cancel_sent",
        "_challenges",
        "_change",
        "_change_answer",
        "_change_branch",
        "_change_cseq",
        "_change_extra",
        "_change_key",
        "_change_method",
        "_change_request",
        "_change_rseq",
        "_change_sdp",
        "_digits",
        "_early",
        "_end_reason",
        "_followed",
        "_hears",
        "_ids",
        "_local_sdp",
        "_offers",
        "_part_at",
        "_peer_updates",
        "_proceeding",
        "_refreshing",
        "_reliable",
        "_remote_sdp",
        "_retry_at",
        "_success",
        "_timer",
        "_told",
        "_update",
        "branch",
        "dialog",
        "digest",
        "flow",
        "key",
        "local_tag",
        "profile",
        "queued_at",
        "reports",
        "request",
        "role",
        "state",
        "user",
    )

    def __init__(self, role: Role, request: Request, flow: Flow, profile: SessionProfile, ids: IdSource) -> None:
        self.role, self.request, self.flow, self.profile = role, request, flow, profile
        self.state = State.CALLING if role is Role.UAC else State.INCOMING
        self.dialog: Dialog | None = None
        self._offers = OfferAnswer()
        self.user: object = None
        self.queued_at: float | None = None
        self.branch = ""
        self.key: Key = ()
        self.local_tag = ""
        self._ids = ids
        self.digest: DigestClient | None = None
        self._challenges = 0
        self._acks: dict[str, bytes] = {}
        self._told = False
        self._by_peer = True
        self._proceeding = False
        self._cancel_reason = ""
        self._cancel_sent = False
        self._end_reason: str | None = None
        self._success: SuccessRetransmission | None = None
        self._change = changes.State.IDLE
        self._change_branch = ""
        self._change_cseq = 0
        self._change_key: Key = ()
        self._change_request: Request | None = None
        self._change_sdp = self._change_answer = b""
        self._change_rseq = 0
        self._change_method = "INVITE"
        self._change_extra: Fields = ()
        self._update = PlainUpdate()
        self._peer_updates = False
        self._retry_at: float | None = None
        self._part_at: float | None = None
        self.reports = 0
        self._local_sdp = b""
        self._remote_sdp = b""
        self._refreshing = False
        self._reliable: ReliableProvisional | None = None
        self._answered_early = False
        self._answer_extra: Fields = ()
        self._digits: Fields = ()
        self._early: dict[str, EarlyDialog] = {}
        self._followed = ""
        self._hears = False
        self._timer: SessionTimer | None = None
        if profile.session_expires_s:
            self._timer = SessionTimer(profile.session_expires_s, profile.min_se_s)

    @property
    def _whole(self) -> "InviteSession":
        """This very session, for events to name."""
        return cast("InviteSession", self)

    @property
    def offers(self) -> OfferAnswer:
        """Who may offer now."""
        return self._offers

    @property
    def _current(self) -> Dialog | None:
        """The dialog in which requests of ours go out now."""
        return self.dialog

    @property
    def _peer(self) -> Dialog:
        """The same where there is one."""
        dialog = self._current
        assert dialog is not None
        return dialog

    @property
    def _speaks_reliable(self) -> bool:
        """We support reliable provisional responses (RFC 3262)."""
        return OPTION in self.profile.supported

    def _step(self, on: On, now: float, *args: object) -> Actions:
        row = TABLE.index[self.state][on] or TABLE.row(self.state, on)
        if row is None:
            return NOTHING
        self.state = row.to
        actions: Actions = getattr(self, row.do)(now, *args)
        return actions

    # --- pieces -----------------------------------------------------------------------------------------------

    def _note_sent(self) -> None:
        """Our 2xx describes the session: the answer that is owed, an offer, or the answer of the early media again."""
        if self.offers.offered:
            self.offers.on(offer_answer.On.ANSWER_SENT)
        elif not self.offers.agreed:
            self.offers.on(offer_answer.On.OFFER_SENT)

    def _start_success(self, response: Response, request: Request, now: float) -> None:
        self._success = SuccessRetransmission(bytes(response), request.cseq.number, self.flow, now, self.profile.timers)

    def _success_response(self, request: Request, sdp: bytes, extra: Extra, now: float) -> Response:
        """Our 2xx to an INVITE; the session lives for another interval from now on."""
        self._local_sdp = sdp or self._local_sdp
        return self._response(request, 200, sdp, [*self._agreed_again(request, now), *extra])

    def _agreed_again(self, request: Request, now: float) -> Extra:
        """What our 2xx says of the session timer; before the session is answered there is none."""
        waits = self.state in (State.PROCEEDING, State.INCOMING, State.ACCEPTING) and request is not self.request
        if self._timer is None or waits or request.method == "PRACK":
            return []
        return self._timer.accept(request, now)

    def _note_peer(self, message: Request | Response) -> None:
        """Note what the peer says to take (RFC 3311 §4)."""
        if "allow" in message.headers:
            self._peer_updates = "UPDATE" in (word.strip().upper() for word in message.headers.values("allow"))

    def _response(self, request: Request, status: int, sdp: bytes, extra: Extra) -> Response:
        fields = with_extra(self.profile.response_extra(sdp), extra)
        return response_to(request, status, to_tag=self.local_tag, extra=fields, body=sdp)

    def _may_prove(self, request: Request, response: Response) -> bool:
        """Whether a challenge is worth an answer (RFC 3261 §22.2)."""
        if response.status not in (401, 407) or self.digest is None or self._challenges >= MOST_CHALLENGES:
            return False
        self._challenges += 1
        return not self.digest.challenged(request, response)

    def _authorize(self, request: Request) -> None:
        """Credentials for whoever asked for them before, those of an earlier request taken off."""
        if self.digest is not None:
            for name in _CREDENTIALS:
                request.headers.remove(name)
            self.digest.authorize(request)

    def _acknowledge(self, dialog: Dialog, cseq: int) -> Send:
        """The ACK of a 2xx has the credentials of its INVITE (RFC 3261 §13.2.2.4)."""
        data = bytes(self._with_via(self._proving_as(self.request, dialog.ack(cseq))))
        self._acks[dialog.remote_tag] = data
        return Send(data, self.flow)

    def _proving_as(self, invite: Request, ack: Request) -> Request:
        """The ACK with the credentials of its INVITE."""
        for name in _CREDENTIALS if self.digest is not None else ():
            for value in invite.headers.raw(name):
                ack.headers.add(name, value)
        return ack

    def _in_dialog(
        self, dialog: Dialog, method: str, *, reason: str = "", extra: Extra = (), body: bytes = b"", owner: bool = True
    ) -> SendRequest:
        fields = [*extra, ("Reason", reason)] if reason else list(extra)
        request = dialog.request(method, extra=fields, body=body)
        self._authorize(request)
        return request_via(request, self.flow, self._ids.branch(), owner=owner)

    def _with_via(self, request: Request) -> Request:
        request.headers.add("via", via_value(self.flow, self._ids.branch()), top=True)
        return request


def via_value(flow: Flow, branch: str) -> str:
    """Our Via on a path, asking for the source port to be noted (RFC 3581 §3) and, over a connection, for requests to
    us to come the same way (RFC 5923 §5)."""
    alias = ";alias" if flow.transport in ("TCP", "TLS") else ""
    return f"SIP/2.0/{flow.transport} {flow.sent_by};branch={branch};rport{alias}"


def request_via(request: Request, flow: Flow, branch: str, *, owner: bool = True) -> SendRequest:
    """The request on its way, with a Via of ours."""
    request.headers.add("via", via_value(flow, branch), top=True)
    return SendRequest(request, flow, branch, owner)
