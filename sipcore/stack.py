"""The stack of user agents: sessions and subscriptions on the transaction layer. RFC 3261 §8, §12."""

from sipcore.actions import (
    AbandonInvite,
    Actions,
    CancelInvite,
    Finished,
    Respond,
    Send,
    SendRequest,
    Tell,
)
from sipcore.auth.client import DigestClient
from sipcore.body import session_of
from sipcore.build import response_to
from sipcore.dialog.profile import SessionProfile
from sipcore.dialog.refer import ReferSubscription, accepted
from sipcore.dialog.session import InviteSession
from sipcore.dialog.subscription import Subscription, SubscriptionPolicy
from sipcore.dialog.usages import Usage, Usages
from sipcore.errors import DropReason
from sipcore.events import (
    DocumentWanted,
    InviteArrived,
    InviteWithdrawn,
    RequestArrived,
)
from sipcore.flow import Flow
from sipcore.ids import IdSource
from sipcore.inspection import is_cancel_of, refusal
from sipcore.layer import Tap, TransactionLayer
from sipcore.message import Request, Response
from sipcore.stack_config import KNOWN_METHODS, StackConfig
from sipcore.timers import Timed
from sipcore.transaction.base import ClientBase, ServerBase, Transaction
from sipcore.transaction.invite_server import InviteServerTransaction
from sipcore.transaction.keys import Key, merge_key, server_key

__all__ = ["KNOWN_METHODS", "SipStack", "StackConfig", "Tap"]


