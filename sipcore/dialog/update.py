"""UPDATE without an offer, for what is not media: who the party is, a refresh, another Contact. RFC 3311, RFC 4028.

One UPDATE at a time is under way (§5.2 has the peer refuse a second one). What is asked meanwhile waits: it goes out
next, and of several only the last. A peer that is busy (491, 500 with Retry-After) is asked again, a few times.

The machine knows only when one is due; the session sends it.
"""

from enum import IntEnum

from sipcore.fsm import Ignored, Row, Table

Fields = tuple[tuple[str, str], ...]
BUSY_S = 0.5  # an offer of ours is under way: its answer takes as long as a round trip
_MOST_TRIES = 5


class State(IntEnum):
    IDLE = 0
    SENT = 1
    WAITING = 2


class On(IntEnum):
    ASK = 0
    ASK_LATER = 1
    DONE = 2
    BUSY = 3
    AGAIN = 4
    END = 5


S, I = State, On  # noqa: E741

TABLE = Table(
    "UPDATE without an offer",
    State,
    On,
    [
        Row(S.IDLE, I.ASK, S.SENT, "_go", "RFC 3311 §5.1"),
        Row(S.IDLE, I.ASK_LATER, S.WAITING, "_wait", "RFC 3311 §5.2"),
        Row(S.SENT, I.ASK, S.SENT, "_keep", "RFC 3311 §5.2"),
        Row(S.SENT, I.ASK_LATER, S.SENT, "_keep", "RFC 3311 §5.2"),
        Row(S.SENT, I.DONE, S.IDLE, "_done", "RFC 3311 §5.3"),
        Row(S.SENT, I.BUSY, S.WAITING, "_wait", "RFC 3311 §5.3"),
        Row(S.SENT, I.END, S.IDLE, "_forget", "RFC 3261 §15"),
        Row(S.WAITING, I.ASK, S.WAITING, "_replace", "RFC 3311 §5.2"),
        Row(S.WAITING, I.ASK_LATER, S.WAITING, "_replace", "RFC 3311 §5.2"),
        Row(S.WAITING, I.AGAIN, S.SENT, "_go", "RFC 3311 §5.3"),
        Row(S.WAITING, I.END, S.IDLE, "_forget", "RFC 3261 §15"),
    ],
    [
        Ignored(S.IDLE, (I.DONE, I.BUSY, I.AGAIN, I.END), "nothing is under way"),
        Ignored(S.SENT, (I.AGAIN,), "not waiting"),
        Ignored(S.WAITING, (I.DONE, I.BUSY), "copies of what was already reported"),
    ],
)


class PlainUpdate:
    """`fields` are the header fields of the UPDATE that is due or under way, `cseq` its number once it is sent."""

    __slots__ = ("_next", "_tries", "cseq", "deadline", "fields", "is_refresh", "state")

    def __init__(self) -> None:
        self.state = State.IDLE
        self.fields: Fields = ()
        self.cseq = 0
        self.is_refresh = False
        self.deadline: float | None = None
        self._next: Fields | None = None
        self._tries = 0

    @property
    def is_idle(self) -> bool:
        return self.state is State.IDLE

    @property
    def is_sent(self) -> bool:
        return self.state is State.SENT

    def ask(self, fields: Fields, now: float, *, is_possible: bool, is_refresh: bool = False) -> bool:
        """Want an UPDATE with these fields; True when it is to be sent now."""
        if self.state is State.IDLE:
            self._tries, self.is_refresh = 0, is_refresh
        return self._on(On.ASK if is_possible else On.ASK_LATER, now + BUSY_S, fields)

    def again(self, now: float, *, is_possible: bool) -> bool:
        """The wait is over: True when it is to be sent now."""
        if not is_possible:
            self.deadline = now + BUSY_S
            return False
        return self._on(On.AGAIN, now, self.fields)

    def busy(self, until: float) -> bool:
        """The peer could not just then; False when it was asked often enough."""
        self._tries += 1
        if self._tries >= _MOST_TRIES:
            return False
        self._on(On.BUSY, until, self.fields)
        return True

    def done(self, now: float) -> Fields | None:
        """There is an outcome; the fields that were asked for meanwhile, for another UPDATE."""
        self._on(On.DONE, now, ())
        wanted, self._next = self._next, None
        return wanted

    def end(self, now: float) -> None:
        self._on(On.END, now, ())

    def _on(self, on: On, at: float, fields: Fields) -> bool:
        row = TABLE.row(self.state, on)
        if row is None:
            return False
        self.state = row.to
        getattr(self, row.do)(at, fields)
        return row.do == "_go"

    def _go(self, _: float, fields: Fields) -> None:
        self.fields, self.deadline = fields, None

    def _wait(self, at: float, fields: Fields) -> None:
        wanted, self._next = self._next, None
        self.fields, self.deadline = fields if wanted is None else wanted, at

    def _keep(self, _: float, fields: Fields) -> None:
        self._next = fields

    def _replace(self, _: float, fields: Fields) -> None:
        self.fields, self.is_refresh = fields, False

    def _done(self, _: float, __: Fields) -> None:
        self.deadline = None

    def _forget(self, _: float, __: Fields) -> None:
        self.deadline = self._next = None
