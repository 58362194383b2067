"""Provisional responses that must not get lost: the sender's side of RFC 3262.

A response is repeated from T1 on, each time after twice as long, until its PRACK comes; after 64*T1 without one the
INVITE is refused (§3). One is under way at a time; what is to be said meanwhile waits, and of several only the last
is said. Once the final response is out nothing is repeated, but a PRACK is still welcome.

The machine knows what to repeat and when; the session makes the responses.
"""

from enum import IntEnum

from sipcore.actions import FINISHED, NOTHING, Actions, Send
from sipcore.build import Extra
from sipcore.dialog.update import Fields
from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.fsm import Ignored, Row, Table
from sipcore.headers import RAck, RSeq
from sipcore.message import Message, Request, Response
from sipcore.timers import TimerConfig

OPTION = "100rel"


class State(IntEnum):
    IDLE = 0
    WAITING = 1
    QUIET = 2


class On(IntEnum):
    SENT = 0
    SAY = 1
    PRACK = 2
    REPEAT = 3
    GIVE_UP = 4
    FINAL = 5


S, I = State, On  # noqa: E741

TABLE = Table(
    "reliable provisional response",
    State,
    On,
    [
        Row(S.IDLE, I.SENT, S.WAITING, "_start", "RFC 3262 §3"),
        Row(S.WAITING, I.SAY, S.WAITING, "_keep", "RFC 3262 §3"),
        Row(S.WAITING, I.PRACK, S.IDLE, "_stop", "RFC 3262 §3"),
        Row(S.WAITING, I.REPEAT, S.WAITING, "_repeat", "RFC 3262 §3"),
        Row(S.WAITING, I.GIVE_UP, S.IDLE, "_give_up", "RFC 3262 §3"),
        Row(S.WAITING, I.FINAL, S.QUIET, "_stop", "RFC 3262 §3"),
        Row(S.QUIET, I.PRACK, S.IDLE, "_stop", "RFC 3262 §3"),
    ],
    [
        Ignored(S.IDLE, (I.SAY, I.PRACK, I.REPEAT, I.GIVE_UP, I.FINAL), "nothing is under way"),
        Ignored(S.QUIET, (I.SAY, I.REPEAT, I.GIVE_UP, I.FINAL), "the final response is out"),
    ],
)
# A second response while one is under way is our own mistake: no row, LocalProtocolError.
OURS_TO_AVOID = frozenset({(S.WAITING, I.SENT), (S.QUIET, I.SENT)})


class ReliableProvisional:
    """`rseq` numbers the response sent last; `is_known` says that the peer has acknowledged one, so that it knows the
    dialog; `has_sdp` that the one under way describes the session."""

    __slots__ = (
        "_data",
        "_flow",
        "_give_up_at",
        "_interval",
        "_next_fields",
        "_next_sdp",
        "_next_status",
        "deadline",
        "has_sdp",
        "is_known",
        "rseq",
        "state",
    )

    def __init__(self, flow: Flow, first: int) -> None:
        self._flow, self.rseq = flow, first
        self.state = State.IDLE
        self.is_known = self.has_sdp = False
        self.deadline: float | None = None
        self._data = b""
        self._interval = self._give_up_at = 0.0
        self._next_status, self._next_sdp = 0, b""
        self._next_fields: Fields = ()

    @property
    def is_waiting(self) -> bool:
        return self.state is State.WAITING

    def sent(self, response: Response, now: float, timers: TimerConfig) -> None:
        """This response, numbered `rseq`, has just been sent."""
        self._data, self.has_sdp = bytes(response), bool(response.body)
        self._interval, self._give_up_at = timers.t1, now + timers.give_up
        self._on(On.SENT, now)

    def say_later(self, status: int, sdp: bytes, fields: Fields, now: float) -> None:
        """Say this once the one under way is acknowledged; a description that waited already goes with it."""
        self._next_status, self._next_sdp, self._next_fields = status, sdp or self._next_sdp, fields
        self._on(On.SAY, now)

    def take_next(self) -> tuple[int, bytes, Fields] | None:
        """What waited to be said."""
        if not self._next_status:
            return None
        found = self._next_status, self._next_sdp, self._next_fields
        self._next_status, self._next_sdp, self._next_fields = 0, b"", ()
        return found

    def acknowledged(self, prack: Request, cseq: int, now: float) -> bool:
        """The PRACK of the response under way came; False when it is for another one, or came before."""
        try:
            rack = prack.headers.first(RAck)
        except ParseError:
            return False
        if self.state is State.IDLE or rack != RAck(self.rseq, cseq, "INVITE"):
            return False
        self.is_known = True
        self._on(On.PRACK, now)
        return True

    def final(self, now: float) -> None:
        """The final response goes out: nothing more is repeated or said."""
        self._next_status = 0
        self._on(On.FINAL, now)

    def on_timer(self, now: float) -> Actions:
        """Repeat, or FINISHED: no PRACK came."""
        if self.deadline is None or now < self.deadline:
            return NOTHING
        return self._on(On.GIVE_UP if now >= self._give_up_at else On.REPEAT, now)

    def _on(self, on: On, now: float) -> Actions:
        row = TABLE.row(self.state, on)
        if row is None:
            return NOTHING
        self.state = row.to
        actions: Actions = getattr(self, row.do)(now)
        return actions

    def _start(self, now: float) -> Actions:
        self.deadline = now + self._interval
        return NOTHING

    def _keep(self, _: float) -> Actions:
        return NOTHING

    def _stop(self, _: float) -> Actions:
        self.deadline = None
        return NOTHING

    def _repeat(self, now: float) -> Actions:
        self._interval *= 2
        self.deadline = min(now + self._interval, self._give_up_at)
        return (Send(self._data, self._flow),)

    def _give_up(self, _: float) -> Actions:
        self.deadline = None
        return (FINISHED,)


def knows_reliable(message: Message) -> bool:
    """The sender supports this extension."""
    return requires_reliable(message) or _names(message, "supported")


def requires_reliable(message: Message) -> bool:
    """The sender insists on it."""
    return _names(message, "require")


def rseq_of(response: Response) -> int:
    """The number of a reliable provisional response; 0 when it is none."""
    if not 100 < response.status < 200 or not requires_reliable(response):
        return 0
    try:
        found = response.headers.first(RSeq)
    except ParseError:
        return 0
    return found.value if found is not None else 0


def rack_for(response: Response, rseq: int) -> Extra:
    """The RAck of the PRACK for it (§7.2)."""
    return [("RAck", RAck(rseq, response.cseq.number, "INVITE"))]


def _names(message: Message, header: str) -> bool:
    return any(word.strip().lower() == OPTION for word in message.headers.values(header))