class SipStack(TransactionLayer):
    """Transactions and sessions of one worker."""

    def __init__(self, config: StackConfig, ids: IdSource) -> None:
        super().__init__(config, ids)
        self._extensions = config.supported
        self._supported = ", ".join(sorted(self._extensions))
        self._usages = Usages()
        self._merged: dict[Key, Key] = {}

    # --- what the user asks -----------------------------------------------------------------------------------

    def profile(self, contact: str) -> SessionProfile:
        config = self.config
        return SessionProfile(
            contact, config.agent, config.timers, self._supported, config.session_expires_s, config.min_se_s
        )

    def invite(
        self,
        request: Request,
        flow: Flow,
        contact: str,
        now: float,
        *,
        user: object = None,
        digest: DigestClient | None = None,
    ) -> InviteSession:
        """Start a session with `request` (From with a tag, no Via; Contact, Allow and User-Agent are added, and the
        Content-Type of a body that has none); `digest` answers challenges of it and of what follows in its dialog."""
        profile, has_type = self.profile(contact), "content-type" in request.headers
        for name, value in profile.request_extra(session_of(request)):
            if name != "Content-Type" or not has_type:
                request.headers.add(name, value)
        session, actions = InviteSession.outgoing(request, flow, profile, self.ids, digest)
        session.user = user
        self._usages.add(session)
        self.perform(session, actions, now)
        return session

    def accept_session(self, key: Key, contact: str, *, user: object = None) -> InviteSession | None:
        """Make a session of the INVITE that arrived as `key`; None when it is gone meanwhile."""
        transaction = self._servers.get(key)
        if not isinstance(transaction, InviteServerTransaction) or not transaction.is_proceeding:
            return None
        request = transaction.request
        session = InviteSession.incoming(key, request, transaction.flow, self.profile(contact), self.ids)
        session.user = user
        transaction.owner = session
        self._usages.add(session)
        return session

    def accept_subscription(
        self,
        key: Key,
        contact: str,
        lifetime_s: int,
        policy: SubscriptionPolicy,
        now: float,
        *,
        user: object = None,
        required: str = "",
    ) -> Subscription | None:
        """Make a subscription of the SUBSCRIBE that arrived as `key` (with a readable Event); None when it is gone."""
        transaction = self._servers.get(key)
        if transaction is None:
            return None
        request = transaction.request
        found = Subscription(request, transaction.flow, contact, self.config.agent, policy, self.ids, required)
        found.user = user
        self._usages.add(found)
        self.perform(found, found.accept(key, request, lifetime_s, now), now)
        return found

    def accept_refer(
        self, session: InviteSession, key: Key, request: Request, now: float, *, silently: bool = False
    ) -> ReferSubscription | None:
        """202 to the REFER of a session; what becomes of it is told by `report_refer`, unless `silently`."""
        if silently or session.dialog is None:
            self.respond(key, accepted(request, session.profile, silently=True), now)
            return None
        refer = ReferSubscription(request, session.dialog, session.flow, session.profile, self.ids)
        self._usages.add(refer)
        session.reports += 1
        self.perform(refer, refer.accept(key, request, now), now)
        return refer

    def is_waiting_for(self, branch: str) -> bool:
        """Whether an INVITE of ours with that branch is under way."""
        return (branch, "INVITE") in self._clients

    def session_under(self, call_id: str, local_tag: str) -> InviteSession | None:
        """The session of one of our dialogs, for a Replaces that names it (RFC 3891 §3)."""
        return self._usages.session_under(call_id, local_tag)

    def report_refer(self, refer: ReferSubscription, status: int, now: float) -> None:
        """Tell the sender of a REFER how the call goes that it asked for; a final status is the last word."""
        self.perform(refer, refer.report(status, now), now)

    def perform(self, session: Usage, actions: Actions, now: float) -> None:
        """Carry out what a step of a session or subscription asked for."""
        for action in actions:
            if isinstance(action, Tell):
                self._events.append(action.event)  # type: ignore[arg-type]
            elif isinstance(action, Respond):
                transaction = self._servers.get(action.key)
                if transaction is not None:
                    self._run(transaction, transaction.respond(action.response, now), now)
            elif isinstance(action, Send):
                self._post(action)
            elif isinstance(action, SendRequest):
                self._start_client(action, session if action.owner else None, now)
            elif isinstance(action, Finished):
                self._finished(session, now)
            elif isinstance(action, CancelInvite):
                self._cancel(action, now)
            elif isinstance(action, AbandonInvite):
                self._abandon(action.branch, now)
        self._timers.push(session)

    def _finished(self, usage: Usage, now: float) -> None:
        self._usages.remove(usage)
        if isinstance(usage, ReferSubscription):
            session = self._usages.session_under(*usage.key[:2])
            if session is not None:
                self.perform(session, session.told(now), now)

    # --- machines that outlive a stack --------------------------------------------------------------------------

    def machines(self) -> list[Usage | Transaction]:
        """All that is held, for `sipcore.freeze`, in the order in which `adopt` joins them again."""
        outside = [each for each in self._servers.values() if not each.request.to_tag]
        inside = [each for each in self._servers.values() if each.request.to_tag]
        return [*outside, *self._usages.all(), *inside, *self._clients.values()]

    def adopt(self, machine: Usage | Transaction) -> None:
        """Go on with a machine of another stack: transactions and sessions find each other, in the order of
        `machines`; the user of a request outside any session is not told its outcome."""
        if isinstance(machine, Transaction):
            self._adopt_transaction(machine)
        else:
            self._adopt_usage(machine)
        self._timers.push(machine)

    def _adopt_usage(self, usage: Usage) -> None:
        self._usages.add(usage)
        if isinstance(usage, InviteSession) and usage.key in self._servers:
            self._servers[usage.key].owner = usage
        elif isinstance(usage, Subscription) and usage.is_asking:
            self._events.append(DocumentWanted(usage))
        elif isinstance(usage, ReferSubscription):
            session = self._usages.session_under(*usage.key[:2])
            if session is not None and session.dialog is not None:
                usage.dialog = session.dialog  # they number their requests together

    def _adopt_transaction(self, transaction: Transaction) -> None:
        if isinstance(transaction, ServerBase):
            self._servers[transaction.key] = transaction
            transaction.owner = self._usages.owner_of(transaction)
            if transaction.request.method != "REGISTER" and not transaction.request.to_tag:
                self._merged.setdefault(merge_key(transaction.request), transaction.key)
        elif isinstance(transaction, ClientBase):
            self._clients[transaction.key[0], transaction.key[1]] = transaction
            transaction.owner = self._usages.owner_of(transaction)

    # --- requests ---------------------------------------------------------------------------------------------

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        self.counts[request.method if request.method in KNOWN_METHODS else "other"] += 1
        key = server_key(request)
        transaction = self._servers.get(key)
        if request.method == "ACK":
            self._ack(transaction, request, now)
        elif transaction is not None:
            self._run(transaction, transaction.receive(request, now), now)
        elif request.method == "CANCEL":
            self._cancel_received(key, request, flow, now)
        else:
            self._new_request(key, request, flow, now)

    def _new_request(self, key: Key, request: Request, flow: Flow, now: float) -> None:
        status, extra = refusal(request, self.config, self._extensions)
        tag = request.to_tag
        if not status and not tag and self._is_merged(request, key):
            status = 482
        transaction = self._start_server(key, request, flow, now)
        if status:
            self.counts[f"refused {status}"] += 1
            response = response_to(request, status, to_tag=self.stateless_tag(request), extra=extra)
            self._run(transaction, transaction.respond(response, now), now)
        elif tag:
            self._in_dialog(transaction, request, now)
        elif request.method == "INVITE":
            self._events.append(InviteArrived(key, request, flow))
        else:
            self._events.append(RequestArrived(key, request, flow))

    def _is_merged(self, request: Request, key: Key) -> bool:
        """The same request came over another path of a fork (§8.2.2.2). A REGISTER may come twice: it is idempotent."""
        return request.method != "REGISTER" and self._merged.setdefault(merge_key(request), key) != key

    def _in_dialog(self, transaction: ServerBase, request: Request, now: float) -> None:
        session = self._usages.session_of(request)
        if session is None:
            subscription = self._usages.subscription_of(request)
            if subscription is not None:
                actions = subscription.receive_request(transaction.key, request, transaction.flow, now)
                self.perform(subscription, actions, now)
            elif request.method in ("INVITE", "BYE", "INFO", "UPDATE", "PRACK", "SUBSCRIBE"):
                response = response_to(request, 481)
                self._run(transaction, transaction.respond(response, now), now)
            else:
                self._events.append(RequestArrived(transaction.key, request, transaction.flow))
            return
        transaction.owner = session
        self.perform(session, session.receive_request(transaction.key, request, now), now)

    def _ack(self, transaction: ServerBase | None, ack: Request, now: float) -> None:
        if transaction is not None and transaction.owner is None:
            self._run(transaction, transaction.receive(ack, now), now)
            return
        session = self._usages.session_of(ack)
        if session is not None:
            self.perform(session, session.receive_ack(ack, now), now)
        if transaction is not None:
            self._run(transaction, transaction.receive(ack, now), now)
        elif session is None and ack.to_tag != self.stateless_tag(ack):  # not that of a challenge without memory
            self.drops[DropReason.STRAY_ACK] += 1

    def _cancel_received(self, key: Key, cancel: Request, flow: Flow, now: float) -> None:
        """§9.2: 200 to the CANCEL whatever the INVITE's state, 481 when there is none. A CANCEL is never challenged."""
        invite = self._servers.get(server_key(cancel, "INVITE"))
        if invite is not None and not is_cancel_of(cancel, invite.request):
            invite = None
        transaction = self._start_server(key, cancel, flow, now)
        status = 481 if not isinstance(invite, InviteServerTransaction) else 200
        owner = invite.owner if invite is not None else None
        tag = owner.local_tag if isinstance(owner, InviteSession) else self.stateless_tag(cancel)
        response = response_to(cancel, status, to_tag=tag)
        if not isinstance(invite, InviteServerTransaction):
            self.respond(key, response, now, keep=False)  # what is kept would swallow the right one
            return
        self._run(transaction, transaction.respond(response, now), now)
        reason = cancel.headers.get("reason") or ""
        if isinstance(owner, InviteSession):
            self.perform(owner, owner.cancelled(invite.key, reason, now), now)
        elif invite.is_proceeding:
            response = response_to(invite.request, 487, to_tag=self.stateless_tag(invite.request))
            self._run(invite, invite.respond(response, now), now)
            self._events.append(InviteWithdrawn(invite.key))

    # --- of the transaction layer -----------------------------------------------------------------------------

    def _deliver(self, transaction: Transaction, response: Response, now: float) -> None:
        owner = transaction.owner
        if isinstance(owner, Usage):
            self.perform(owner, owner.receive_response(transaction.request, response, now), now)
        else:
            super()._deliver(transaction, response, now)

    def _failed(self, transaction: Transaction, status: int, now: float) -> None:
        owner = transaction.owner
        if isinstance(owner, Usage):
            if isinstance(owner, InviteSession) and isinstance(transaction, ServerBase):
                self.perform(owner, owner.flow_failed(now), now)
            else:
                self.perform(owner, owner.request_failed(transaction.request, status, now), now)
        elif isinstance(transaction, InviteServerTransaction):
            self._events.append(InviteWithdrawn(transaction.key))
        else:
            super()._failed(transaction, status, now)

    def _machine_due(self, machine: Timed, now: float) -> None:
        assert isinstance(machine, Usage)
        self.perform(machine, machine.on_timer(now), now)

    def _forget(self, transaction: Transaction) -> None:
        super()._forget(transaction)
        request = transaction.request
        if isinstance(transaction, ServerBase) and request.method != "REGISTER" and not request.to_tag:
            merged = merge_key(request)
            if self._merged.get(merged) == transaction.key:  # a merged copy leaves the first one's entry alone
                del self._merged[merged]

    # --- live dump --------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, object]:
        """Numbers of machines by kind and state, drops by reason, requests by method."""
        return {
            "server_transactions": len(self._servers),
            "client_transactions": len(self._clients),
            **self._usages.describe(),
            "timers": len(self._timers),
            "requests": dict(self.counts),
            "dropped": dict(self.drops),
        }

    def is_idle(self) -> bool:
        """Nothing is held: no transaction, no session, nothing unsent or untold."""
        held = self._servers or self._clients or self._usages or self._merged
        return not (held or self._outbox or self._events)

    @property
    def usages_alive(self) -> int:
        """Sessions that are not over, and subscriptions whose end is still to be told."""
        return self._usages.alive
