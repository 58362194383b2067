"""Changing a session: re-INVITE and UPDATE with an offer, glare, retries. RFC 3261 §14, RFC 3311, RFC 6141.

At most one change is under way. When both sides start one, each refuses the other's with 491 and waits: 2.1 to 4 s
for the owner of the Call-ID, up to 2 s for the other, so that one of them goes first.
"""

from enum import IntEnum

from sipcore.fsm import Ignored, Row, Table


class State(IntEnum):
    IDLE = 0
    SENT = 1
    RECEIVED = 2
    WAITING = 3


class On(IntEnum):
    MODIFY = 0
    SUCCESS = 1
    REFUSED = 2
    PENDING = 3
    RETRY = 4
    INVITE = 5
    ACCEPT = 6
    REFUSE = 7
    CANCELLED = 8
    LOST = 9
    END = 10
    TOO_BRIEF = 11
    UPDATE = 12
    CHALLENGED = 13


S, I = State, On  # noqa: E741

TABLE = Table(
    "modification",
    State,
    On,
    [
        Row(S.IDLE, I.MODIFY, S.SENT, "_send_offer", "RFC 3261 §14.1"),
        Row(S.IDLE, I.INVITE, S.RECEIVED, "_take_offer", "RFC 3261 §14.2"),
        Row(S.IDLE, I.UPDATE, S.RECEIVED, "_take_offer", "RFC 3311 §5.2"),
        Row(S.SENT, I.SUCCESS, S.IDLE, "_modified", "RFC 3261 §14.1"),
        Row(S.SENT, I.REFUSED, S.IDLE, "_not_modified", "RFC 6141 §3.4"),
        Row(S.SENT, I.PENDING, S.WAITING, "_wait", "RFC 3261 §14.1"),
        Row(S.SENT, I.TOO_BRIEF, S.SENT, "_offer_again", "RFC 4028 §7.4"),
        Row(S.SENT, I.CHALLENGED, S.SENT, "_offer_again", "RFC 3261 §22.2"),
        Row(S.SENT, I.INVITE, S.SENT, "_glare", "RFC 3261 §14.2"),
        Row(S.SENT, I.UPDATE, S.SENT, "_glare", "RFC 3311 §5.2"),
        Row(S.SENT, I.LOST, S.IDLE, "_dialog_lost", "RFC 3261 §14.1"),
        Row(S.SENT, I.END, S.IDLE, "_abandon", "RFC 3261 §15"),
        Row(S.WAITING, I.RETRY, S.SENT, "_send_offer", "RFC 3261 §14.1"),
        Row(S.WAITING, I.INVITE, S.RECEIVED, "_give_way", "RFC 3261 §14.1"),
        Row(S.WAITING, I.UPDATE, S.RECEIVED, "_give_way", "RFC 3311 §5.3"),
        Row(S.WAITING, I.END, S.IDLE, "_wait_no_more", "RFC 3261 §15"),
        Row(S.RECEIVED, I.INVITE, S.RECEIVED, "_busy", "RFC 3261 §14.2"),
        Row(S.RECEIVED, I.UPDATE, S.RECEIVED, "_busy", "RFC 3311 §5.2"),
        Row(S.RECEIVED, I.ACCEPT, S.IDLE, "_accept", "RFC 3261 §14.2"),
        Row(S.RECEIVED, I.REFUSE, S.IDLE, "_refuse", "RFC 6141 §3.3"),
        Row(S.RECEIVED, I.CANCELLED, S.IDLE, "_withdrawn", "RFC 6141 §3.5"),
        Row(S.RECEIVED, I.END, S.IDLE, "_withdrawn", "RFC 3261 §15.1.2"),
    ],
    [
        Ignored(
            S.IDLE,
            (I.SUCCESS, I.REFUSED, I.PENDING, I.LOST, I.TOO_BRIEF, I.CHALLENGED),
            "the change was over before",
        ),
        Ignored(S.IDLE, (I.RETRY, I.CANCELLED, I.END), "nothing is under way"),
        Ignored(S.IDLE, (I.ACCEPT, I.REFUSE), "the peer withdrew its offer meanwhile"),
        Ignored(S.SENT, (I.RETRY, I.CANCELLED, I.ACCEPT, I.REFUSE), "the change under way is ours"),
        Ignored(
            S.WAITING,
            (I.SUCCESS, I.REFUSED, I.PENDING, I.LOST, I.TOO_BRIEF, I.CHALLENGED),
            "copies of what was already reported",
        ),
        Ignored(S.WAITING, (I.CANCELLED, I.ACCEPT, I.REFUSE), "the change under way is ours"),
        Ignored(
            S.RECEIVED,
            (I.SUCCESS, I.REFUSED, I.PENDING, I.LOST, I.TOO_BRIEF, I.CHALLENGED),
            "copies of what was already reported",
        ),
        Ignored(S.RECEIVED, (I.RETRY,), "given up for the peer's offer"),
    ],
)
# A second change of ours while one is under way is our own mistake: no row, LocalProtocolError.
OURS_TO_AVOID = frozenset({(S.SENT, I.MODIFY), (S.WAITING, I.MODIFY), (S.RECEIVED, I.MODIFY)})


def retry_wait_s(owner: bool, fraction: float) -> float:
    """Seconds to wait after a 491, in steps of 10 ms (§14.1); `fraction` is random in [0, 1)."""
    low, high = (2.1, 4.0) if owner else (0.0, 2.0)
    return round(low + fraction * (high - low), 2)
