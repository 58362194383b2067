"""The states of an INVITE session and every step between them (the essay is in `session.py`)."""

from enum import IntEnum

from sipcore.fsm import Ignored, Row, Table


class Role(IntEnum):
    """Who sent the INVITE that made the session."""

    UAC = 0
    UAS = 1


class State(IntEnum):
    CALLING = 0
    PROCEEDING = 1
    CANCELLING = 2
    INCOMING = 3
    ACCEPTING = 4
    ANSWERED = 5
    CONFIRMED = 6
    PARTING = 7
    ENDING = 8
    ENDED = 9


class On(IntEnum):
    PROVISIONAL = 0
    SUCCESS = 1
    FAILURE = 2
    CANCELLED = 3
    ACK = 4
    BYE = 5
    PROGRESS = 6
    ANSWER = 7
    REJECT = 8
    END = 9
    ACK_MISSING = 10
    BYE_DONE = 11
    FLOW_FAILED = 12
    LOST = 13
    INVITE = 14
    TOO_BRIEF = 15
    UPDATE = 16
    PRACK = 17
    ANSWER_LATER = 18
    UNPRACKED = 19
    CHALLENGED = 20
    END_LATER = 21
    TOLD = 22


S, I = State, On  # noqa: E741
_LATE = "the session is past that point"
_STAYS = "nobody has hung up because of it"
_NOT_UAC = (I.ACK, I.ACK_MISSING, I.BYE_DONE, I.CANCELLED, I.FLOW_FAILED, I.LOST, I.PRACK, I.UNPRACKED)

