"""Transfer by the phone's own means (FEAT-11): a REFER inside a call (RFC 3515, RFC 5589 §6, §7).

The party to be transferred becomes the caller of a new call that goes on from the old one. Without consultation the
bridge with the transferor stays until the target answers; after consultation (Replaces, RFC 3891) both parties are
there already and talk at once. Whatever goes wrong, whoever is there talks to somebody again: it stays with the
transferor, or rings there once more when the transferor has hung up meanwhile (FEAT-8). Outside the office
people are transferred to mobiles of employees, and to numbers that the office allows (FEAT-10).
"""

import asyncio
from typing import TYPE_CHECKING

from media.api import LeaveRoom
from pbx.apps import run_stages
from pbx.consult import Consultation
from pbx.isolation import may_call, may_transfer_to
from pbx.numbering import wanted_number
from pbx.party import Party, PartyKind
from pbx.transfer_app import Reports, Transfer
from pbx.transfer_attended import AttendedTransfer, Conversation
from pbx.transfer_blind import BlindTransfer
from sipcore.build import response_to
from sipcore.dialog.referral import Referral
from sipcore.errors import ParseError
from sipcore.headers import Via
from sipcore.uri import SipUri, TelUri, same_host

if TYPE_CHECKING:
    from pbx.apps import App
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg
    from sipcore.events import ReferReceived
    from sipcore.message import Request

EXTENSIONS = frozenset(("norefersub", "replaces", "join", "from-change"))  # RFC 4488, RFC 3891, RFC 3911, RFC 4916


