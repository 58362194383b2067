"""One stack with a stranger in front of it: bytes in, the responses on the wire out."""

from collections.abc import Set

from sipcore.build import response_to
from sipcore.events import InviteArrived, RequestArrived, StackEvent
from sipcore.flow import Flow
from sipcore.message import Response
from sipcore.parse import parse_message
from sipcore.stack import SipStack, StackConfig
from tests.support.ids import CountingIds

US, STRANGER = ("10.0.0.1", 5060), ("10.0.0.9", 5060)
UDP = Flow("UDP", US, STRANGER)
TCP = Flow("TCP", US, STRANGER, 4)


class Bench:
    """One stack with a stranger in front of it; `now` is moved by hand."""

    def __init__(self, extensions: Set[str] = frozenset()) -> None:
        self.stack = SipStack(StackConfig(agent="Bench", extensions=frozenset(extensions)), CountingIds("w0"))
        self.now = 1000.0

    def send(self, data: bytes | str, flow: Flow = UDP) -> list[Response]:
        """Give it a message; the responses that go out at once."""
        self.stack.receive(data.encode() if isinstance(data, str) else data, flow, self.now)
        return self.responses()

    def statuses(self, data: bytes, flow: Flow = UDP) -> list[int]:
        """The status codes of the responses to what may be no SIP at all."""
        self.stack.receive(data, flow, self.now)
        return [int(sent.split(b" ", 2)[1]) for sent, _ in self.stack.outgoing()]

    def responses(self) -> list[Response]:
        found = [parse_message(data) for data, _ in self.stack.outgoing()]
        return [message for message in found if isinstance(message, Response)]

    def events(self) -> list[StackEvent]:
        found = []
        while (event := self.stack.next_event()) is not None:
            found.append(event)
        return found

    def respond(self, event: StackEvent, status: int, *, keep: bool = True) -> Response:
        assert isinstance(event, RequestArrived | InviteArrived)
        tag = self.stack.stateless_tag(event.request)
        self.stack.respond(event.key, response_to(event.request, status, to_tag=tag), self.now, keep=keep)
        return self.responses()[0]

    def wait_until_idle(self) -> None:
        while (at := self.stack.deadline()) is not None:
            self.now = max(self.now, at)
            self.stack.on_timer(self.now)
            self.stack.outgoing()
        self.events()
        assert self.stack.is_idle(), self.stack.describe()


def text(
    method: str = "OPTIONS",
    *,
    uri: str = "sip:101@10.0.0.1",
    branch: str = "z9hG4bK-1",
    via: str = "",
    to_tag: str = "",
    from_tag: str = "f",
    call_id: str = "c1",
    cseq: str = "",
    extra: str = "",
    max_forwards: str = "70",
) -> str:
    """A request of the stranger."""
    to = f"<sip:101@10.0.0.1>{';tag=' + to_tag if to_tag else ''}"
    return (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: {via or f'SIP/2.0/UDP 10.0.0.9:5060;branch={branch}'}\r\n"
        f"Max-Forwards: {max_forwards}\r\nFrom: <sip:x@10.0.0.9>;tag={from_tag}\r\nTo: {to}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq or f'1 {method}'}\r\nContact: <sip:x@10.0.0.9>\r\n"
        f"{extra}Content-Length: 0\r\n\r\n"
    )