TABLE = Table(
    "INVITE session",
    State,
    On,
    [
        Row(S.CALLING, I.PROVISIONAL, S.PROCEEDING, "_progressed", "RFC 3261 §13.2.2.1"),
        Row(S.CALLING, I.SUCCESS, S.CONFIRMED, "_answered", "RFC 3261 §13.2.2.4"),
        Row(S.CALLING, I.FAILURE, S.ENDED, "_refused", "RFC 3261 §13.2.2.3"),
        Row(S.CALLING, I.TOO_BRIEF, S.CALLING, "_ask_longer_again", "RFC 4028 §7.4"),
        Row(S.CALLING, I.CHALLENGED, S.CALLING, "_prove", "RFC 3261 §22.2"),
        Row(S.CALLING, I.END, S.CANCELLING, "_cancel_later", "RFC 3261 §9.1"),
        Row(S.CALLING, I.BYE, S.CANCELLING, "_bye_too_early", "RFC 3261 §15"),
        Row(S.CALLING, I.INVITE, S.CALLING, "_glare", "RFC 3261 §14.2"),
        Row(S.CALLING, I.UPDATE, S.CALLING, "_over", "RFC 3261 §12.2.2"),
        Row(S.PROCEEDING, I.PROVISIONAL, S.PROCEEDING, "_progressed", "RFC 3261 §13.2.2.1"),
        Row(S.PROCEEDING, I.SUCCESS, S.CONFIRMED, "_answered", "RFC 3261 §13.2.2.4"),
        Row(S.PROCEEDING, I.FAILURE, S.ENDED, "_refused", "RFC 3261 §13.2.2.3"),
        Row(S.PROCEEDING, I.TOO_BRIEF, S.CALLING, "_ask_longer_again", "RFC 4028 §7.4"),
        Row(S.PROCEEDING, I.CHALLENGED, S.CALLING, "_prove", "RFC 3261 §22.2"),
        Row(S.PROCEEDING, I.END, S.CANCELLING, "_cancel_now", "RFC 3261 §9.1"),
        Row(S.PROCEEDING, I.BYE, S.CANCELLING, "_bye_too_early", "RFC 3261 §15"),
        Row(S.PROCEEDING, I.INVITE, S.PROCEEDING, "_glare", "RFC 3261 §14.2"),
        Row(S.PROCEEDING, I.UPDATE, S.PROCEEDING, "_update_early", "RFC 3311 §5.2"),
        Row(S.CANCELLING, I.PROVISIONAL, S.CANCELLING, "_cancel_due", "RFC 3261 §9.1"),
        Row(S.CANCELLING, I.SUCCESS, S.ENDING, "_answered_too_late", "RFC 3261 §9.1"),
        Row(S.CANCELLING, I.FAILURE, S.ENDED, "_refused", "RFC 3261 §9.1"),
        Row(S.CANCELLING, I.TOO_BRIEF, S.ENDED, "_refused", "RFC 3261 §9.1"),
        Row(S.CANCELLING, I.CHALLENGED, S.ENDED, "_refused", "RFC 3261 §9.1"),
        Row(S.CANCELLING, I.BYE, S.CANCELLING, "_bye_again", "RFC 3261 §15"),
        Row(S.CANCELLING, I.INVITE, S.CANCELLING, "_glare", "RFC 3261 §14.2"),
        Row(S.CANCELLING, I.UPDATE, S.CANCELLING, "_over", "RFC 3261 §12.2.2"),
        Row(S.INCOMING, I.CANCELLED, S.ENDED, "_cancelled", "RFC 3261 §9.2"),
        Row(S.INCOMING, I.BYE, S.ENDED, "_bye_before_answer", "RFC 3261 §15.1.2"),
        Row(S.INCOMING, I.PROGRESS, S.INCOMING, "_send_progress", "RFC 3261 §13.3.1.1"),
        Row(S.INCOMING, I.ANSWER, S.ANSWERED, "_send_answer", "RFC 3261 §13.3.1.4"),
        Row(S.INCOMING, I.REJECT, S.ENDED, "_send_refusal", "RFC 3261 §13.3.1.3"),
        Row(S.INCOMING, I.FLOW_FAILED, S.ENDED, "_undeliverable", "RFC 3261 §17.2.4"),
        Row(S.INCOMING, I.INVITE, S.INCOMING, "_busy", "RFC 3261 §14.2"),
        Row(S.INCOMING, I.UPDATE, S.INCOMING, "_update_received", "RFC 3311 §5.2"),
        Row(S.INCOMING, I.PRACK, S.INCOMING, "_pracked", "RFC 3262 §3"),
        Row(S.INCOMING, I.UNPRACKED, S.ENDED, "_never_pracked", "RFC 3262 §3"),
        Row(S.INCOMING, I.ANSWER_LATER, S.ACCEPTING, "_answer_later", "RFC 3262 §3"),
        Row(S.ACCEPTING, I.PRACK, S.ANSWERED, "_pracked_and_answered", "RFC 3262 §3"),
        Row(S.ACCEPTING, I.UNPRACKED, S.ENDED, "_never_pracked", "RFC 3262 §3"),
        Row(S.ACCEPTING, I.CANCELLED, S.ENDED, "_cancelled", "RFC 3261 §9.2"),
        Row(S.ACCEPTING, I.BYE, S.ENDED, "_bye_before_answer", "RFC 3261 §15.1.2"),
        Row(S.ACCEPTING, I.END, S.ENDED, "_take_back", "RFC 3261 §13.3.1.3"),
        Row(S.ACCEPTING, I.FLOW_FAILED, S.ENDED, "_undeliverable", "RFC 3261 §17.2.4"),
        Row(S.ACCEPTING, I.INVITE, S.ACCEPTING, "_busy", "RFC 3261 §14.2"),
        Row(S.ACCEPTING, I.UPDATE, S.ACCEPTING, "_update_received", "RFC 3311 §5.2"),
        Row(S.ANSWERED, I.PRACK, S.ANSWERED, "_answer_prack", "RFC 3262 §3"),
        Row(S.ANSWERED, I.ACK, S.CONFIRMED, "_acknowledged", "RFC 3261 §13.3.1.4"),
        Row(S.ANSWERED, I.BYE, S.ENDED, "_bye", "RFC 3261 §15.1.2"),
        Row(S.ANSWERED, I.END, S.ANSWERED, "_end_after_ack", "RFC 3261 §15"),
        Row(S.ANSWERED, I.ACK_MISSING, S.ENDING, "_unacknowledged", "RFC 3261 §13.3.1.4"),
        Row(S.ANSWERED, I.INVITE, S.ANSWERED, "_invited_again", "RFC 5407 §3.1.4"),
        Row(S.ANSWERED, I.UPDATE, S.ANSWERED, "_update_received", "RFC 3311 §5.2"),
        Row(S.CONFIRMED, I.SUCCESS, S.CONFIRMED, "_answered_again", "RFC 3261 §13.2.2.4"),
        Row(S.CONFIRMED, I.ACK, S.CONFIRMED, "_acknowledged", "RFC 3261 §14.2"),
        Row(S.CONFIRMED, I.BYE, S.ENDED, "_bye", "RFC 3261 §15.1.2"),
        Row(S.CONFIRMED, I.END, S.ENDING, "_send_bye", "RFC 3261 §15.1.1"),
        Row(S.CONFIRMED, I.END_LATER, S.PARTING, "_part", "RFC 3515 §2.4.4"),
        Row(S.CONFIRMED, I.ACK_MISSING, S.ENDING, "_unacknowledged", "RFC 3261 §14.2"),
        Row(S.CONFIRMED, I.LOST, S.ENDING, "_lost", "RFC 3261 §12.2.1.2"),
        Row(S.CONFIRMED, I.INVITE, S.CONFIRMED, "_invited_again", "RFC 3261 §14.2"),
        Row(S.CONFIRMED, I.UPDATE, S.CONFIRMED, "_update_received", "RFC 3311 §5.2"),
        Row(S.CONFIRMED, I.PRACK, S.CONFIRMED, "_answer_prack", "RFC 3262 §3"),
        Row(S.PARTING, I.TOLD, S.ENDING, "_part_now", "RFC 3515 §2.4.4"),
        Row(S.PARTING, I.BYE, S.ENDED, "_bye", "RFC 3261 §15.1.2"),
        Row(S.PARTING, I.SUCCESS, S.PARTING, "_answered_again", "RFC 3261 §13.2.2.4"),
        Row(S.PARTING, I.INVITE, S.PARTING, "_over", "RFC 3261 §12.2.2"),
        Row(S.PARTING, I.UPDATE, S.PARTING, "_over", "RFC 3261 §12.2.2"),
        Row(S.PARTING, I.PRACK, S.PARTING, "_over", "RFC 3262 §3"),
        Row(S.ENDING, I.BYE, S.ENDING, "_bye_again", "RFC 5407 §3.2.1"),
        Row(S.ENDING, I.BYE_DONE, S.ENDED, "_bye_done", "RFC 3261 §15.1.1"),
        Row(S.ENDING, I.SUCCESS, S.ENDING, "_answered_again", "RFC 3261 §13.2.2.4"),
        Row(S.ENDING, I.INVITE, S.ENDING, "_over", "RFC 5407 §3.2.2"),
        Row(S.ENDING, I.UPDATE, S.ENDING, "_over", "RFC 3261 §12.2.2"),
        Row(S.ENDING, I.PRACK, S.ENDING, "_over", "RFC 3262 §3"),
        Row(S.ENDED, I.SUCCESS, S.ENDED, "_answered_again", "RFC 3261 §13.2.2.4"),
        Row(S.ENDED, I.INVITE, S.ENDED, "_over", "RFC 5407 §3.2.2"),
        Row(S.ENDED, I.UPDATE, S.ENDED, "_over", "RFC 3261 §12.2.2"),
        Row(S.ENDED, I.PRACK, S.ENDED, "_over", "RFC 3262 §3"),
    ],
    [
        Ignored(S.CALLING, _NOT_UAC, "the INVITE is ours, and no dialog is confirmed"),
        Ignored(S.PROCEEDING, _NOT_UAC, "the INVITE is ours, and no dialog is confirmed"),
        Ignored(S.CANCELLING, _NOT_UAC, "the INVITE is ours, and no dialog is confirmed"),
        Ignored(S.CANCELLING, (I.END,), "being cancelled already"),
        *(
            Ignored(state, (I.TOLD,), _STAYS)
            for state in (S.CALLING, S.PROCEEDING, S.CANCELLING, S.INCOMING, S.ACCEPTING, S.ANSWERED, S.CONFIRMED)
        ),
        Ignored(S.INCOMING, (I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.TOO_BRIEF, I.CHALLENGED), "the INVITE is not ours"),
        Ignored(S.INCOMING, (I.ACK, I.ACK_MISSING, I.BYE_DONE, I.LOST), "no final response is out"),
        Ignored(
            S.ACCEPTING, (I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.TOO_BRIEF, I.CHALLENGED), "the INVITE is not ours"
        ),
        Ignored(S.ACCEPTING, (I.ACK, I.ACK_MISSING, I.BYE_DONE, I.LOST), "no final response is out"),
        Ignored(S.ANSWERED, (I.UNPRACKED,), _LATE),
        Ignored(S.ANSWERED, (I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.TOO_BRIEF, I.CHALLENGED), "the INVITE is not ours"),
        Ignored(S.ANSWERED, (I.CANCELLED,), "too late: the 2xx is out (RFC 3261 §9.2)"),
        Ignored(S.ANSWERED, (I.BYE_DONE, I.LOST), "nothing of ours is under way"),
        Ignored(S.ANSWERED, (I.FLOW_FAILED,), "the 2xx is repeated, over another connection if need be"),
        Ignored(S.CONFIRMED, (I.PROVISIONAL, I.FAILURE, I.TOO_BRIEF, I.CHALLENGED, I.CANCELLED, I.BYE_DONE), _LATE),
        Ignored(S.CONFIRMED, (I.UNPRACKED,), _LATE),
        Ignored(S.CONFIRMED, (I.FLOW_FAILED,), "a session outlives its connection (RFC 3261 §18)"),
        Ignored(
            S.PARTING, (I.PROVISIONAL, I.FAILURE, I.TOO_BRIEF, I.CHALLENGED, I.CANCELLED, I.ACK, I.ACK_MISSING), _LATE
        ),
        Ignored(S.PARTING, (I.BYE_DONE, I.FLOW_FAILED, I.LOST, I.UNPRACKED), _LATE),
        Ignored(S.PARTING, (I.END, I.END_LATER), "hung up already"),
        Ignored(
            S.ENDING, (I.PROVISIONAL, I.FAILURE, I.TOO_BRIEF, I.CHALLENGED, I.CANCELLED, I.ACK, I.ACK_MISSING), _LATE
        ),
        Ignored(S.ENDING, (I.FLOW_FAILED, I.LOST, I.UNPRACKED), _LATE),
        Ignored(S.ENDING, (I.END, I.END_LATER, I.TOLD), "ending already"),
        Ignored(S.ENDED, tuple(on for on in On if on not in (On.SUCCESS, On.INVITE, On.UPDATE, On.PRACK)), "ended"),
    ],
)
# Answering or refusing what cannot be answered is our own mistake: no row, LocalProtocolError.
OURS_TO_AVOID = frozenset(
    {(S.INCOMING, I.END)}
    | {
        (state, on)
        for state in (S.CALLING, S.PROCEEDING, S.CANCELLING, S.ACCEPTING, S.ANSWERED, S.CONFIRMED, S.PARTING, S.ENDING)
        for on in (I.PROGRESS, I.ANSWER, I.ANSWER_LATER, I.REJECT)
    }
    | {(state, I.END_LATER) for state in S if state not in (S.CONFIRMED, S.PARTING, S.ENDING, S.ENDED)}
)
