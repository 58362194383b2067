"""The implicit subscription of a REFER inside a session: RFC 3515 §2.4.4, RFC 4488, RFC 6665 §4.2.2.

Whoever accepts a REFER owes its sender the outcome: NOTIFYs with a piece of the response (message/sipfrag, RFC 3420),
the first at once (100), the last one `terminated`. At most one NOTIFY is under way, so they arrive in order; a report
that comes meanwhile waits, and a later one takes its place. The usage outlives the session: the sender may hang up and
still be told (RFC 5057 §4.1). A NOTIFY that is refused ends it quietly.
"""

from enum import IntEnum
from math import ceil

from sipcore.actions import FINISHED, NOTHING, Actions, Respond
from sipcore.build import Extra, reason_phrase, response_to
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.profile import SessionProfile
from sipcore.dialog.session_base import request_via
from sipcore.flow import Flow
from sipcore.fsm import Ignored, Row, Table
from sipcore.ids import IdSource
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key

LIFETIME_S = 660.0  # longer than the longest ringing
SIPFRAG = "message/sipfrag;version=2.0"


class State(IntEnum):
    NOTIFYING = 0
    MORE_WAITS = 1
    LAST_WAITS = 2
    QUIET = 3
    LAST_SENT = 4
    ENDED = 5


class On(IntEnum):
    REPORT = 0
    FINAL = 1
    DELIVERED = 2
    FAILED = 3
    EXPIRED = 4


S, I = State, On  # noqa: E741

TABLE = Table(
    "REFER subscription",
    State,
    On,
    [
        Row(S.NOTIFYING, I.REPORT, S.MORE_WAITS, "_keep", "RFC 3515 §2.4.4"),
        Row(S.NOTIFYING, I.FINAL, S.LAST_WAITS, "_keep_last", "RFC 3515 §2.4.7"),
        Row(S.NOTIFYING, I.DELIVERED, S.QUIET, "_rest", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.FAILED, S.ENDED, "_finish", "RFC 6665 §4.2.2"),
        Row(S.NOTIFYING, I.EXPIRED, S.LAST_WAITS, "_expire", "RFC 3515 §2.4.4"),
        Row(S.MORE_WAITS, I.REPORT, S.MORE_WAITS, "_keep", "RFC 3515 §2.4.4"),
        Row(S.MORE_WAITS, I.FINAL, S.LAST_WAITS, "_keep_last", "RFC 3515 §2.4.7"),
        Row(S.MORE_WAITS, I.DELIVERED, S.NOTIFYING, "_notify", "RFC 3515 §2.4.4"),
        Row(S.MORE_WAITS, I.FAILED, S.ENDED, "_finish", "RFC 6665 §4.2.2"),
        Row(S.MORE_WAITS, I.EXPIRED, S.LAST_WAITS, "_expire", "RFC 3515 §2.4.4"),
        Row(S.LAST_WAITS, I.DELIVERED, S.LAST_SENT, "_notify_last", "RFC 3515 §2.4.7"),
        Row(S.LAST_WAITS, I.FAILED, S.ENDED, "_finish", "RFC 6665 §4.2.2"),
        Row(S.QUIET, I.REPORT, S.NOTIFYING, "_report", "RFC 3515 §2.4.4"),
        Row(S.QUIET, I.FINAL, S.LAST_SENT, "_report_last", "RFC 3515 §2.4.7"),
        Row(S.QUIET, I.EXPIRED, S.LAST_SENT, "_expire_now", "RFC 3515 §2.4.4"),
        Row(S.LAST_SENT, I.DELIVERED, S.ENDED, "_finish", "RFC 6665 §4.2.2"),
        Row(S.LAST_SENT, I.FAILED, S.ENDED, "_finish", "RFC 6665 §4.2.2"),
    ],
    [
        Ignored(S.LAST_WAITS, (I.REPORT, I.FINAL, I.EXPIRED), "the outcome is known already"),
        Ignored(S.QUIET, (I.DELIVERED, I.FAILED), "no NOTIFY is under way"),
        Ignored(S.LAST_SENT, (I.REPORT, I.FINAL, I.EXPIRED), "the outcome is told already"),
        Ignored(S.ENDED, tuple(On), "ended"),
    ],
)


