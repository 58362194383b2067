"""The registry of header names: compact forms, how they are printed, which are lists (RFC 3261 §20, §7.3.3)."""

COMPACT: dict[str, str] = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""Compact form to canonical lower-case name."""

_PRINTED = (
    "Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info "
    "Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-Language Content-Length "
    "Content-Type CSeq Date Diversion Error-Info Event Expires Flow-Timer From Geolocation Geolocation-Error "
    "Geolocation-Routing History-Info Identity "
    "Identity-Info In-Reply-To Info-Package Join Max-Forwards MIME-Version Min-Expires Min-SE Organization "
    "P-Asserted-Identity P-Preferred-Identity Path Priority Privacy Proxy-Authenticate Proxy-Authorization "
    "Proxy-Require RAck Reason Record-Route Recv-Info Refer-Sub Refer-To Referred-By Reject-Contact "
    "Remote-Party-ID Replaces Reply-To Request-Disposition Require Retry-After Route RSeq Server Service-Route "
    "Session-Expires Session-ID SIP-ETag SIP-If-Match Subject Subscription-State Supported Target-Dialog "
    "Timestamp To Unsupported User-Agent User-to-User Via Warning WWW-Authenticate"
)
CANONICAL: dict[str, str] = {name.lower(): name for name in _PRINTED.split()}
"""Lower-case name to printed name."""

_COMMA_LISTS = (
    "accept accept-contact accept-encoding accept-language alert-info allow allow-events call-info contact "
    "content-encoding content-language diversion error-info history-info in-reply-to p-asserted-identity "
    "p-preferred-identity path proxy-require reason record-route recv-info reject-contact remote-party-id "
    "request-disposition require route service-route supported unsupported user-to-user via warning"
)
LIST_HEADERS: frozenset[str] = frozenset(_COMMA_LISTS.split())
"""Lower-case names whose values may be joined by commas on one line (never the authentication headers, §7.3.1)."""
