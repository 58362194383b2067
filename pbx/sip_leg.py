"""A leg's side in SIP: verbs of the leg into the session, events of the session into the leg."""

from typing import TYPE_CHECKING

from pbx.cause import ANSWERED_ELSEWHERE, CANCELLED, NOT_ENCRYPTED, UNAVAILABLE, Cause
from pbx.identity import Fields, answering, from_value
from pbx.party import Party, PartyKind
from sipcore.body import ACCEPTED
from sipcore.dialog.session_table import Role
from sipcore.events import (
    InfoDigit,
    OfferReceived,
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionEvent,
    SessionModified,
    SessionProgress,
    SessionRefreshed,
)
from sipcore.message import Request, Response
from sipcore.transport.driver import SipDriver

if TYPE_CHECKING:
    from pbx.leg import Leg
    from sipcore.dialog.session import InviteSession


DIGIT_MS = 160  # that an INFO of ours claims; when it comes the key is up again


class SipSide:
    """One INVITE session as the side of a leg. `is_outside`: it leads to a provider, which is not told who of the
    office talks."""

    __slots__ = (
        "_driver",
        "_from_may_change",
        "_is_outside",
        "_is_trusted",
        "_session",
        "_shown",
        "_stack",
        "early_tags",
    )

    def __init__(
        self, driver: SipDriver, session: "InviteSession", *, is_trusted: bool = False, is_outside: bool = False
    ) -> None:
        self._driver, self._session = driver, session
        self._is_trusted, self._is_outside = is_trusted, is_outside
        self._shown: Party | None = None
        self._from_may_change = session.role is Role.UAS and _says_from_change(session.request)
        self._stack = driver.stack
        self.early_tags: list[str] = []

    def owned_by(self, leg: "Leg") -> None:
        """What the session tells is for `leg` from now on."""
        self._session.user = leg

    @property
    def is_heard(self) -> bool:
        """The party's side has answered our INVITE, at least provisionally."""
        return self._session.is_heard

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
    def host(self) -> str:
        return self._session.flow.local[0]

    @property
    def may_modify(self) -> bool:
        return self._session.may_modify

    def show(self, party: Party) -> None:
        """Who is at the other end, for what is sent from now on."""
        self._shown = party

    def announce(self) -> bool:
        """Tell the phone at once who is at the other end (RFC 3311); False when it cannot be told like that now."""
        if self._is_outside:
            return True
        if not self._session.may_update:
            return False
        now = self._driver.now()
        self._change_from()
        self._stack.perform(self._session, self._session.update(now, extra=self._identity()), now)
        self._driver.kick()
        return True

    def answered_by(self, response: Response) -> None:
        """What the phone says of itself with its 2xx."""
        self._from_may_change = _says_from_change(response)

    def _identity(self) -> Fields:
        party = self._shown
        if self._is_outside or party is None or party.kind is PartyKind.UNKNOWN:
            return []
        return answering(party, self._session.flow.local[0], is_trusted=self._is_trusted)

    def _change_from(self) -> None:
        """Our URI in the dialog becomes that of the party behind it, where the phone can follow (RFC 4916 §4.3)."""
        dialog = self._session.dialog
        may_change = self._from_may_change and not self._is_outside
        if may_change and dialog is not None and self._shown is not None:
            dialog.local = f"{from_value(self._shown, self._session.flow.local[0])};tag={dialog.local_tag}"

    def ring(self, sdp: bytes) -> None:
        now = self._driver.now()
        progress = self._session.progress(183 if sdp else 180, now, sdp=sdp, extra=self._identity())
        self._stack.perform(self._session, progress, now)
        self._driver.kick()

    def answer(self, sdp: bytes) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.answer(sdp, now, extra=self._identity()), now)
        self._driver.kick()

    def reject(self, cause: Cause) -> None:
        now = self._driver.now()
        final = cause if cause.status >= 300 else UNAVAILABLE
        extra = [("Reason", final.reason_header)]
        if final.status == 415:
            extra += ACCEPTED
        elif final.status == 406:
            extra.append(("Warning", '399 zvon "Calls are answered with application/sdp only"'))  # RFC 4475 §3.3.8
        elif final is NOT_ENCRYPTED:
            extra.append(("Warning", '399 zvon "Audio has to be encrypted in a way that both sides know and may use"'))
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
        self._change_from()
        self._stack.perform(self._session, self._session.modify(sdp, now, extra=self._identity()), now)
        self._driver.kick()

    def accept_offer(self, sdp: bytes) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.accept_offer(sdp, now), now)
        self._driver.kick()

    def refuse_offer(self, status: int) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.refuse_offer(status, now), now)
        self._driver.kick()

    def inform(self, digit: str) -> None:
        now = self._driver.now()
        self._stack.perform(self._session, self._session.inform(now, digit, DIGIT_MS), now)
        self._driver.kick()


def _says_from_change(message: Request | Response) -> bool:
    return "from-change" in {each.strip().lower() for each in message.headers.values("supported")}


def tell(leg: "Leg", event: SessionEvent) -> None:
    """Give a leg what its session reports."""
    match event:
        case SessionProgress():
            if isinstance(leg.side, SipSide):
                leg.side.early_tags.append(event.tag)
            leg.progressed(event.sdp)
        case SessionAnswered():
            if isinstance(leg.side, SipSide):
                leg.side.answered_by(event.response)
            leg.accepted(event.sdp)
        case SessionConfirmed():
            leg.confirmed(event.sdp)
        case OfferReceived():
            leg.offered(event.sdp)
        case SessionModified():
            leg.modified(event.status, event.sdp)
        case InfoDigit():
            leg.digit_received(event.digit, by_info=True)
        case SessionRefreshed():
            leg.refreshed(event.sdp)
        case SessionEnded():
            if 300 <= event.status < 400:
                leg.redirect = event.response
            leg.hung_up(cause_of(event))


def cause_of(event: SessionEnded) -> Cause:
    """Why a session ended, as a cause."""
    if event.status == 200:
        return Cause.of_hang_up(event.reason)
    if event.status == 487:
        return ANSWERED_ELSEWHERE if "cause=200" in event.reason else CANCELLED
    return Cause.from_refusal(event.status, event.reason)
