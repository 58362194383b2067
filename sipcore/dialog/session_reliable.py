"""The callee's side of reliable provisional responses: RFC 3262 §3, §5. The repetition is in `reliable.py`.

Reliable is what the peer insists on, and early media where the peer can acknowledge it: its answer to the offer then
counts for good and the 2xx has none. The 2xx waits for the PRACK of a response that describes the session. An INVITE
without an offer would have to get ours in the first reliable response: it gets none, and our offer in the 2xx.
"""

from sipcore.actions import NOTHING, Actions, Respond
from sipcore.body import session_of
from sipcore.build import Extra, response_to
from sipcore.dialog import modify as changes
from sipcore.dialog import offer_answer
from sipcore.dialog.reliable import OPTION, ReliableProvisional, knows_reliable, requires_reliable
from sipcore.dialog.session_table import On
from sipcore.dialog.session_update import UpdatingSession
from sipcore.dialog.update import Fields
from sipcore.message import Request
from sipcore.transaction.keys import Key

_HIGHEST_FIRST = 2**31 - 1  # §3


class ReliableSession(UpdatingSession):
    """Provisional responses and the answer of a UAS."""

    __slots__ = ()

    def _begin_reliable(self) -> None:
        """Both sides support the extension."""
        if self._speaks_reliable and knows_reliable(self.request):
            first = 1 + int(self._ids.fraction() * (_HIGHEST_FIRST - 1))
            self._reliable = ReliableProvisional(self.flow, first)

    def _answer_on(self) -> On:
        """The answer has to wait while the description in a response of ours is not acknowledged."""
        reliable = self._reliable
        return On.ANSWER_LATER if reliable is not None and reliable.is_waiting and reliable.has_sdp else On.ANSWER

    def _send_progress(self, now: float, status: int, sdp: bytes, extra: Extra) -> Actions:
        fields = tuple((name, str(value)) for name, value in extra)
        insists = requires_reliable(self.request)
        if self._reliable is None or not (insists or sdp):
            return self._send_unreliably(status, sdp, fields)
        if not self._has_offer:
            return NOTHING if insists else self._send_unreliably(status, b"", fields)
        if self._reliable.is_waiting:
            self._reliable.say_later(status, sdp, fields, now)
            return NOTHING
        return self._send_reliably(self._reliable, status, sdp, fields, now)

    @property
    def _has_offer(self) -> bool:
        """The INVITE had the offer."""
        return bool(session_of(self.request))

    def _send_unreliably(self, status: int, sdp: bytes, fields: Fields) -> Actions:
        self._local_sdp = sdp or self._local_sdp
        if sdp and self.offers.offered:
            self.offers.on(offer_answer.On.ANSWER_SENT)
        return (Respond(self.key, self._response(self.request, status, sdp, fields)),)

    def _send_reliably(
        self, reliable: ReliableProvisional, status: int, sdp: bytes, fields: Fields, now: float
    ) -> Actions:
        if self._answered_early:
            sdp = b""  # given once, for good
        if sdp:
            self._answered_early, self._local_sdp = True, sdp
            if self.offers.offered:
                self.offers.on(offer_answer.On.ANSWER_SENT)
        reliable.rseq += 1
        extra = [("Require", OPTION), ("RSeq", reliable.rseq), *fields]
        response = self._response(self.request, status, sdp, extra)
        reliable.sent(response, now, self.profile.timers)
        return (Respond(self.key, response),)

    def _prack_received(self, now: float, key: Key, request: Request) -> Actions:
        reliable = self._reliable
        if reliable is None or not reliable.acknowledged(request, self.request.cseq.number, now):
            return (Respond(key, response_to(request, 481)),)
        return self._step(On.PRACK, now, key, request)

    def _pracked(self, now: float, key: Key, request: Request) -> Actions:
        answered = self._answer_prack(now, key, request)
        wanted = self._reliable.take_next() if self._reliable is not None else None
        return answered if wanted is None else (*answered, *self._send_progress(now, *wanted))

    def _answer_prack(self, now: float, key: Key, request: Request) -> Actions:
        """200; an offer in the PRACK is one like that of an UPDATE (§5)."""
        if session_of(request):
            return self._change_step(changes.On.UPDATE, now, key, request)
        return (Respond(key, response_to(request, 200, extra=[("Server", self.profile.agent)])),)

    def _answer_later(self, now: float, sdp: bytes, extra: Extra) -> Actions:
        self._answer_extra = tuple((name, str(value)) for name, value in extra)
        return NOTHING

    def _pracked_and_answered(self, now: float, key: Key, request: Request) -> Actions:
        return (*self._answer_prack(now, key, request), *self._send_answer(now, b"", self._answer_extra))

    def _send_answer(self, now: float, sdp: bytes, extra: Extra) -> Actions:
        if self._answered_early:
            sdp = b""
        if sdp:
            self._note_sent()
        if self._reliable is not None:
            self._reliable.final(now)
        response = self._success_response(self.request, sdp, extra, now)
        self._start_success(response, self.request, now)
        return (Respond(self.key, response),)
