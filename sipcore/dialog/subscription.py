"""The notifier's side of a subscription: RFC 6665 §4.2.

The machine never holds a document. When a NOTIFY is due it asks its user (`DocumentWanted`), who answers with the state
of that very moment (`document`): changes that come while a NOTIFY is under way, or sooner than `rest_s` after the last
one, become one later NOTIFY, and the last state is never lost (RFC 6446 §4). At most one NOTIFY is under way, so they
arrive in order. Every NOTIFY has full state; where `wants_full` is false, what has changed since the last one will do.
Its `version` is one higher than the last; after `resume`, much higher.

A subscription ends with a last NOTIFY (`terminated`), or without one when the subscriber does not take it.
`SubscriptionEnded` is told exactly once, and nothing after it.
"""

from enum import IntEnum
from math import ceil

from frozen import dataclass
from sipcore.actions import FINISHED, Actions, Respond, Tell
from sipcore.build import Extra, response_to
from sipcore.dialog.dialog import CSeqVerdict, Dialog
from sipcore.dialog.session_base import request_via
from sipcore.errors import ParseError
from sipcore.events import DocumentWanted, SubscriptionEnded
from sipcore.flow import Flow
from sipcore.fsm import Ignored, Row, Table
from sipcore.headers import Event, Expires, RetryAfter
from sipcore.ids import IdSource
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key


class State(IntEnum):
    ASKING = 0
    NOTIFYING = 1
    RESTING = 2
    QUIET = 3
    LAST_WAITING = 4
    LAST_ASKING = 5
    LAST_NOTIFYING = 6
    ENDED = 7


class On(IntEnum):
    REFRESH = 0
    UNSUBSCRIBE = 1
    CHANGED = 2
    END = 3
    DOCUMENT = 4
    DELIVERED = 5
    RETRY = 6
    FAILED = 7
    DUE = 8
    RESTED = 9
    EXPIRED = 10
    RESUMED = 11


S, I = State, On  # noqa: E741
_NO_NOTIFY = (I.DELIVERED, I.RETRY, I.FAILED)
_CLOSING = "the subscription is ending already"

