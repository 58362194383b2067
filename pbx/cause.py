"""Why something ended: one table of SIP status, Q.850 cause, disposition of the call history and whether to try on.

`status` is what the caller is told when the call ends before an answer. Another side's final answer becomes a cause
by `Cause.from_refusal`: what concerns only our own request to that side (a challenge, an extension, a time-out) is
never passed on as it came. A gateway's own Q.850 cause, in the
Reason of its answer, is believed before the status. Q.850 values: RFC 3398 §8.2.6.1 and §7.2.4.1, ITU-T Q.850 §2.2.7.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import split_list
from sipcore.headers import Reason


class Disposition(StrEnum):
    """How the call history sums up a call (CDR-15)."""

    ANSWERED = "ANSWERED"
    NOANSWER = "NOANSWER"
    BUSY = "BUSY"
    FAILED = "FAILED"


ANSWERED, NOANSWER, FAILED = Disposition.ANSWERED, Disposition.NOANSWER, Disposition.FAILED

Q850_TEXT = {
    1: "Unallocated number",
    2: "No route to network",
    3: "No route to destination",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    19: "No answer from user",
    20: "Subscriber absent",
    21: "Call rejected",
    22: "Number changed",
    23: "Redirection to new destination",
    25: "Exchange routing error",
    26: "Non-selected user clearing",
    27: "Destination out of order",
    28: "Invalid number format",
    29: "Facility rejected",
    31: "Normal, unspecified",
    34: "No circuit available",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    47: "Resource unavailable, unspecified",
    55: "Incoming calls barred within CUG",
    57: "Bearer capability not authorized",
    58: "Bearer capability not available",
    63: "Service or option not available",
    65: "Bearer capability not implemented",
    70: "Only restricted digital information available",
    79: "Service or option not implemented",
    87: "User not member of CUG",
    88: "Incompatible destination",
    102: "Recovery on timer expiry",
    111: "Protocol error, unspecified",
    127: "Interworking, unspecified",
}

STATUS_OF_Q850 = {
    **dict.fromkeys((1, 2, 3, 26), 404),
    17: 486,
    18: 408,
    **dict.fromkeys((19, 20, 31), 480),
    **dict.fromkeys((21, 55, 57, 87), 403),
    **dict.fromkeys((22, 23), 410),
    27: 502,
    28: 484,
    **dict.fromkeys((29, 63, 79), 501),
    25: 483,
    **dict.fromkeys((34, 38, 41, 42, 47, 58, 88), 503),
    **dict.fromkeys((65, 70), 488),
    102: 504,
    **dict.fromkeys((111, 127), 500),
}
"""What a gateway's cause means in SIP: RFC 3398 §7.2.4.1; 20, 25 and 63 by their classes (RFC 4497 §8.4.1)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """`name` is the word of history rows and logs; `may_retry`: another route or contact may do better (OUT-8)."""

    name: str
    status: int
    q850: int
    disposition: Disposition
    may_retry: bool = False

    @property
    def text(self) -> str:
        return Q850_TEXT[self.q850]

    @property
    def reason_header(self) -> str:
        """The value of a Reason header (RFC 3326 §2); a fork that lost says so by the SIP status (§3.1)."""
        if self.name == "answered_elsewhere":
            return 'SIP;cause=200;text="Call completed elsewhere"'
        return f'Q.850;cause={self.q850};text="{self.text}"'

    @classmethod
    def from_refusal(cls, status: int, reason: str = "") -> "Cause":
        """What another side's final answer to our INVITE means to our caller. `reason` is the Reason of that answer
        (RFC 3326 §2): the cause of a gateway says more than a status that it had to choose; what a person decided
        (busy, declined) stands as it is."""
        q850 = q850_of(reason)
        if q850 not in STATUS_OF_Q850 or status in _DECIDED:
            return _from_status(status)
        return replace(_from_status(STATUS_OF_Q850[q850]), q850=q850)

    @classmethod
    def of_hang_up(cls, reason: str) -> "Cause":
        """Why the other side ended a conversation: its Q.850 value goes on to whoever is told next."""
        q850 = q850_of(reason)
        return replace(NORMAL, q850=q850) if q850 in Q850_TEXT else NORMAL

    @classmethod
    def of_refusal(cls, status: int) -> "Cause":
        """Why we ourselves refuse a session description or cannot serve it."""
        return OWN_REFUSALS.get(status, MEDIA_FAILED)

    def __str__(self) -> str:
        return self.name


