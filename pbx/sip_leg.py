"""A leg's side in SIP: verbs of the leg into the session, events of the session into the leg."""

from typing import TYPE_CHECKING

from pbx.cause import ANSWERED_ELSEWHERE, CANCELLED, NORMAL, UNAVAILABLE, Cause
from sipcore.events import (
    OfferReceived,
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionEvent,
    SessionModified,
    SessionProgress,
    SessionRefreshed,
)
from sipcore.transport.driver import SipDriver

if TYPE_CHECKING:
    from pbx.leg import Leg
    from sipcore.dialog.session import InviteSession


class SipSide:
    """One INVITE session as the side of a leg."""

    def __init__(self, driver: SipDriver, session: "InviteSession") -> None:
        self._driver, self._session = driver, session
        self._stack = driver.stack
        self.early_tags: list[str] = []

    @property
    def sip_call_id(self) -> str:
        return self._session.request.call_id

    @property
    def tags(self) -> tuple[str, str]:
        dialog = self._session.dialog
        theirs = dialog.remote_tag if dialog is not None else next(iter(self.early_tags), "")
        return self._session.local_tag, theirs

    @property
    def peer_tags(self) -> list[str]:
        """The tags by which the phone may be known: several while its dialogs are early. A phone without one counts
        as `0` (RFC 3891 §3)."""
        dialog = self._session.dialog
        return self.early_tags if dialog is None else [dialog.remote_tag or "0"]

    @property
    def may_modify(self) -> bool:
        return self._session.may_modify

    def ring(self, sdp: bytes) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.progress(183 if sdp else 180, now, sdp=sdp), now)
        self._driver.kick()

    def answer(self, sdp: bytes) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.answer(sdp, now), now)
        self._driver.kick()

    def reject(self, cause: Cause) -> None:
        now = self._driver.now()
        final = cause if cause.status >= 300 else UNAVAILABLE
        extra = [("Reason", final.reason_header)]
        if final.status == 415:
            extra.append(("Accept", "application/sdp"))  # RFC 3261 §21.4.13
        elif final.status == 406:
            extra.append(("Warning", '399 zvon "Calls are answered with application/sdp only"'))  # RFC 4475 §3.3.8
        elif final.status == 488:  # RFC 3261 §21.4.26, §20.43
            extra.append(("Warning", '305 zvon "Audio over RTP/AVP with a codec of both sides is needed"'))
        self._stack.perform(self._session, self._session.reject(final.status, now, extra=extra), now)
        self._driver.kick()

    def end(self, cause: Cause) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.end(now, cause.reason_header), now)
        self._driver.kick()

    def modify(self, sdp: bytes) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.modify(sdp, now), now)
        self._driver.kick()

    def accept_offer(self, sdp: bytes) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.accept_offer(sdp, now), now)
        self._driver.kick()

    def refuse_offer(self, status: int) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.refuse_offer(status, now), now)
        self._driver.kick()


def tell(leg: "Leg", event: SessionEvent) -> None:
    """Give a leg what its session reports."""
    match event:
        case SessionProgress():
            if isinstance(leg.side, SipSide):
                leg.side.early_tags.append(event.tag)
            leg.progressed(event.sdp)
        case SessionAnswered():
            leg.accepted(event.sdp)
        case SessionConfirmed():
            leg.confirmed(event.sdp)
        case OfferReceived():
            leg.offered(event.sdp)
        case SessionModified():
            leg.modified(event.status, event.sdp)
        case SessionRefreshed():
            leg.refreshed(event.sdp)
        case SessionEnded():
            leg.hung_up(cause_of(event))


def cause_of(event: SessionEnded) -> Cause:
    """Why a session ended, as a cause."""
    if event.status == 200:
        return NORMAL
    if event.status == 487:
        return ANSWERED_ELSEWHERE if "cause=200" in event.reason else CANCELLED
    return Cause.from_status(event.status)
