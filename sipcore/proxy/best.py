"""Which of several final responses goes upstream (RFC 3261 §16.7 steps 6 and 7)."""

from collections.abc import Sequence

from frozen import dataclass
from sipcore.message import Headers, Response

_TELLING = (401, 407, 415, 420, 484)  # they say how the request may be repeated
_CHALLENGES = ("www-authenticate", "proxy-authenticate")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one branch ended; `response` is None when none came and `status` is ours."""

    status: int
    response: Response | None = None


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """A 6xx if there is one, else one of the lowest class; within it what tells the sender most, what somebody
    really said before what we concluded, and 503 last."""
    decisive = [each for each in outcomes if each.status >= 600]
    return min(decisive or outcomes, key=_rank)


def _rank(outcome: Outcome) -> tuple[int, bool, bool, bool]:
    status = outcome.status
    return status // 100, status == 503, status not in _TELLING, outcome.response is None


def with_all_challenges(response: Response, outcomes: Sequence[Outcome]) -> Response:
    """A 401 or 407 carries the challenges of all branches, so that one repetition satisfies each (step 7)."""
    if response.status not in (401, 407):
        return response
    items = list(response.headers)
    for other in (each.response for each in outcomes if each.status in (401, 407)):
        if other is not None and other is not response:
            items += [item for item in other.headers if item[0] in _CHALLENGES and item not in items]
    return Response(response.status, response.reason, Headers(items), response.body)