TABLE = Table(
    "subscription (notifier)",
    State,
    On,
    [
        Row(S.ASKING, I.REFRESH, S.ASKING, "_extend", "RFC 6665 §4.2.1.1"),
        Row(S.ASKING, I.UNSUBSCRIBE, S.LAST_ASKING, "_unsubscribe", "RFC 6665 §4.2.1.4"),
        Row(S.ASKING, I.END, S.LAST_ASKING, "_close", "RFC 6665 §4.2.2"),
        Row(S.ASKING, I.DOCUMENT, S.NOTIFYING, "_notify", "RFC 6665 §4.2.2"),
        Row(S.ASKING, I.EXPIRED, S.LAST_ASKING, "_close", "RFC 6665 §4.2.1.4"),
        Row(S.ASKING, I.RESUMED, S.QUIET, "_go_on", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.REFRESH, S.NOTIFYING, "_extend_and_remember", "RFC 6665 §4.2.1.1"),
        Row(S.NOTIFYING, I.UNSUBSCRIBE, S.LAST_WAITING, "_unsubscribe", "RFC 6665 §4.2.1.4"),
        Row(S.NOTIFYING, I.CHANGED, S.NOTIFYING, "_remember", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.END, S.LAST_WAITING, "_close", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.DELIVERED, S.RESTING, "_rest", "RFC 6446 §4.1"),
        Row(S.NOTIFYING, I.RETRY, S.RESTING, "_rest_as_told", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.FAILED, S.ENDED, "_give_up", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.EXPIRED, S.LAST_WAITING, "_close", "RFC 6665 §4.2.1.4"),
        Row(S.NOTIFYING, I.RESUMED, S.QUIET, "_go_on", "RFC 6665 §4.2.2"),
        Row(S.RESTING, I.REFRESH, S.ASKING, "_extend_and_ask", "RFC 6665 §4.2.1.1"),
        Row(S.RESTING, I.UNSUBSCRIBE, S.LAST_ASKING, "_unsubscribe_and_ask", "RFC 6665 §4.2.1.4"),
        Row(S.RESTING, I.CHANGED, S.RESTING, "_remember", "RFC 6446 §4.1"),
        Row(S.RESTING, I.END, S.LAST_ASKING, "_close_and_ask", "RFC 6665 §4.2.2"),
        Row(S.RESTING, I.DUE, S.ASKING, "_ask", "RFC 6446 §4.1"),
        Row(S.RESTING, I.RESTED, S.QUIET, "_quieten", "RFC 6446 §4.1"),
        Row(S.RESTING, I.EXPIRED, S.LAST_ASKING, "_close_and_ask", "RFC 6665 §4.2.1.4"),
        Row(S.RESTING, I.RESUMED, S.QUIET, "_go_on", "RFC 6665 §4.2.2"),
        Row(S.QUIET, I.REFRESH, S.ASKING, "_extend_and_ask", "RFC 6665 §4.2.1.1"),
        Row(S.QUIET, I.UNSUBSCRIBE, S.LAST_ASKING, "_unsubscribe_and_ask", "RFC 6665 §4.2.1.4"),
        Row(S.QUIET, I.CHANGED, S.ASKING, "_ask", "RFC 6665 §4.2.2"),
        Row(S.QUIET, I.END, S.LAST_ASKING, "_close_and_ask", "RFC 6665 §4.2.2"),
        Row(S.QUIET, I.EXPIRED, S.LAST_ASKING, "_close_and_ask", "RFC 6665 §4.2.1.4"),
        Row(S.QUIET, I.RESUMED, S.QUIET, "_go_on", "RFC 6665 §4.2.2"),
        Row(S.LAST_WAITING, I.REFRESH, S.LAST_WAITING, "_over", "RFC 6665 §4.2.1.4"),
        Row(S.LAST_WAITING, I.UNSUBSCRIBE, S.LAST_WAITING, "_over", "RFC 6665 §4.2.1.4"),
        Row(S.LAST_WAITING, I.DELIVERED, S.LAST_ASKING, "_ask", "RFC 6665 §4.2.2"),
        Row(S.LAST_WAITING, I.RETRY, S.ENDED, "_give_up", "RFC 6665 §4.2.2"),
        Row(S.LAST_WAITING, I.FAILED, S.ENDED, "_give_up", "RFC 6665 §4.2.2"),
        Row(S.LAST_ASKING, I.REFRESH, S.LAST_ASKING, "_over", "RFC 6665 §4.2.1.4"),
        Row(S.LAST_ASKING, I.UNSUBSCRIBE, S.LAST_ASKING, "_over", "RFC 6665 §4.2.1.4"),
        Row(S.LAST_ASKING, I.DOCUMENT, S.LAST_NOTIFYING, "_notify", "RFC 6665 §4.2.2"),
        Row(S.LAST_NOTIFYING, I.REFRESH, S.LAST_NOTIFYING, "_over", "RFC 6665 §4.2.1.4"),
        Row(S.LAST_NOTIFYING, I.UNSUBSCRIBE, S.LAST_NOTIFYING, "_over", "RFC 6665 §4.2.1.4"),
        Row(S.LAST_NOTIFYING, I.DELIVERED, S.ENDED, "_give_up", "RFC 6665 §4.2.2"),
        Row(S.LAST_NOTIFYING, I.RETRY, S.ENDED, "_give_up", "RFC 6665 §4.2.2"),
        Row(S.LAST_NOTIFYING, I.FAILED, S.ENDED, "_give_up", "RFC 6665 §4.2.2"),
    ],
    [
        Ignored(S.ASKING, (I.CHANGED,), "the document is yet to be given"),
        Ignored(S.ASKING, _NO_NOTIFY, "no NOTIFY is under way"),
        Ignored(S.ASKING, (I.DUE, I.RESTED), "not resting"),
        Ignored(S.NOTIFYING, (I.DUE, I.RESTED), "not resting"),
        Ignored(S.RESTING, _NO_NOTIFY, "no NOTIFY is under way"),
        Ignored(S.QUIET, _NO_NOTIFY, "no NOTIFY is under way"),
        Ignored(S.QUIET, (I.DUE, I.RESTED), "not resting"),
        Ignored(S.LAST_WAITING, (I.CHANGED, I.END, I.DUE, I.RESTED, I.EXPIRED, I.RESUMED), _CLOSING),
        Ignored(S.LAST_ASKING, (I.CHANGED, I.END, I.DUE, I.RESTED, I.EXPIRED, I.RESUMED, *_NO_NOTIFY), _CLOSING),
        Ignored(S.LAST_NOTIFYING, (I.CHANGED, I.END, I.DUE, I.RESTED, I.EXPIRED, I.RESUMED), _CLOSING),
        Ignored(S.ENDED, tuple(On), "ended"),
    ],
)
# A document that was not asked for is our own mistake.
OURS_TO_AVOID = frozenset(
    (state, I.DOCUMENT) for state in (S.NOTIFYING, S.RESTING, S.QUIET, S.LAST_WAITING, S.LAST_NOTIFYING)
)


