"""Requests on their way through a proxy: looked at, freed of our own routes, copied for each target.

RFC 3261 §16.3 validation, §16.4 route information, §16.6 forwarding; RFC 5393 for loops and breadth.
"""

from collections.abc import Callable

from sipcore.build import Extra
from sipcore.dialog.session_base import via_value
from sipcore.errors import ParseError
from sipcore.grammar import split_list
from sipcore.headers import RecordRoute, Route, Via
from sipcore.ids import IdSource
from sipcore.message import Headers, Request, Response, Uri
from sipcore.proxy.plan import Hop
from sipcore.uri import SipUri

MAX_FORWARDS, MAX_BREADTH = 70, 60  # RFC 3261 §16.6 step 3, RFC 5393 §5.3.2
_MOST_NUMBER_LENGTH = 4
_ROUTED = ("INVITE", "SUBSCRIBE", "REFER", "NOTIFY")  # they form dialogs: RFC 3261 §16.6 step 4, RFC 6665 §4


def refusal(request: Request, mark: str, extensions: frozenset[str]) -> tuple[int, Extra]:
    """Why a request is not forwarded (§16.3): a status and headers for it, status 0 for nothing. `mark` is that of
    `loop_mark`."""
    try:
        return _refusal(request, mark, extensions)
    except ParseError as error:
        return error.status, ()


def _refusal(request: Request, mark: str, extensions: frozenset[str]) -> tuple[int, Extra]:
    headers = request.headers
    if getattr(request.uri, "scheme", "") not in ("sip", "sips", "tel"):
        return 416, ()
    _ = headers.all(Route), headers.all(RecordRoute)  # what is rewritten has to be readable
    if hops_left(request) == 0 and request.method != "OPTIONS":
        return 483, ()
    if any((via.branch or "").endswith(mark) for via in headers.all(Via)):
        return 482, ()
    if _number(headers, "max-breadth", MAX_BREADTH) == 0:
        return 440, ()
    unknown = [token for token in headers.values("proxy-require") if token.strip().lower() not in extensions]
    return (420, [("Unsupported", ", ".join(unknown))]) if unknown else (0, ())


def hops_left(request: Request) -> int:
    """Max-Forwards as it came; raises ParseError."""
    return _number(request.headers, "max-forwards", MAX_FORWARDS)


def breadth(request: Request) -> int:
    """How many branches the request may have at once (RFC 5393 §5.3)."""
    return _number(request.headers, "max-breadth", MAX_BREADTH)


def _number(headers: Headers, name: str, default: int) -> int:
    text = headers.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_NUMBER_LENGTH:
        raise ParseError(f"the {name} is no number")
    return int(text)


def loop_mark(request: Request, ids: IdSource) -> str:
    """The end of our branches: a hash over all that decides where a request goes, so that one that comes back
    unchanged is known (§16.6 step 8, RFC 5393 §4.2). Equal for the CANCEL and the ACK of an INVITE."""
    headers = request.headers
    return "." + ids.stable_tag(
        str(request.uri),
        *headers.raw("route"),
        headers.get("to") or "",
        request.from_.tag or "",
        request.call_id,
        str(request.cseq.number),
        *headers.raw("proxy-require"),
        *headers.raw("proxy-authorization"),
    )


def take_own_routes(request: Request, is_ours: Callable[[Uri], bool]) -> tuple[Route, ...]:
    """Remove what names us from the top of the Route (§16.4), undo what a strict router before us did, and return
    the routes taken."""
    _undo_strict_routing(request, is_ours)
    _take_maddr(request, is_ours)
    own: list[Route] = []
    routes = request.routes()
    while len(own) < len(routes) and is_ours(routes[len(own)].uri):
        own.append(routes[len(own)])
    if own:
        set_routes(request.headers, routes[len(own) :])
    return tuple(own)


def _undo_strict_routing(request: Request, is_ours: Callable[[Uri], bool]) -> None:
    """A strict router put our Record-Route into the Request-URI and the target at the end of the Route."""
    uri, routes = request.uri, request.routes()
    if routes and isinstance(uri, SipUri) and "lr" in uri.params and is_ours(uri):
        request.uri = routes[-1].uri
        set_routes(request.headers, (Route(uri), *routes[:-1]))


def _take_maddr(request: Request, is_ours: Callable[[Uri], bool]) -> None:
    uri = request.uri
    if isinstance(uri, SipUri) and (maddr := uri.params.get("maddr")):
        here = SipUri(uri.scheme, None, maddr.strip("[]"), uri.port, uri.params.without("maddr"))
        if is_ours(here):
            request.uri = SipUri(uri.scheme, uri.user, uri.host, None, uri.params.without("maddr", "transport"))


def set_routes(headers: Headers, routes: tuple[Route, ...]) -> None:
    headers.remove("route")
    for route in reversed(routes):
        headers.add("route", route, top=True)


def copy_for(request: Request, hop: Hop, branch: str, branches: int) -> Request:
    """The request as it goes to one target (§16.6 steps 1-8); `branches`: the breadth it may have."""
    headers = request.headers.copy()
    uri = hop.uri if hop.uri is not None else request.uri
    routes = request.routes()
    if routes and not routes[0].loose:  # step 6: a strict router wants itself as the Request-URI
        set_routes(headers, (*routes[1:], Route(uri)))
        uri = routes[0].uri
    if request.method in _ROUTED and not request.to.tag:
        for value in reversed(hop.record_routes):
            headers.add("record-route", value, top=True)
    for value in reversed(hop.paths):
        headers.add("path", value, top=True)
    headers.set("max-forwards", max(hops_left(request) - 1, 0))
    if request.method not in ("ACK", "CANCEL"):
        headers.set("max-breadth", branches)
    headers.add("via", via_value(hop.flow, branch), top=True)
    return Request(request.method, uri, headers, request.body)


def without_our_via(response: Response) -> Response:
    """The response as the previous hop gets it (§16.7 step 3)."""
    headers = list(response.headers)
    at = next(place for place, (name, _) in enumerate(headers) if name == "via")
    rest = split_list(headers[at][1])[1:] if "," in headers[at][1] else []
    headers[at : at + 1] = [("via", ", ".join(rest))] if rest else []
    return Response(response.status, response.reason, Headers(headers), response.body)
