"""What a proxy decides about a request: where it goes, or why it goes nowhere (RFC 3261 §16.5)."""

from typing import Protocol

from frozen import dataclass
from sipcore.build import Extra
from sipcore.flow import Flow
from sipcore.headers import Route
from sipcore.message import Request, Uri


@dataclass(frozen=True, slots=True)
class Hop:
    """One target: the path to it and what is written into the copy for it.

    `uri` replaces the Request-URI when given. `record_routes` and `paths` are header values in the order in which they
    are to be read, topmost first. `name` comes back in `HopFailed`; `gone` is the status when the path cannot carry.
    """

    flow: Flow
    uri: Uri | None = None
    record_routes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    name: object = None
    gone: int = 503


@dataclass(frozen=True, slots=True)
class Plan:
    """Targets of one group are tried at once, the next group when all of the one before have failed (§16.6).

    With `failover` the groups are servers of the same kind: another one is asked only when one is silent, cannot be
    reached or refuses with 503; one that has said nothing for `patience_s` gets company.
    """

    groups: tuple[tuple[Hop, ...], ...]
    failover: bool = False
    patience_s: float | None = None

    @classmethod
    def to(cls, *hops: Hop) -> "Plan":
        """All targets at once."""
        return cls((hops,))


@dataclass(frozen=True, slots=True)
class Answer:
    """The proxy answers itself."""

    status: int
    extra: Extra = ()


Verdict = Plan | Answer


@dataclass(frozen=True, slots=True)
class HopFailed:
    """A target was silent or could not be reached; `name` is that of its `Hop`."""

    name: object


class Router(Protocol):
    """Who knows where requests go."""

    def is_ours(self, uri: Uri) -> bool:
        """Whether a Route or Request-URI names this proxy (§16.4)."""

    def route(self, request: Request, flow: Flow, own: tuple[Route, ...]) -> Verdict:
        """Where to send `request`, which came on `flow`; `own` are the Route values of ours that were on its top and
        are no longer in it."""

    def failed(self, failure: HopFailed) -> None:
        """A target of a plan did not work."""
