"""What a REFER says: whom to call (RFC 3515 §2.1), which dialog to replace there (RFC 3891), who asks (RFC 3892)."""

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.headers.address import ReferredBy, ReferTo
from sipcore.headers.session import Replaces
from sipcore.message import Request
from sipcore.uri import Uri


@dataclass(frozen=True, slots=True)
class Referral:
    """`method` is what shall be sent to `uri`; `wants_reports` is false when the sender asks for no subscription."""

    uri: Uri
    method: str
    replaces: Replaces | None
    wants_reports: bool

    @classmethod
    def of(cls, request: Request) -> "Referral":
        """Read a REFER; raises ParseError when it is none that could be followed (RFC 3515 §2.4.2)."""
        targets = request.headers.values("refer-to")
        if len(targets) != 1:
            raise ParseError("a REFER has exactly one Refer-To")
        uri = ReferTo.parse(targets[0]).uri
        _ = request.headers.all(ReferredBy)
        wanted = (request.headers.get("refer-sub") or "true").partition(";")[0].strip().lower()
        params = getattr(uri, "params", None)
        method = (params.get("method") if params is not None else None) or "INVITE"
        return cls(uri, method.upper(), _replaces_of(uri), wanted != "false")


def _replaces_of(uri: Uri) -> Replaces | None:
    """The Replaces header that the URI asks to put into the INVITE (RFC 3891 §1, RFC 5589 §7)."""
    found = [value for name, value in getattr(uri, "headers", ()) if name.lower() == "replaces"]
    if len(found) > 1:
        raise ParseError("one Replaces at most")
    return Replaces.parse(found[0]) if found else None
