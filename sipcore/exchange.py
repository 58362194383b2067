"""One request of ours until somebody answers it: other targets where one fails (RFC 3263 §4.3), credentials where they
are asked for (RFC 3261 §22). A value of what happens next is returned; sending and waiting are the caller's.

Each attempt is a new request: new branch, next CSeq number, the same Call-ID (RFC 3261 §8.1.3.5).
"""

from collections.abc import Callable, Sequence
from enum import IntEnum

from sipcore.auth.client import MOST_CHALLENGES, DigestClient
from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.headers import RetryAfter
from sipcore.locate import DEAD_S
from sipcore.message import Request, Response

MOST_RETRY_AFTER_S = 3600


class Next(IntEnum):
    """What follows an outcome: `ask()` again, the answer stands, or nobody answered."""

    AGAIN = 0
    DONE = 1
    NOBODY = 2


class Exchange:
    """`make` builds the request for a flow, without Via and credentials; `flows` are tried in order."""

    __slots__ = ("_digest", "_make", "_waiting", "challenges", "dead", "flow", "refusal", "request")

    def __init__(self, make: Callable[[Flow], Request], flows: Sequence[Flow], digest: DigestClient) -> None:
        self._make, self._digest = make, digest
        self.flow, self._waiting = flows[0], list(flows[1:])
        self.request: Request | None = None
        self.challenges = 0
        self.refusal = ""
        self.dead: list[tuple[Flow, float]] = []

    def ask(self) -> tuple[Request, Flow]:
        """The next attempt, and where to send it."""
        self.request = self._make(self.flow)
        self._digest.authorize(self.request)
        return self.request, self.flow

    def judge(self, status: int, response: Response | None) -> Next:
        """The outcome of the latest attempt. `dead` gets the flows that failed and for how many seconds to shun them;
        `refusal` says why credentials are no use."""
        if response is not None and status in (401, 407):
            return self._challenged(response)
        if response is not None and status != 503:
            self._digest.learn(response)
            return Next.DONE
        self.dead.append((self.flow, retry_after(response) or DEAD_S))
        if self._waiting:
            self.flow = self._waiting.pop(0)
            return Next.AGAIN
        return Next.NOBODY

    def _challenged(self, response: Response) -> Next:
        assert self.request is not None
        self.challenges += 1
        if self.challenges > MOST_CHALLENGES:
            self.refusal = "the server asks for the password again and again"
        else:
            self.refusal = self._digest.challenged(self.request, response)
        return Next.DONE if self.refusal else Next.AGAIN


def retry_after(response: Response | None) -> int:
    """Seconds that the peer wants to be left alone, at most an hour; 0 when it does not say."""
    text = response.headers.get("retry-after") if response is not None else None
    if not text:
        return 0
    try:
        return min(RetryAfter.parse(text).value, MOST_RETRY_AFTER_S)
    except ParseError:
        return 0
