"""The transaction layer: bytes and time in, bytes out (RFC 3261 §17, §18); what is above it decides about messages.

Drive it with `receive`, `flow_closed` and `on_timer`; after each, take `outgoing()` and `next_event()`, and call
`on_timer` again at `deadline()`. Everything happens inside these calls: there is no clock, socket, task or lock.
`SipStack` (sessions, subscriptions) and `SipProxy` (response contexts) stand on it.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from frozen import dataclass
from sipcore.actions import (
    AckMissing,
    Actions,
    CancelInvite,
    Finished,
    FlowFailed,
    Received,
    Send,
    SendRequest,
    TimedOut,
)
from sipcore.build import cancel_for, refusal_of
from sipcore.dialog.session_base import via_value
from sipcore.errors import DropReason, ParseError
from sipcore.events import ResponseArrived, StackEvent
from sipcore.flow import Flow
from sipcore.ids import IdSource
from sipcore.inspection import KEEPALIVES, phrase, reply_flow
from sipcore.large import LargeRequests
from sipcore.message import Request, Response
from sipcore.overload import OverloadReport, offers_overload_control, with_overload
from sipcore.parse import MalformedMessage, parse_message
from sipcore.stack_config import StackConfig
from sipcore.timers import Timed, TimerQueue
from sipcore.transaction.base import ClientBase, ServerBase, Transaction
from sipcore.transaction.client import ClientTransaction
from sipcore.transaction.invite_client import InviteClientTransaction
from sipcore.transaction.invite_server import InviteServerTransaction
from sipcore.transaction.keys import Key, client_key
from sipcore.transaction.server import ServerTransaction

Tap = Callable[[bytes, Flow, bool], None]


@dataclass(frozen=True, slots=True)
class Asker:
    """Owner of a request sent on its own; its outcome is told to the user."""

    user: object


class TransactionLayer:
    """All transactions of one process. Whoever stands on it receives requests, responses and failures by the methods
    at the end."""

    def __init__(self, config: StackConfig, ids: IdSource) -> None:
        self.config, self.ids = config, ids
        self.drops: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.tap: Tap | None = None
        self.overload: Callable[[], OverloadReport] | None = None
        self.large: LargeRequests | None = None
        self._servers: dict[Key, ServerBase] = {}
        self._clients: dict[Key, ClientBase] = {}
        self._timers = TimerQueue()
        self._outbox: list[Send] = []
        self._events: deque[StackEvent] = deque()

    # --- driving ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram, or one message of a stream."""
        if self.tap is not None:
            self.tap(data, flow, True)
        if data in KEEPALIVES:
            self.counts["keep-alive"] += 1
            return
        try:
            message = parse_message(data, self.config.limits)
        except MalformedMessage as error:
            self._malformed(error, data, flow)
            return
        if isinstance(message, Response):
            self._response(message, now)
        else:
            self._request(message, flow, now)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """The path is gone: what waits on it has failed."""
        for transaction in [t for t in (*self._clients.values(), *self._servers.values()) if t.flow == flow]:
            self._run(transaction, transaction.flow_failed(now), now)

    def on_timer(self, now: float) -> None:
        """Run everything whose moment has come."""
        while (machine := self._timers.due(now)) is not None:
            if isinstance(machine, Transaction):
                self._run(machine, machine.on_timer(now), now)
            else:
                self._machine_due(machine, now)

    def deadline(self) -> float | None:
        return self._timers.deadline()

    def outgoing(self) -> list[Send]:
        """What has to go on the wire, in order; emptied by taking it."""
        out, self._outbox = self._outbox, []
        return out

    def next_event(self) -> StackEvent | None:
        return self._events.popleft() if self._events else None

    # --- what the user asks -----------------------------------------------------------------------------------

    def send(self, request: Request, flow: Flow, now: float, *, user: object = None, patience_s: float = 0.0) -> None:
        """Send a request outside any session; its outcome comes as `ResponseArrived(user, …)`, after `patience_s` at
        the latest when that is given."""
        branch = self.ids.branch()
        request.headers.add("via", via_value(flow, branch), top=True)
        self._start_client(SendRequest(request, flow, branch), Asker(user), now, patience_s)

    def respond(self, key: Key, response: Response, now: float, *, keep: bool = True) -> None:
        """Answer a request that arrived. `keep=False` forgets it at once: for challenges (RFC 3261 §8.2.7), whose
        To tag must then come from `stateless_tag`."""
        transaction = self._servers.get(key)
        if transaction is None:
            return
        if keep:
            self._run(transaction, transaction.respond(response, now), now)
            return
        self._send(bytes(response), transaction.flow)
        transaction.deadline = None
        self._forget(transaction)

    # --- messages -----------------------------------------------------------------------------------------------

    def _malformed(self, error: MalformedMessage, data: bytes, flow: Flow) -> None:
        """Silence makes a peer retransmit, so a request gets its answer if that can reach anybody (§8.1.3, §18.3)."""
        if not error.request:
            self.drops[DropReason.BAD_RESPONSE] += 1
            return
        self.refuse(data, error, flow)

    def refuse(self, data: bytes, error: MalformedMessage, flow: Flow) -> None:
        """Answer a request that cannot be processed, or count why it is dropped."""
        if b"SIP/" not in data[:1024].upper():
            self.drops[DropReason.NOT_SIP] += 1
            return
        if data[:4].upper() == b"ACK ":
            self.drops[DropReason.BAD_ACK] += 1
            return
        response = refusal_of(error.headers, error.status, phrase(error.reason), self.ids.tag())
        if response is None:
            self.drops[DropReason.TOO_LARGE if error.status == 513 else DropReason.BAD_VIA] += 1
            return
        self.counts[f"refused {error.status}"] += 1
        self._send(bytes(response), flow)

    def stateless_tag(self, request: Request) -> str:
        """A To tag that a retransmission of the request gets again (§8.2.7)."""
        return self.ids.stable_tag(request.branch, request.call_id)

    def _response(self, response: Response, now: float) -> None:
        try:
            transaction = self._clients.get(client_key(response))
        except ParseError:
            transaction = None
        if transaction is None:
            self.drops[DropReason.STRAY_RESPONSE] += 1
            return
        if self.large is not None:
            self.large.forget(*transaction.key)
        self._run(transaction, transaction.receive(response, now), now)

    # --- transactions -----------------------------------------------------------------------------------------

    def _start_server(self, key: Key, request: Request, flow: Flow, now: float) -> ServerBase:
        source, flow = flow.remote, reply_flow(request.sent, flow)
        request.note_source(*source)
        if self.overload is not None and offers_overload_control(request):
            request.replace_via(with_overload(request.via, self.overload()))
        transaction: ServerBase
        if request.method == "INVITE":
            invite = InviteServerTransaction(key, request, flow, timers=self.config.timers)
            self._servers[key] = transaction = invite
            self._run(invite, invite.start(now), now)
        else:
            self._servers[key] = transaction = ServerTransaction(key, request, flow, timers=self.config.timers)
        return transaction

    def _start_client(self, action: SendRequest, owner: object, now: float, patience_s: float = 0.0) -> None:
        if self.large is not None:
            action = self.large.fitting(action, now)
        request, timers = action.request, self.config.timers
        if patience_s:
            timers = replace(timers, patience_s=patience_s)
        kind = InviteClientTransaction if request.method == "INVITE" else ClientTransaction
        key = (action.branch, request.method)
        transaction = self._clients[key] = kind(key, request, action.flow, owner, timers)
        self._run(transaction, transaction.start(now), now)

    def _sent_as_datagram(self, transaction: Transaction, now: float) -> bool:
        """Whether the request goes out once more, without the stream that its size had asked for (§18.1.1)."""
        if self.large is None or not isinstance(transaction, ClientBase):
            return False
        branch = transaction.key[0]
        again = self.large.failed(SendRequest(transaction.request, transaction.flow, branch), now)
        if again is None:
            return False
        successor = transaction.on(again.flow)
        self._clients[transaction.key] = successor
        self._run(successor, successor.start(now), now)
        return True

    def _cancel(self, action: CancelInvite, now: float) -> None:
        invite = self._clients.get((action.branch, "INVITE"))
        if invite is None:
            return
        extra = [("Reason", action.reason)] if action.reason else []
        cancel = cancel_for(invite.request, extra)
        self._start_client(SendRequest(cancel, invite.flow, action.branch), None, now)
        self._abandon(action.branch, now)

    def _abandon(self, branch: str, now: float) -> None:
        invite = self._clients.get((branch, "INVITE"))
        if isinstance(invite, InviteClientTransaction):
            self._run(invite, invite.abandon(now), now)

    def _run(self, transaction: Transaction, actions: Actions, now: float) -> None:
        """Carry out what a step of a transaction asked for, then keep its new deadline."""
        for action in actions:
            if isinstance(action, Send):
                self._post(action)
            elif isinstance(action, Received):
                self._deliver(transaction, action.response, now)
            elif isinstance(action, Finished):
                self._forget(transaction)
            elif isinstance(action, TimedOut):
                self._failed(transaction, 408, now)
            elif isinstance(action, FlowFailed):
                if not self._sent_as_datagram(transaction, now):
                    self._failed(transaction, 503, now)
            elif isinstance(action, AckMissing):
                self.counts["ack missing"] += 1
        if transaction.deadline != transaction.queued_at:
            self._timers.push(transaction)

    def _forget(self, transaction: Transaction) -> None:
        if isinstance(transaction, ServerBase):
            self._servers.pop(transaction.key, None)
        elif self._clients.get(transaction.key) is transaction:
            del self._clients[transaction.key]

    def _send(self, data: bytes, flow: Flow) -> None:
        self._post(Send(data, flow))

    def _post(self, action: Send) -> None:
        self._outbox.append(action)
        if self.tap is not None:
            self.tap(action.data, action.flow, False)

    def answered(self, method: str, data: bytes, response: bytes, flow: Flow) -> None:
        """A request was answered before it came here: it counts, and whoever watches sees both."""
        self.counts[method] += 1
        if self.tap is not None:
            self.tap(data, flow, True)
            self.tap(response, flow, False)

    def holds(self, key: Key) -> bool:
        """Whether a request with that key was taken: another one is a retransmission."""
        return key in self._servers

    # --- what stands on it ------------------------------------------------------------------------------------

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        """A request came; whether it belongs to a transaction is not known yet."""
        raise NotImplementedError

    def _deliver(self, transaction: Transaction, response: Response, now: float) -> None:
        """A client transaction has a response for its owner."""
        if isinstance(transaction.owner, Asker):
            self._events.append(ResponseArrived(transaction.owner.user, response.status, response))

    def _failed(self, transaction: Transaction, status: int, now: float) -> None:
        """No final response came (408), or the flow failed (503)."""
        if isinstance(transaction.owner, Asker):
            self._events.append(ResponseArrived(transaction.owner.user, status, None))

    def _machine_due(self, machine: Timed, now: float) -> None:
        """A machine of the user has reached its deadline."""
        raise NotImplementedError