@dataclass(frozen=True, slots=True)
class SubscriptionPolicy:
    """Lifetimes, and the pause between two NOTIFYs of one subscription, in seconds."""

    min_s: int = 60
    default_s: int = 1800
    max_s: int = 3600
    rest_s: float = 0.2

    def lifetime(self, request: Request) -> int | None:
        """Seconds to grant, 0 to end it, None when the lifetime asked for is too brief (423, RFC 6665 §4.2.1.1);
        raises ParseError."""
        asked = request.headers.first(Expires)
        if asked is None:
            return self.default_s
        if 0 < asked.value < self.min_s:
            return None
        return min(asked.value, self.max_s)

    def interval(self, event: Event | None) -> float:
        """The pause that a subscriber asks for with `min-interval` (RFC 6446 §4.1), ours when it asks for less or for
        nothing that can be read; never so long that it would hear nothing during a lifetime."""
        asked = event.params.get("min-interval") if event is not None else None
        if asked is None or not asked.isascii() or not asked.isdigit() or len(asked) > 9:
            return self.rest_s
        return max(self.rest_s, float(min(int(asked), self.min_s)))


class Subscription:
    """One subscription at us. `event` is the Event value as subscribed (with its id); `interval_s` is the least time
    between two of its NOTIFYs; `user` is whatever its user keeps there; `version` counts the documents sent; `required`
    is an option tag that its documents need. `wants_full`: what the subscriber knows is nothing to build on."""

    __slots__ = (
        "_changed",
        "_expires_at",
        "_ids",
        "_reason",
        "_rest_at",
        "_retry_after_s",
        "_sent_at",
        "agent",
        "contact",
        "dialog",
        "event",
        "interval_s",
        "policy",
        "queued_at",
        "required",
        "state",
        "user",
        "version",
        "wants_full",
    )

    def __init__(
        self,
        request: Request,
        flow: Flow,
        contact: str,
        agent: str,
        policy: SubscriptionPolicy,
        ids: IdSource,
        required: str = "",
    ) -> None:
        self.dialog = Dialog.as_uas(request, ids.tag(), flow)
        self.event = request.headers.get("event") or ""
        self.contact, self.agent, self.policy, self._ids = contact, agent, policy, ids
        self.required, self.wants_full = required, True
        self.state = State.ASKING
        self.interval_s = policy.interval(request.headers.first(Event))
        self.version = 0
        self.user: object = None
        self.queued_at: float | None = None
        self._changed = False
        self._expires_at: float | None = None
        self._rest_at: float | None = None
        self._sent_at = 0.0
        self._reason, self._retry_after_s = "", 0

    # --- what the user asks -----------------------------------------------------------------------------------

    def accept(self, key: Key, request: Request, lifetime_s: int, now: float) -> Actions:
        """The first answer, then the first document is asked for. A lifetime of 0 is a fetch (§4.4.3)."""
        on = On.REFRESH if lifetime_s else On.UNSUBSCRIBE
        return (*self._step(on, now, key, request, lifetime_s), Tell(DocumentWanted(self)))

    def changed(self, now: float, *, wholly: bool = False) -> Actions:
        """What is subscribed to is different now; `wholly`: so that only full state can tell it."""
        self.wants_full = self.wants_full or wholly
        return self._step(On.CHANGED, now)

    def document(self, content_type: str, body: bytes, now: float) -> Actions:
        """The answer to `DocumentWanted`, made for `version` + 1."""
        return self._step(On.DOCUMENT, now, content_type, body)

    def resume(self, flow: Flow, now: float) -> Actions:
        """Go on in another process, on another path, from a copy that may be older than the last NOTIFYs: numbers
        continue far beyond theirs, and nothing is under way."""
        self.dialog.flow = flow
        return self._step(On.RESUMED, now)

    def end(self, now: float, reason: str, retry_after_s: int = 0) -> Actions:
        """Terminate it with a reason of §4.1.3."""
        return self._step(On.END, now, reason, retry_after_s)

    @property
    def is_asking(self) -> bool:
        """The user owes a document."""
        return self.state in (State.ASKING, State.LAST_ASKING)

    @property
    def expires_at(self) -> float | None:
        """None: it is ending."""
        return self._expires_at

    @property
    def is_ending(self) -> bool:
        return self.state >= State.LAST_WAITING

    # --- what the stack reports -------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        if self._rest_at is None or self._expires_at is None:
            return self._expires_at if self._rest_at is None else self._rest_at
        return min(self._rest_at, self._expires_at)

    def on_timer(self, now: float) -> Actions:
        if self._expires_at is not None and now >= self._expires_at:
            return self._step(On.EXPIRED, now, "timeout")
        if self._rest_at is not None and now >= self._rest_at:
            return self._step(On.DUE if self._changed else On.RESTED, now)
        return ()

    def receive_request(self, key: Key, request: Request, flow: Flow, now: float) -> Actions:
        """A SUBSCRIBE inside the dialog (§4.1.2.2, §4.1.2.3); everything else has no place there."""
        if request.method != "SUBSCRIBE":
            return self._answer(key, request, 405, [("Allow", "SUBSCRIBE, NOTIFY")])
        if self.dialog.check(request) is CSeqVerdict.OLD:
            return self._answer(key, request, 500)
        try:
            event, lifetime_s = request.headers.first(Event), self.policy.lifetime(request)
        except ParseError:
            return self._answer(key, request, 400)
        mine = Event.parse(self.event)
        if event is None or (event.package.lower(), event.id) != (mine.package.lower(), mine.id):
            return self._answer(key, request, 489, [("Allow-Events", mine.package)])
        if lifetime_s is None:
            return self._answer(key, request, 423, [("Min-Expires", self.policy.min_s)])
        self.interval_s = self.policy.interval(event)
        self.dialog.refresh_target(request)
        self.dialog.flow = flow
        return self._step(On.REFRESH if lifetime_s else On.UNSUBSCRIBE, now, key, request, lifetime_s)

    def receive_response(self, request: Request, response: Response, now: float) -> Actions:
        """The answer to a NOTIFY. Only a refusal that says when to try again leaves the subscription in place."""
        if response.status < 200:
            return ()
        if response.status < 300:
            return self._step(On.DELIVERED, now)
        try:
            later = response.headers.first(RetryAfter)
        except ParseError:
            later = None
        if later is None or response.status == 481:
            return self.request_failed(request, response.status, now)
        return self._step(On.RETRY, now, response.status, later.value)

    def request_failed(self, request: Request, status: int, now: float) -> Actions:
        """The NOTIFY was refused for good, timed out (408) or could not be sent (503)."""
        return self._step(On.FAILED, now, status)

    # --- actions of the table ---------------------------------------------------------------------------------

    def _step(self, on: On, now: float, *args: object) -> Actions:
        row = TABLE.row(self.state, on)
        if row is None:
            return ()
        self.state = row.to
        actions: Actions = getattr(self, row.do)(now, *args)
        return actions

    def _extend(self, now: float, key: Key, request: Request, lifetime_s: int) -> Actions:
        self._expires_at, self.wants_full = now + lifetime_s, True
        return self._answer(key, request, 200, [("Expires", lifetime_s)])

    def _extend_and_ask(self, now: float, key: Key, request: Request, lifetime_s: int) -> Actions:
        return (*self._extend(now, key, request, lifetime_s), *self._ask(now))

    def _extend_and_remember(self, now: float, key: Key, request: Request, lifetime_s: int) -> Actions:
        self._changed = True
        return self._extend(now, key, request, lifetime_s)

    def _unsubscribe(self, now: float, key: Key, request: Request, _: int) -> Actions:
        return (*self._answer(key, request, 200, [("Expires", 0)]), *self._close(now, "timeout"))

    def _unsubscribe_and_ask(self, now: float, key: Key, request: Request, _: int) -> Actions:
        return (*self._unsubscribe(now, key, request, 0), *self._ask(now))

    def _close(self, _: float, reason: str, retry_after_s: int = 0) -> Actions:
        self._reason, self._retry_after_s, self.wants_full = reason, retry_after_s, True
        self._expires_at = self._rest_at = None
        return ()

    def _close_and_ask(self, now: float, reason: str, retry_after_s: int = 0) -> Actions:
        return (*self._close(now, reason, retry_after_s), *self._ask(now))

    def _remember(self, _: float) -> Actions:
        self._changed = True
        return ()

    def _ask(self, _: float) -> Actions:
        self._rest_at, self._changed = None, False
        return (Tell(DocumentWanted(self)),)

    def _rest(self, now: float) -> Actions:
        self._rest_at = max(now, self._sent_at + self.interval_s)
        return ()

    def _rest_as_told(self, now: float, _: int, seconds: int) -> Actions:
        self._changed, self.wants_full, self._rest_at = True, True, now + max(1, seconds)
        return ()

    def _go_on(self, _: float) -> Actions:
        sent_since = ceil(self.policy.max_s / self.policy.rest_s) + 1  # at most: a copy is made at every refresh
        self.dialog.local_cseq += sent_since
        self.version += sent_since
        self._rest_at, self._changed, self.wants_full = None, False, True
        return ()

    def _quieten(self, _: float) -> Actions:
        self._rest_at = None
        return ()

    def _notify(self, now: float, content_type: str, body: bytes) -> Actions:
        self.version += 1
        self._sent_at, self.wants_full = now, False
        extra: list[tuple[str, object]] = [
            ("Event", self.event),
            ("Subscription-State", self._state_value(now)),
            ("Contact", self.contact),
            ("User-Agent", self.agent),
            ("Content-Type", content_type),
            *self._requirement(),
        ]
        request = self.dialog.request("NOTIFY", extra=extra, body=body)
        return (request_via(request, self.dialog.flow, self._ids.branch()),)

    def _requirement(self) -> Extra:
        return [("Require", self.required)] if self.required else []

    def _state_value(self, now: float) -> str:
        if self._expires_at is not None:
            left_s = ceil(self._expires_at - now - 0.001)  # a sum of floats may be a hair beyond the whole second
            paced = f";min-interval={self.interval_s:g}" if self.interval_s > self.policy.rest_s else ""
            return f"active;expires={max(0, left_s)}{paced}"
        later = f";retry-after={self._retry_after_s}" if self._retry_after_s else ""
        return f"terminated;reason={self._reason}{later}"

    def _give_up(self, _: float, *__: object) -> Actions:
        self._expires_at = self._rest_at = None
        return (Tell(SubscriptionEnded(self)), FINISHED)

    def _over(self, _: float, key: Key, request: Request, __: int) -> Actions:
        return self._answer(key, request, 481)

    def _answer(self, key: Key, request: Request, status: int, extra: Extra = ()) -> Actions:
        fields = [*extra, ("Server", self.agent)]
        if status < 300:
            fields += [("Contact", self.contact), *self._requirement()]
        return (Respond(key, response_to(request, status, to_tag=self.dialog.local_tag, extra=fields)),)