class Transfers:
    """Judges what phones ask for and starts what may be; a party takes part in one transfer at a time."""

    def __init__(self, pbx: "Pbx") -> None:
        self._pbx = pbx
        self._busy: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def refer(self, transferor: "Leg", event: "ReferReceived") -> None:
        """Answer a REFER, and follow it."""
        try:
            referral = Referral.of(event.request)
        except ParseError:
            self._refuse(event, 400)
            return
        transferee = who_talks_to(transferor)
        status = self._refusal(transferor, transferee, referral, event.request)
        if status or transferee is None:
            self._refuse(event, status)
            return
        driver = self._pbx.driver
        refer = driver.stack.accept_refer(
            event.session, event.key, event.request, driver.now(), silently=not referral.wants_reports
        )
        driver.kick()
        self._follow(Conversation(transferor, transferee), referral, Reports(self._pbx, refer))

    def send(
        self, transferor: "Leg", transferee: "Leg", number: str, instead_of: "Call | None" = None
    ) -> "Call | None":
        """Transfer at somebody else's wish, without reports: the call in which it goes on; None when one of them is
        being transferred already. `instead_of`: a call to the same number, which ends first."""
        if self._busy & {transferor.id, transferee.id}:
            return None
        return self._blind(Conversation(transferor, transferee), number, Reports(self._pbx, None), instead_of)

    def join(self, held: Conversation, consulted: Conversation) -> None:
        """Both others of two conversations of one party talk; it takes part no longer."""
        self._attended(held, consulted, Reports(self._pbx, None))

    def consult(self, mine: "Leg", other: "Leg", target: str) -> bool:
        """Let `mine` ask somebody else while `other` hears music; False when there is no such number for it, or one of
        them is being transferred already."""
        party, app = self._pbx.route(target)
        if app is None or self._pbx.draining or self._busy & {mine.id, other.id} or not self.may_call(mine, target):
            return False
        limit_s = float(self._pbx.office.features.transfer_timeout)
        consultation = Consultation(self._pbx, Conversation(mine, other), party, app, limit_s)
        call = self._pbx.new_call(party, near=mine.call)
        consultation.begin(call)
        self._pbx.run(call, consultation.run, lambda: None)
        return True

    def send_on(self, leg: "Leg", party: Party, app: "App") -> "Call":
        """One party of a conversation goes on alone, with `app`; whoever it talked to stays behind."""
        call = self._pbx.new_call(party, leg.call)
        call.begin(leg.party, stage="transfer")
        call.take(leg)
        if leg.bridge is not None:
            leg.bridge.lost(leg)
        self._pbx.services.submit(LeaveRoom(leg.media.endpoint))
        self._pbx.run(call, lambda each: run_stages(each, party, app, self._pbx), lambda: None)
        return call

    def _refusal(self, transferor: "Leg", transferee: "Leg | None", referral: Referral, request: "Request") -> int:
        """The status to refuse with, 0 to go on."""
        if transferee is None or referral.method != "INVITE":
            return 403
        if self._pbx.draining:
            return 503
        marks = {transferor.id, transferee.id}
        if referral.replaces is not None:
            consulting = self._consulting(transferor, referral)
            if consulting is None or self._joins_outside(transferee, consulting):
                return 403  # a 481 would end the dialog of the REFER (RFC 5057 §5.1)
            marks |= {leg.id for leg in (consulting, who_talks_to(consulting)) if leg is not None}
        elif not isinstance(referral.uri, SipUri | TelUri):
            return 416
        elif not self._is_ours(referral.uri, request) or not self.may_call(transferor, wanted_number(referral.uri)):
            return 403
        return 491 if self._busy & marks else 0

    def may_call(self, transferor: "Leg", number: str) -> bool:
        """Nobody reaches by a transfer whom it may not call (GRP-7), nor a number outside that is not allowed
        (FEAT-10); whoever is outside reaches nobody (FEAT-9)."""
        party, directory = transferor.party, self._pbx.directory
        if not party.is_employee or not may_transfer_to(directory, number):
            return False
        return may_call(directory, party.number, number)

    def _joins_outside(self, transferee: "Leg", consulting: "Leg") -> bool:
        """Whether two outside would talk at our expense (SEC-17), where that is not allowed."""
        target = who_talks_to(consulting)
        to = consulting.call.to if target is None else target.party
        is_outside = {transferee.party.kind, to.kind} == {PartyKind.OUTSIDE}
        return is_outside and not may_transfer_to(self._pbx.directory, to.number)

    def _consulting(self, transferor: "Leg", referral: Referral) -> "Leg | None":
        """The other leg of the same phone that the REFER names; nobody else's (RFC 3891 §5)."""
        found = self._pbx.leg_of_dialog(referral.replaces) if referral.replaces is not None else None
        if found is None or found is transferor or found.party.number != transferor.party.number:
            return None
        if who_talks_to(found) is not None:
            return found if who_talks_to(found) is not who_talks_to(transferor) else None
        return found if found.call.caller is found else None  # it rings elsewhere, or talks to an application

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

    def _follow(self, held: Conversation, referral: Referral, reports: Reports) -> None:
        consulting = self._consulting(held.mine, referral)
        target = who_talks_to(consulting) if consulting is not None else None
        if consulting is None:
            only = self._pbx.location.addressee(referral.uri) if isinstance(referral.uri, SipUri) else None
            call = self._blind(held, wanted_number(referral.uri) if only is None else only.number, reports)
            call.only = only  # RFC 5627: one phone of the number
        elif target is None:
            self._link(held.other.call, consulting.call)
            self._blind(held, consulting.call.to.number, reports, consulting.call)
        else:
            self._attended(held, Conversation(consulting, target), reports)

    def _blind(self, held: Conversation, number: str, reports: Reports, instead_of: "Call | None" = None) -> "Call":
        party, app = self._pbx.route(number)
        call = self._call(held, party, "blind" if instead_of is None else "attended")
        marks = {held.mine.id, held.other.id}
        transfer = BlindTransfer(self._pbx, *held, reports, lambda: self._free(marks), app=app, instead_of=instead_of)
        self._run(call, transfer, marks)
        return call

    def _attended(self, held: Conversation, consulted: Conversation, reports: Reports) -> None:
        self._link(held.other.call, consulted.mine.call)
        call = self._call(held, consulted.other.party, "attended")
        call.take(consulted.other, silently=True)
        marks = {leg.id for leg in (*held, *consulted)}
        transfer = AttendedTransfer(self._pbx, held, consulted, reports, lambda: self._free(marks), self._keep)
        self._run(call, transfer, marks)

    def _call(self, held: Conversation, to: Party, kind: str) -> "Call":
        call = self._pbx.new_call(to, held.other.call)
        call.transferred = kind
        call.referred_by = held.mine.party
        call.begin(held.other.party, stage="transfer")
        call.take(held.other)
        return call

    def _run(self, call: "Call", transfer: Transfer, marks: set[int]) -> None:
        self._busy |= marks
        self._pbx.run(call, transfer.run, transfer.settled)

    def _free(self, marks: set[int]) -> None:
        self._busy -= marks

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _link(self, one: "Call", consulting: "Call") -> None:
        """Two conversations become one in the history (CDR-18): the one that has rows already gives its name."""
        is_told = consulting.id != consulting.linkedid and one.id == one.linkedid
        stays, goes = (consulting, one) if is_told else (one, consulting)
        old, new = goes.linkedid, stays.linkedid
        for call in self._pbx.calls.values():
            if call.linkedid == old or call is consulting:
                call.link(new, is_consultation=call is consulting)


def who_talks_to(leg: "Leg") -> "Leg | None":
    """The other party of an answered conversation of two."""
    peer = leg.bridge.peer_of(leg) if leg.bridge is not None else None
    return peer if peer is not None and peer.is_answered and leg.is_answered else None
