"""How messages find their transaction (RFC 3261 §17.1.3, §17.2.3)."""

from sipcore.ids import MAGIC_COOKIE
from sipcore.message import Request, Response

Key = tuple[str, ...]


def client_key(response: Response) -> Key:
    """Branch of the top Via and the method in CSeq (§17.1.3)."""
    return (response.branch, response.cseq.method)


def server_key(request: Request, method: str = "") -> Key:
    """Branch, sent-by and method, an ACK counting as INVITE (§17.2.3). `method` asks for another one: CANCEL looks for
    the request it cancels."""
    host, port, branch, _ = request.sent
    method = method or request.method
    if method == "ACK":
        method = "INVITE"
    if branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):  # the bare cookie identifies nothing
        return (branch, host, port, method)
    return _rfc2543_key(request, method)


def _rfc2543_key(request: Request, method: str) -> Key:
    """For peers without the magic cookie. The To tag is left out: an ACK carries the one of our response."""
    return (
        str(request.uri),
        request.from_tag or "",
        request.call_id,
        str(request.cseq.number),
        str(request.via),
        method,
    )


def merge_key(request: Request) -> Key:
    """Equal for requests that reached us over several paths of a fork (§8.2.2.2)."""
    return (request.from_tag or "", request.call_id, str(request.cseq.number), request.method)
