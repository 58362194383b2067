"""Who may offer now: RFC 3264 §4 with the rules of RFC 6337.

A session has at most one offer without an answer, in either direction. The machine knows nothing of SDP.
"""

from enum import IntEnum

from sipcore.fsm import Ignored, Row, Table


class State(IntEnum):
    IDLE = 0
    LOCAL_OFFER = 1
    REMOTE_OFFER = 2
    STABLE = 3


class On(IntEnum):
    OFFER_SENT = 0
    OFFER_RECEIVED = 1
    ANSWER_SENT = 2
    ANSWER_RECEIVED = 3
    ROLLED_BACK = 4


S, I = State, On  # noqa: E741

TABLE = Table(
    "offer/answer",
    State,
    On,
    [
        Row(S.IDLE, I.OFFER_SENT, S.LOCAL_OFFER, "_noted", "RFC 3264 §5"),
        Row(S.IDLE, I.OFFER_RECEIVED, S.REMOTE_OFFER, "_noted", "RFC 3264 §6"),
        Row(S.LOCAL_OFFER, I.ANSWER_RECEIVED, S.STABLE, "_agreed", "RFC 3264 §7"),
        Row(S.LOCAL_OFFER, I.OFFER_RECEIVED, S.LOCAL_OFFER, "_glare", "RFC 3264 §4"),
        Row(S.LOCAL_OFFER, I.ROLLED_BACK, S.IDLE, "_rolled_back", "RFC 6337 §3.4"),
        Row(S.REMOTE_OFFER, I.ANSWER_SENT, S.STABLE, "_agreed", "RFC 3264 §6"),
        Row(S.REMOTE_OFFER, I.OFFER_RECEIVED, S.REMOTE_OFFER, "_glare", "RFC 3264 §4"),
        Row(S.REMOTE_OFFER, I.ROLLED_BACK, S.IDLE, "_rolled_back", "RFC 6337 §3.4"),
        Row(S.STABLE, I.OFFER_SENT, S.LOCAL_OFFER, "_noted", "RFC 3264 §8"),
        Row(S.STABLE, I.OFFER_RECEIVED, S.REMOTE_OFFER, "_noted", "RFC 3264 §8"),
    ],
    [
        Ignored(S.IDLE, (I.ANSWER_RECEIVED, I.ROLLED_BACK), "an answer without an offer means nothing"),
        Ignored(S.STABLE, (I.ANSWER_RECEIVED, I.ROLLED_BACK), "a repeated answer changes nothing (RFC 6337 §3.1.1)"),
        Ignored(S.REMOTE_OFFER, (I.ANSWER_RECEIVED,), "an answer without an offer of ours means nothing"),
    ],
)
# What only we could do wrong has no row: LocalProtocolError.
OURS_TO_AVOID = frozenset(
    {
        (S.IDLE, I.ANSWER_SENT),
        (S.LOCAL_OFFER, I.OFFER_SENT),
        (S.LOCAL_OFFER, I.ANSWER_SENT),
        (S.REMOTE_OFFER, I.OFFER_SENT),
        (S.STABLE, I.ANSWER_SENT),
    }
)


class OfferAnswer:
    """Tracks the state; `agreed` says whether a session description was ever agreed on."""

    __slots__ = ("agreed", "state")

    def __init__(self) -> None:
        self.state = State.IDLE
        self.agreed = False

    def on(self, what: On) -> bool:
        """Note an event; False when the peer offered against the rules or an answer had no offer."""
        row = TABLE.index[self.state][what] or TABLE.row(self.state, what)
        if row is None:
            return False
        self.state = row.to
        ok: bool = getattr(self, row.do)()
        return ok

    @property
    def may_offer(self) -> bool:
        return self.state in (State.IDLE, State.STABLE)

    @property
    def offered(self) -> bool:
        """The peer waits for our answer."""
        return self.state is State.REMOTE_OFFER

    def _noted(self) -> bool:
        return True

    def _agreed(self) -> bool:
        self.agreed = True
        return True

    def _glare(self) -> bool:
        return False

    def _rolled_back(self) -> bool:
        if self.agreed:
            self.state = State.STABLE
        return True
