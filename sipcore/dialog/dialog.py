"""A peer relation between two user agents: RFC 3261 §12.

Names and route sets are kept as the text that goes on the wire; only the remote target is decoded, because the next
request is addressed to it.
"""

from dataclasses import dataclass
from enum import IntEnum

from sipcore.build import Extra, new_request
from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.headers import RecordRoute
from sipcore.message import Request, Response, Uri


class CSeqVerdict(IntEnum):
    """What the CSeq of a request inside the dialog says (§12.2.2)."""

    NEXT = 0
    OLD = 1


@dataclass(slots=True)
class Dialog:
    """`local` and `remote` are From/To values with their tags; `local_cseq` is the number last used."""

    call_id: str
    local: str
    local_tag: str
    remote: str
    remote_tag: str
    remote_target: Uri
    route_set: tuple[str, ...]
    local_cseq: int
    remote_cseq: int
    flow: Flow

    @classmethod
    def as_uas(cls, request: Request, local_tag: str, flow: Flow) -> "Dialog":
        """The dialog that our response with `local_tag` makes (§12.1.1)."""
        headers = request.headers
        return cls(
            call_id=request.call_id,
            local=f"{headers.get('to')};tag={local_tag}",
            local_tag=local_tag,
            remote=headers.get("from") or "",
            remote_tag=request.from_tag or "",
            remote_target=_target_of(request) or request.from_.uri,
            route_set=_route_set_of(request),
            local_cseq=0,
            remote_cseq=request.cseq.number,
            flow=flow,
        )

    @classmethod
    def as_uac(cls, request: Request, response: Response, flow: Flow) -> "Dialog":
        """The dialog that a response with a To tag makes of our request (§12.1.2)."""
        headers = response.headers
        return cls(
            call_id=request.call_id,
            local=request.headers.get("from") or "",
            local_tag=request.from_tag or "",
            remote=headers.get("to") or "",
            remote_tag=response.to_tag or "",
            remote_target=_target_of(response) or request.uri,
            route_set=_route_set_of(response)[::-1],
            local_cseq=request.cseq.number,
            remote_cseq=-1,
            flow=flow,
        )

    def request(self, method: str, *, extra: Extra = (), body: bytes = b"") -> Request:
        """A new request inside the dialog (§12.2.1.1); the Via is added when it is sent."""
        self.local_cseq += 1
        return self._request(method, self.local_cseq, extra, body)

    def ack(self, cseq: int, *, body: bytes = b"", extra: Extra = ()) -> Request:
        """The ACK of a 2xx: the CSeq number of its INVITE (§13.2.2.4)."""
        return self._request("ACK", cseq, extra, body)

    def _request(self, method: str, cseq: int, extra: Extra, body: bytes) -> Request:
        uri, routes = self._addressed()
        fields = [("Route", route) for route in routes]
        fields.extend((name, str(value)) for name, value in extra)
        return new_request(
            method, uri, from_=self.local, to=self.remote, call_id=self.call_id, cseq=cseq, extra=fields, body=body
        )

    def _addressed(self) -> tuple[Uri, tuple[str, ...]]:
        """Request-URI and Route values: loose routing, or strict when the first route lacks `lr` (§12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, ()
        first = RecordRoute.parse(self.route_set[0])
        if first.loose:
            return self.remote_target, self.route_set
        return first.uri, (*self.route_set[1:], f"<{self.remote_target}>")

    def check(self, request: Request) -> CSeqVerdict:
        """Note the CSeq of an incoming request other than ACK (§12.2.2)."""
        number = request.cseq.number
        if number < self.remote_cseq:
            return CSeqVerdict.OLD
        self.remote_cseq = number
        return CSeqVerdict.NEXT

    def refresh_target(self, message: Request | Response) -> None:
        """A target refresh (re-INVITE or its 2xx) may move the peer's Contact (§12.2)."""
        self.remote_target = _target_of(message) or self.remote_target


def _target_of(message: Request | Response) -> Uri | None:
    """The peer's Contact; None when there is none that a request could be sent to."""
    try:
        contact = message.contact
    except ParseError:
        return None
    return contact.uri if contact is not None and not contact.is_star else None


def _route_set_of(message: Request | Response) -> tuple[str, ...]:
    """The Record-Route values as they came; none when one of them could not be sent to."""
    headers = message.headers
    if "record-route" not in headers:
        return ()
    try:
        headers.all(RecordRoute)
        return tuple(headers.values("record-route"))
    except ParseError:
        return ()
