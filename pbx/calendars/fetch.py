"""One file from the web, within bounds: of time as a whole, of size, and to http and https only. Runs in a thread."""

import base64
import urllib.error
import urllib.request
from http.client import HTTPException
from time import monotonic

from frozen import dataclass

STEP_S = 5.0  # without a word
WHOLE_S = 20.0
MOST_BYTES = 4 << 20
_PIECE = 64 << 10

REPORT = b"""<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter>
</C:calendar-query>
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`tag` is the ETag of what is known already; `caldav`: the events of a collection (RFC 4791 §7.8)."""

    url: str
    login: str = ""
    password: str = ""
    tag: str = ""
    caldav: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """`body` None: what is known is still right."""

    body: bytes | None
    tag: str = ""


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """A server may send us on, not to files or other protocols, and not on to others with our password."""

    def redirect_request(
        self, req: urllib.request.Request, fp: object, code: int, msg: str, headers: object, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith(("http://", "https://")):
            raise urllib.error.URLError("it sends to another protocol")
        onward = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if onward is not None and onward.host != req.host:
            onward.remove_header("Authorization")
        return onward


def fetch(wanted: Wanted) -> Fetched:
    """Raises `ValueError` with a sentence."""
    request = urllib.request.Request(wanted.url, method="REPORT" if wanted.caldav else "GET")
    request.add_header("User-Agent", "zvon")
    if wanted.caldav:
        request.data = REPORT
        request.add_header("Content-Type", "application/xml; charset=utf-8")
        request.add_header("Depth", "1")
    elif wanted.tag:
        request.add_header("If-None-Match", wanted.tag)
    if wanted.login:
        credentials = base64.b64encode(f"{wanted.login}:{wanted.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.build_opener(_SameScheme).open(request, timeout=STEP_S) as answer:
            return Fetched(_bounded(answer), answer.headers.get("ETag", ""))
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 304:
                return Fetched(None, wanted.tag)
            raise ValueError(f"HTTP {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise ValueError(str(getattr(error, "reason", error)) or type(error).__name__) from None


def _bounded(answer: "urllib.response.addinfourl") -> bytes:
    until, pieces, size = monotonic() + WHOLE_S, [], 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES >> 20} MB")
        if monotonic() > until:
            raise ValueError(f"it took longer than {WHOLE_S:g} s")
    return b"".join(pieces)
