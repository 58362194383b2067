"""The stateful proxy: RFC 3261 §16 on the transaction layer, with RFC 4320, 5393 and 6026.

A `Router` decides where requests go; everything else is here. Drive it as any transaction layer.
"""

from sipcore.actions import Actions, CancelInvite, Finished, Respond, SendRequest, Tell
from sipcore.build import response_to
from sipcore.errors import DropReason, ParseError
from sipcore.flow import Flow
from sipcore.ids import MAGIC_COOKIE, IdSource
from sipcore.layer import TransactionLayer
from sipcore.message import Request, Response
from sipcore.proxy.context import TIMER_C_S, ResponseContext
from sipcore.proxy.forward import copy_for, hops_left, loop_mark, refusal, take_own_routes
from sipcore.proxy.plan import Answer, HopFailed, Plan, Router, Verdict
from sipcore.stack_config import KNOWN_METHODS, StackConfig
from sipcore.timers import Timed
from sipcore.transaction.base import ServerBase, Transaction
from sipcore.transaction.invite_server import InviteServerTransaction
from sipcore.transaction.keys import Key, server_key
from sipcore.transaction.server import ServerTransaction, State


class SipProxy(TransactionLayer):
    """Forwards requests as `router` says. `extensions` are the option tags of Proxy-Require that it understands."""

    def __init__(
        self,
        config: StackConfig,
        ids: IdSource,
        router: Router,
        extensions: frozenset[str] = frozenset(),
        timer_c_s: float = TIMER_C_S,
    ) -> None:
        super().__init__(config, ids)
        self._router, self._extensions, self._timer_c_s = router, extensions, timer_c_s
        self._contexts: dict[Key, ResponseContext] = {}

    # --- requests ---------------------------------------------------------------------------------------------

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        self.counts[request.method if request.method in KNOWN_METHODS else "other"] += 1
        key = server_key(request)
        transaction = self._servers.get(key)
        if transaction is not None:
            self._run(transaction, transaction.receive(request, now), now)
        elif request.method == "ACK":
            self._acknowledge(request, flow)
        elif request.method == "CANCEL":
            self._cancel_received(key, request, flow, now)
        else:
            self._new_request(key, request, flow, now)

    def _new_request(self, key: Key, request: Request, flow: Flow, now: float) -> None:
        mark = loop_mark(request, self.ids)
        status, extra = refusal(request, mark, self._extensions)
        transaction = self._start_server(key, request, flow, now)
        verdict = Answer(status, extra) if status else self._decide(request, flow)
        if isinstance(verdict, Answer):
            response = response_to(request, verdict.status, to_tag=self.stateless_tag(request), extra=verdict.extra)
            self._run(transaction, transaction.respond(response, now), now)
            return
        context = ResponseContext(
            key, request, verdict, lambda: self.ids.branch() + mark, self.config.timers, self._timer_c_s
        )
        transaction.owner = self._contexts[key] = context
        self._perform(context, context.start(now), now)

    def _decide(self, request: Request, flow: Flow) -> Verdict:
        try:
            own = take_own_routes(request, self._router.is_ours)
        except ParseError as error:
            return Answer(error.status)
        return self._router.route(request, flow, own)

    def _acknowledge(self, ack: Request, flow: Flow) -> None:
        """The ACK of a 2xx belongs to no transaction and is forwarded without state (§16.11): a copy of it gets the
        same branch again."""
        mark = loop_mark(ack, self.ids)
        status, _ = refusal(ack, mark, self._extensions)
        if status or hops_left(ack) == 0:
            self.drops[DropReason.STRAY_ACK] += 1
            return
        ack.note_source(*flow.remote)
        verdict = self._decide(ack, flow)
        if not isinstance(verdict, Plan) or not verdict.groups:
            self.drops[DropReason.STRAY_ACK] += 1
            return
        hop = verdict.groups[0][0]
        branch = MAGIC_COOKIE + self.ids.stable_tag(str(ack.via), ack.call_id, str(ack.cseq.number)) + mark
        self._send(bytes(copy_for(ack, hop, branch, 1)), hop.flow)

    def _cancel_received(self, key: Key, cancel: Request, flow: Flow, now: float) -> None:
        """§16.10: 200 and a CANCEL for every branch. Nothing was ever forwarded without state, so a CANCEL for an
        unknown request finds nobody further on either and gets 481 here."""
        invite = self._servers.get(server_key(cancel, "INVITE"))
        transaction = self._start_server(key, cancel, flow, now)
        status = 200 if isinstance(invite, InviteServerTransaction) else 481
        response = response_to(cancel, status, to_tag=self.stateless_tag(cancel))
        self._run(transaction, transaction.respond(response, now), now)
        if invite is not None and isinstance(invite.owner, ResponseContext):
            context = invite.owner
            self._perform(context, context.cancelled(cancel.headers.get("reason") or "", now), now)

    # --- of the transaction layer -----------------------------------------------------------------------------

    def _deliver(self, transaction: Transaction, response: Response, now: float) -> None:
        owner = transaction.owner
        if isinstance(owner, ResponseContext):
            self._perform(owner, owner.receive(transaction.key[0], response, now), now)
        else:
            super()._deliver(transaction, response, now)

    def _failed(self, transaction: Transaction, status: int, now: float) -> None:
        owner = transaction.owner
        if not isinstance(owner, ResponseContext):
            super()._failed(transaction, status, now)
        elif isinstance(transaction, ServerBase):
            self._perform(owner, owner.cancelled("", now), now)  # nobody is left who could be told
        else:
            self._perform(owner, owner.failed(transaction.key[0], status, now), now)

    def _machine_due(self, machine: Timed, now: float) -> None:
        assert isinstance(machine, ResponseContext)
        self._perform(machine, machine.on_timer(now), now)

    def _perform(self, context: ResponseContext, actions: Actions, now: float) -> None:
        """Carry out what a step of a response context asked for."""
        for action in actions:
            match action:
                case SendRequest():
                    self._start_client(action, context, now)
                case Respond():
                    self.respond(action.key, action.response, now)
                case CancelInvite():
                    self._cancel(action, now)
                case Tell():
                    assert isinstance(action.event, HopFailed)
                    self._router.failed(action.event)
                case Finished():
                    self._finish(context)
        self._timers.push(context)

    def _finish(self, context: ResponseContext) -> None:
        """Over, perhaps without a final response (RFC 4320 §4.2): then a copy of the request begins anew."""
        self._contexts.pop(context.key, None)
        server = self._servers.get(context.key)
        if isinstance(server, ServerTransaction) and server.state in (State.TRYING, State.PROCEEDING):
            server.deadline = None
            self._forget(server)

    # --- live dump --------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, object]:
        """Numbers of machines by kind, drops by reason, requests by method."""
        return {
            "server_transactions": len(self._servers),
            "client_transactions": len(self._clients),
            "response_contexts": len(self._contexts),
            "timers": len(self._timers),
            "requests": dict(self.counts),
            "dropped": dict(self.drops),
        }

    def is_idle(self) -> bool:
        """Nothing is held, unsent or untold."""
        return not (self._servers or self._clients or self._contexts or self._outbox or self._events)

    @property
    def pending(self) -> int:
        """Requests whose final response is still to come."""
        return len(self._contexts)
