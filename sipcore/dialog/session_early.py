"""The caller's side before the answer: one INVITE may make several early dialogs, one for each fork that rings.

Each has its own numbers, target and offer/answer state (RFC 3261 §13.2.2.1), and its own order of reliable responses,
each of which is acknowledged by PRACK (RFC 3262 §4). One fork is followed: the first that describes its media, until
then the first that rings. Only with it may the session change before the answer; whoever answers is followed then.
"""

from dataclasses import dataclass

from sipcore.actions import NOTHING, Actions, Respond, Tell
from sipcore.body import session_of
from sipcore.build import response_to
from sipcore.dialog import modify as changes
from sipcore.dialog import offer_answer
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.offer_answer import OfferAnswer
from sipcore.dialog.reliable import rack_for, rseq_of
from sipcore.dialog.session_reliable import ReliableSession
from sipcore.events import SessionProgress, UpdateReceived
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key

_MOST_FORKS = 32  # a peer that invents tags gets no memory of ours for them


@dataclass(slots=True)
class EarlyDialog:
    """A fork that rings. `rseq` is the number of its last reliable response, 0 before one; `remote_sdp` what it
    answered reliably."""

    dialog: Dialog
    offers: OfferAnswer
    rseq: int = 0
    remote_sdp: bytes = b""


class EarlySession(ReliableSession):
    """Provisional responses to an INVITE of ours."""

    __slots__ = ()

    @property
    def offers(self) -> OfferAnswer:
        """The offer/answer state of the session, before the answer that of the fork that is followed."""
        followed = self._early.get(self._followed) if self.dialog is None else None
        return self._offers if followed is None else followed.offers

    @property
    def _current(self) -> Dialog | None:
        followed = self._early.get(self._followed) if self.dialog is None else None
        return self.dialog if followed is None else followed.dialog

    def _dialog_with(self, tag: str) -> Dialog | None:
        """The dialog with the peer of that tag."""
        if self.dialog is not None:
            return self.dialog
        early = self._early.get(tag)
        return early.dialog if early is not None else None

    def _is_stranger(self, tag: str) -> bool:
        """Forks ring, but none of that tag."""
        return self.dialog is None and bool(self._early) and tag not in self._early and "" not in self._early

    def _progressed(self, now: float, response: Response) -> Actions:
        self._proceeding = True
        tag = response.to_tag or ""
        if response.status == 100:
            return NOTHING
        sdp = session_of(response)
        early = self._early_dialog(tag, response)
        if early is None:
            return self._tell_progress(response, b"", tag)
        self._note_peer(response)
        rseq = rseq_of(response) if self._speaks_reliable else 0
        if rseq and early.rseq and rseq != early.rseq + 1:
            return NOTHING  # a copy, or one that came before its predecessor (§4)
        acknowledged = self._acknowledge_early(early, response, rseq, sdp) if rseq else NOTHING
        self._follow(tag, has_media=bool(sdp))
        if tag != self._followed or (early.offers.agreed and sdp != early.remote_sdp):
            sdp = b""  # another fork is heard, or this one answered for good before
        self._remote_sdp = sdp or self._remote_sdp
        return (*acknowledged, *self._tell_progress(response, sdp, tag))

    def _tell_progress(self, response: Response, sdp: bytes, tag: str) -> Actions:
        return (Tell(SessionProgress(self._whole, response.status, sdp, tag)),)

    def _early_dialog(self, tag: str, response: Response) -> EarlyDialog | None:
        early = self._early.get(tag)
        if early is not None:
            early.dialog.refresh_target(response)
        elif len(self._early) < _MOST_FORKS:
            offers = OfferAnswer()
            offers.on(offer_answer.On.OFFER_SENT)
            early = self._early[tag] = EarlyDialog(Dialog.as_uac(self.request, response, self.flow), offers)
        return early

    def _acknowledge_early(self, early: EarlyDialog, response: Response, rseq: int, sdp: bytes) -> Actions:
        early.rseq = rseq
        if sdp and not early.offers.agreed:
            early.offers.on(offer_answer.On.ANSWER_RECEIVED)
            early.remote_sdp = sdp
        extra = [*rack_for(response, rseq), ("User-Agent", self.profile.agent)]
        return (self._in_dialog(early.dialog, "PRACK", extra=extra),)

    def _follow(self, tag: str, *, has_media: bool) -> None:
        if not self._followed or (has_media and not self._hears):
            self._followed, self._hears = tag, has_media

    def _confirm_dialog(self, response: Response) -> Dialog:
        """The dialog that a 2xx makes; one that was early goes on, its route set settled (RFC 3261 §13.2.2.4)."""
        confirmed = Dialog.as_uac(self.request, response, self.flow)
        early = self._early.get(response.to_tag or "")
        if early is not None:
            confirmed.local_cseq, confirmed.remote_cseq = early.dialog.local_cseq, early.dialog.remote_cseq
        return confirmed

    def _take_fork(self, response: Response, now: float) -> tuple[Actions, bytes]:
        """The fork that answered is the session. Its description is that of the 2xx, or the one given for good before
        (RFC 3261 §13.2.1): nothing when the user was told it. What was under way with another fork is over."""
        tag, sdp, over = response.to_tag or "", session_of(response), NOTHING
        early, is_followed = self._early.get(tag), tag == self._followed
        if self._followed and not is_followed:
            self._update.end(now)
            over = self._change_step(changes.On.END, now)
        if early is not None:
            self._offers = early.offers
        self.dialog = self._confirm_dialog(response)
        if self.offers.agreed:
            return over, b"" if is_followed or early is None else early.remote_sdp
        self.offers.on(offer_answer.On.ANSWER_RECEIVED)
        return over, sdp

    def _update_early(self, now: float, key: Key, request: Request) -> Actions:
        """UPDATE of a fork: an offer counts only from the one that is followed."""
        tag = request.from_tag or ""
        early = self._early.get(tag)
        if early is None:
            return (Respond(key, response_to(request, 481)),)
        early.dialog.refresh_target(request)
        if not session_of(request):
            response = response_to(request, 200, extra=self.profile.response_extra(b""))
            return (Respond(key, response), Tell(UpdateReceived(self._whole, request)))
        if tag != self._followed:
            return (Respond(key, response_to(request, 488)),)
        return self._change_step(changes.On.UPDATE, now, key, request)