class ReferSubscription:
    """One accepted REFER. `id` is its CSeq number, which every NOTIFY names (RFC 3515 §2.4.6)."""

    __slots__ = ("_ids", "_reason", "_status", "deadline", "dialog", "flow", "id", "profile", "queued_at", "state")

    def __init__(self, request: Request, dialog: Dialog, flow: Flow, profile: SessionProfile, ids: IdSource) -> None:
        self.id = request.cseq.number
        self.dialog, self.flow, self.profile, self._ids = dialog, flow, profile, ids
        self.state = State.NOTIFYING
        self.deadline: float | None = None
        self.queued_at: float | None = None
        self._status, self._reason = 100, ""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.dialog.call_id, self.dialog.local_tag, self.id

    @property
    def event(self) -> str:
        return f"refer;id={self.id}"

    def accept(self, key: Key, request: Request, now: float) -> Actions:
        """202, and the NOTIFY that must follow it at once."""
        self.deadline = now + LIFETIME_S
        return (Respond(key, accepted(request, self.profile)), *self._notify(now))

    def report(self, status: int, now: float) -> Actions:
        """Pass on a response of the party that was referred to; a final one ends the subscription."""
        return self._step(On.FINAL if status >= 200 else On.REPORT, now, status)

    def on_timer(self, now: float) -> Actions:
        self.deadline = None
        return self._step(On.EXPIRED, now)

    def receive_response(self, _: Request, response: Response, now: float) -> Actions:
        """The answer to a NOTIFY; whatever is not 2xx ends the subscription."""
        if response.status < 200:
            return NOTHING
        return self._step(On.DELIVERED if response.status < 300 else On.FAILED, now)

    def request_failed(self, _: Request, __: int, now: float) -> Actions:
        """No answer to a NOTIFY came, or the flow failed."""
        return self._step(On.FAILED, now)

    # --- actions of the table ---------------------------------------------------------------------------------

    def _step(self, on: On, now: float, *args: int) -> Actions:
        row = TABLE.row(self.state, on)
        if row is None:
            return NOTHING
        self.state = row.to
        actions: Actions = getattr(self, row.do)(now, *args)
        return actions

    def _keep(self, _: float, status: int) -> Actions:
        self._status = status
        return NOTHING

    def _keep_last(self, _: float, status: int) -> Actions:
        self._status, self._reason, self.deadline = status, "noresource", None
        return NOTHING

    def _expire(self, _: float) -> Actions:
        self._reason = "timeout"
        return NOTHING

    def _expire_now(self, now: float) -> Actions:
        return (*self._expire(now), *self._notify(now))

    def _rest(self, _: float) -> Actions:
        return NOTHING

    def _report(self, now: float, status: int) -> Actions:
        return (*self._keep(now, status), *self._notify(now))

    def _report_last(self, now: float, status: int) -> Actions:
        return (*self._keep_last(now, status), *self._notify(now))

    def _notify_last(self, now: float) -> Actions:
        return self._notify(now)

    def _finish(self, _: float) -> Actions:
        self.deadline = None
        return (FINISHED,)

    def _notify(self, now: float) -> Actions:
        request = self.dialog.request("NOTIFY", extra=self._headers(now), body=self._fragment())
        return (request_via(request, self.flow, self._ids.branch()),)

    def _headers(self, now: float) -> Extra:
        if self._reason or self.deadline is None:
            state = f"terminated;reason={self._reason}"
        else:
            state = f"active;expires={max(1, ceil(self.deadline - now))}"
        return [
            ("Event", self.event),
            ("Subscription-State", state),
            ("Contact", self.profile.contact),
            ("User-Agent", self.profile.agent),
            ("Content-Type", SIPFRAG),
        ]

    def _fragment(self) -> bytes:
        return f"SIP/2.0 {self._status} {reason_phrase(self._status)}\r\n".encode()


def accepted(request: Request, profile: SessionProfile, *, silently: bool = False) -> Response:
    """The 202 to a REFER; `silently` makes no subscription (RFC 4488 §4)."""
    extra: list[tuple[str, object]] = [("Contact", profile.contact), ("Server", profile.agent)]
    if silently:
        extra.append(("Refer-Sub", "false"))
    return response_to(request, 202, extra=extra)
