"""Requests that do not fit into a datagram, RFC 3261 §18.1.1."""

from dataclasses import replace

from sipcore.build import new_request
from sipcore.events import ResponseArrived
from sipcore.flow import Flow
from sipcore.large import LARGEST_DATAGRAM, NO_STREAM_S, LargeRequests
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.uri import parse_uri
from tests.support.stranger import STRANGER, US, Bench

GATEWAY = Flow("UDP", US, STRANGER, by_address=True)
PHONE = replace(GATEWAY, by_address=False)
STREAM = Flow("TCP", US, STRANGER, 7)


def request(size: int, method: str = "MESSAGE") -> Request:
    uri = parse_uri("sip:202@10.0.0.9")
    named = {"from_": "<sip:a@b>;tag=1", "to": "<sip:202@10.0.0.9>", "call_id": "one", "cseq": 1}
    return new_request(method, uri, body=b"x" * size, **named)  # type: ignore[arg-type]


def bench(stream: Flow | None = STREAM) -> Bench:
    made = Bench()
    made.stack.large = LargeRequests(lambda _: stream)
    return made


def send(made: Bench, size: int, flow: Flow = GATEWAY, now: float = 0.0) -> list[tuple[str, str]]:
    """The transports that what was sent took: of the path, of its Via."""
    made.stack.send(request(size), flow, now, user="me")
    return sent(made)


def sent(made: Bench) -> list[tuple[str, str]]:
    return [(flow.transport, parse_message(data).via.transport) for data, flow in made.stack.outgoing()]


def test_a_large_request_takes_the_stream_and_its_via_says_so() -> None:
    assert send(bench(), LARGEST_DATAGRAM) == [("TCP", "TCP")]


def test_a_small_one_a_phone_that_registered_and_a_host_without_stream_get_datagrams() -> None:
    assert send(bench(), 10) == [("UDP", "UDP")]
    assert send(bench(), LARGEST_DATAGRAM, PHONE) == [("UDP", "UDP")]
    assert send(bench(stream=None), LARGEST_DATAGRAM) == [("UDP", "UDP")]


def test_the_limit_is_that_of_the_whole_message() -> None:
    plain = len(bytes(request(0))) + len("Via: SIP/2.0/UDP 10.0.0.1:5060;branch=;rport\r\n")
    sizes = {size: send(bench(), size)[0][0] for size in range(LARGEST_DATAGRAM - plain - 80, LARGEST_DATAGRAM)}
    first = min(size for size, transport in sizes.items() if transport == "TCP")
    made = bench(stream=None)
    made.stack.send(request(first), GATEWAY, 0.0)
    assert [len(data) for data, _ in made.stack.outgoing()] == [LARGEST_DATAGRAM + 1]


def test_when_the_stream_cannot_be_opened_it_is_sent_as_a_datagram_and_answered() -> None:
    made = bench()
    send(made, LARGEST_DATAGRAM)
    made.stack.flow_closed(STREAM, 1.0)
    [(data, flow)] = made.stack.outgoing()
    assert flow == GATEWAY
    again = parse_message(data)
    assert isinstance(again, Request)
    assert again.via.transport == "UDP"
    assert made.events() == []
    made.stack.on_timer(1.5)  # Timer E: datagrams get lost
    assert sent(made) == [("UDP", "UDP")]
    made.stack.receive(bytes(data).replace(b"MESSAGE sip:202@10.0.0.9 SIP/2.0", b"SIP/2.0 200 OK"), PHONE, 2.0)
    assert [(event.user, event.status) for event in made.events() if isinstance(event, ResponseArrived)] == [
        ("me", 200)
    ]
    made.stack.on_timer(60.0)
    assert made.stack.is_idle()


def test_such_a_host_is_spared_the_stream_for_an_hour() -> None:
    made = bench()
    send(made, LARGEST_DATAGRAM)
    made.stack.flow_closed(STREAM, 1.0)
    made.stack.outgoing()
    assert send(made, LARGEST_DATAGRAM, now=2.0) == [("UDP", "UDP")]
    assert send(made, LARGEST_DATAGRAM, now=1.0 + NO_STREAM_S) == [("TCP", "TCP")]


def test_a_stream_that_closes_after_a_response_is_a_failure() -> None:
    made = bench()
    made.stack.send(request(LARGEST_DATAGRAM, "INVITE"), GATEWAY, 0.0, user="me")
    [(data, _)] = made.stack.outgoing()
    made.stack.receive(data.replace(b"INVITE sip:202@10.0.0.9 SIP/2.0", b"SIP/2.0 180 Ringing"), STREAM, 0.5)
    made.stack.flow_closed(STREAM, 1.0)
    assert [flow.transport for _, flow in made.stack.outgoing()] == []
    statuses = [event.status for event in made.events() if isinstance(event, ResponseArrived)]
    assert statuses == [180, 503]
