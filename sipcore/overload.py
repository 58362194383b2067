"""Overload control between servers (RFC 7339): what a client that offers it in its Via is told in ours of the response.

Only the default algorithm "loss" is spoken: the client is asked to keep back so many per cent of what it would send.
"""

from frozen import dataclass
from sipcore.headers import Via
from sipcore.message import Request

VALIDITY_MS = 500  # §4.3: what holds when nothing is said


@dataclass(frozen=True, slots=True)
class OverloadReport:
    """`reduction` in per cent, 0 for none; `sequence` in seconds, growing with every change (§4.4)."""

    reduction: int
    sequence: float


def offers_overload_control(request: Request) -> bool:
    """Whether the top Via as sent may hold an offer: a cheap look, `with_overload` decides."""
    return ";oc" in (request.headers.get("via") or "")


def with_overload(via: Via, report: OverloadReport) -> Via:
    """The Via with our report, where its sender offers overload control by loss (§4.1, §5.2); else as it is."""
    params = via.params
    algorithms = (params.get("oc-algo") or "").replace(" ", "").lower().split(",")
    if params.get("oc") != "" or "loss" not in algorithms:
        return via
    validity_ms = VALIDITY_MS if report.reduction else 0  # 0: control is over (§5.3)
    told = params.with_("oc", report.reduction).with_quoted("oc-algo", "loss").with_("oc-validity", validity_ms)
    return Via(via.transport, via.host, via.port, told.with_("oc-seq", f"{report.sequence:.3f}"))
