"""Messages made from messages: responses (RFC 3261 §8.2.6), ACK (§17.1.1.3), CANCEL (§9.1), stateless refusals."""

from collections.abc import Iterable

from sipcore.headers import CSeq
from sipcore.message import Headers, Request, Response, Uri, long_name

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    430: "Flow Failed",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    480: "Temporarily Unavailable",
    469: "Bad Info Package",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}

_SINGLE = frozenset(("from", "call-id", "cseq"))
_COPIED = _SINGLE | {"via"}
Extra = Iterable[tuple[str, object]]


def reason_phrase(status: int) -> str:
    return REASONS.get(status) or REASONS.get(status // 100 * 100, "Unknown")


def response_to(
    request: Request, status: int, *, to_tag: str = "", extra: Extra = (), body: bytes = b"", reason: str = ""
) -> Response:
    """A response with the headers that §8.2.6.2 copies; `to_tag` is added unless the request had one or it is 100."""
    items = [item for item in request.headers if item[0] in _COPIED]
    to = request.headers.index()["to"]
    add = to_tag and status != 100 and not request.to_tag
    items.append(("to", f"{to};tag={to_tag}" if add else to))
    if status == 100:
        items += [item for item in request.headers if item[0] == "timestamp"]
    elif status < 300:
        items += [item for item in request.headers if item[0] == "record-route"]
    items += [(long_name(name), str(value)) for name, value in extra]
    return Response(status, reason or reason_phrase(status), Headers(items), body)


def refusal_of(headers: Headers, status: int, reason: str, to_tag: str) -> Response | None:
    """A best-effort response to a request that could not be parsed; None when it could not reach anybody."""
    if headers.get("via") is None:
        return None
    items = [item for item in headers if item[0] == "via"]
    items += [item for item in headers.index().items() if item[0] in _SINGLE]  # one of each: two may be what is wrong
    to = headers.get("to")
    if to is not None:
        items.append(("to", to if ";tag=" in to else f"{to};tag={to_tag}"))
    return Response(status, reason or reason_phrase(status), Headers(items))


def ack_for(invite: Request, response: Response) -> Request:
    """The ACK of a non-2xx final response: same branch, same Request-URI, To of the response (§17.1.1.3)."""
    headers = Headers([("via", str(invite.via)), ("max-forwards", "70")])
    _copy(invite, headers, ("from",))
    headers.add("to", response.headers.get("to") or "")
    _finish(invite, headers, "ACK")
    return Request("ACK", invite.uri, headers)


def cancel_for(invite: Request, extra: Extra = ()) -> Request:
    """The CANCEL of a pending request: its Via, Request-URI, Route, From, To, Call-ID and CSeq number (§9.1)."""
    headers = Headers([("via", str(invite.via)), ("max-forwards", "70")])
    _copy(invite, headers, ("from", "to"))
    _finish(invite, headers, "CANCEL")
    for name, value in extra:
        headers.add(name, value)
    return Request("CANCEL", invite.uri, headers)


def new_request(
    method: str,
    uri: Uri,
    *,
    from_: str,
    to: str,
    call_id: str,
    cseq: int,
    extra: Extra = (),
    body: bytes = b"",
) -> Request:
    """A request without Via (added when it is sent); header values are printed as given."""
    items = [
        ("max-forwards", "70"),
        ("from", from_),
        ("to", to),
        ("call-id", call_id),
        ("cseq", f"{cseq} {method}"),
    ]
    items += [(long_name(name), str(value)) for name, value in extra]
    return Request(method, uri, Headers(items), body)


def _copy(source: Request, headers: Headers, names: tuple[str, ...]) -> None:
    for key, value in source.headers:
        if key in names:
            headers.add(key, value)


def _finish(invite: Request, headers: Headers, method: str) -> None:
    headers.add("call-id", invite.call_id)
    headers.add("cseq", CSeq(invite.cseq.number, method))
    _copy(invite, headers, ("route",))