NORMAL = Cause("normal", 200, 16, ANSWERED)
LIMIT_REACHED = replace(NORMAL, name="limit_reached", q850=31)  # of what may be spent on calls outside
NOT_ENCRYPTED = Cause("not_encrypted", 488, 58, FAILED)
ANSWERED_ELSEWHERE = Cause("answered_elsewhere", 487, 26, NOANSWER)
CANCELLED = Cause("cancelled", 487, 16, NOANSWER)
NO_ANSWER = Cause("no_answer", 480, 19, NOANSWER, may_retry=True)
BUSY = Cause("busy", 486, 17, Disposition.BUSY)
DECLINED = Cause("declined", 603, 21, Disposition.BUSY)
NOT_RESPONDING = replace(NO_ANSWER, name="not_responding", q850=18)
OPERATOR = Cause("operator", 480, 31, NOANSWER)
UNAVAILABLE = Cause("unavailable", 480, 20, FAILED, may_retry=True)
PEER_BUSY = replace(UNAVAILABLE, name="peer_busy", q850=41)
TIMEOUT = Cause("timeout", 480, 102, FAILED, may_retry=True)
NOT_FOUND = Cause("not_found", 404, 1, FAILED, may_retry=True)
NUMBER_CHANGED = Cause("number_changed", 410, 22, FAILED, may_retry=True)
INCOMPLETE = Cause("incomplete", 484, 28, FAILED)
FORBIDDEN = Cause("forbidden", 403, 21, FAILED, may_retry=True)
NOT_ACCEPTABLE = Cause("not_acceptable", 488, 65, FAILED, may_retry=True)
BAD_REQUEST = Cause("bad_request", 400, 41, FAILED)
UNSUPPORTED_BODY = Cause("unsupported_body", 415, 79, FAILED)
UNWANTED_ANSWER = Cause("unwanted_answer", 406, 79, FAILED)  # the caller does not take SDP
MEDIA_FAILED = Cause("media_failed", 500, 47, FAILED)
SERVER_ERROR = Cause("server_error", 500, 41, FAILED, may_retry=True)
SERVER_BUSY = Cause("server_busy", 503, 42, FAILED, may_retry=True)
SHUTDOWN = Cause("shutdown", 503, 41, FAILED)

OWN_REFUSALS = {400: BAD_REQUEST, 415: UNSUPPORTED_BODY, 488: NOT_ACCEPTABLE, 503: SERVER_BUSY}


_DECIDED = frozenset((486, 487, 600, 603, 607, 608))


def q850_of(reason: str) -> int:
    """The Q.850 value of the Reason header fields, 0 when they name none."""
    try:
        found = [Reason.parse(text) for text in split_list(reason)]
    except ParseError:
        return 0
    return next((each.cause or 0 for each in found if each.protocol.upper() == "Q.850"), 0)


def _statuses(cause: Cause, statuses: Iterable[int]) -> dict[int, Cause]:
    return dict.fromkeys(statuses, cause)


_REQUEST_REFUSED = replace(SERVER_ERROR, name="request_refused", q850=127)
_NOT_IMPLEMENTED = replace(SERVER_ERROR, name="not_implemented", q850=79)
QUEUE_TIMEOUT = Cause("queue_timeout", 480, 19, NOANSWER)  # nobody of the queue in time (QUE-22)
NO_AGENT = Cause("no_agent", 480, 20, NOANSWER)  # of the queue is registered (QUE-24)
FORGED_NUMBER = Cause("forged_number", 438, 21, FAILED)  # a signature of it is wrong (RFC 8224 §6.2.2)
LOOP = Cause("loop", 482, 25, FAILED)
TOO_MANY_HOPS = Cause("too_many_hops", 483, 25, FAILED)
TOO_BROAD = Cause("too_many_phones_at_once", 440, 25, FAILED)
_LOOP = replace(SERVER_ERROR, name="loop", q850=25)

BY_STATUS: dict[int, Cause] = {
    400: SERVER_ERROR,
    402: FORBIDDEN,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: replace(SERVER_ERROR, name="not_available", q850=63),
    408: TIMEOUT,
    410: NUMBER_CHANGED,
    430: UNAVAILABLE,  # the flow to the phone is gone (RFC 5626 §5.3)
    480: NOT_RESPONDING,
    481: SERVER_ERROR,
    484: INCOMPLETE,
    485: replace(NOT_FOUND, name="ambiguous"),
    486: BUSY,
    487: CANCELLED,
    500: SERVER_ERROR,
    502: replace(UNAVAILABLE, name="bad_gateway", q850=38),
    503: PEER_BUSY,
    504: TIMEOUT,
    600: BUSY,
    603: DECLINED,
    604: NOT_FOUND,
    607: replace(DECLINED, name="unwanted"),
    608: replace(DECLINED, name="screened"),
    **_statuses(FORBIDDEN, (401, 407)),
    **_statuses(NOT_ACCEPTABLE, (415, 488, 606)),
    **_statuses(_REQUEST_REFUSED, (413, 414, 416, 420, 421, 422, 423, 494, 505, 513)),
    **_statuses(_NOT_IMPLEMENTED, (406, 501)),
    **_statuses(_LOOP, (440, 482, 483)),
}

BY_CLASS = {
    2: NORMAL,
    3: replace(UNAVAILABLE, name="redirected", q850=31),  # contacts of a redirection are not followed
    4: SERVER_ERROR,
    5: SERVER_ERROR,
    6: DECLINED,
}


@lru_cache(maxsize=1024)
def _from_status(status: int) -> Cause:
    """An unknown status counts as x00 of its class (RFC 3261 §8.1.3.2)."""
    return BY_STATUS.get(status) or BY_CLASS.get(status // 100, SERVER_ERROR)
