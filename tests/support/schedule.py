"""One transaction, its messages, and what it does when: for tests with literal clocks."""

from collections.abc import Sequence

from sipcore.actions import Action, Actions, Send
from sipcore.build import response_to
from sipcore.flow import Flow
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from sipcore.transaction.base import Transaction

UDP = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
TCP = Flow("TCP", ("10.0.0.1", 5060), ("10.0.0.2", 5060), 7)
START_S = 1000.0


def request(
    method: str,
    *,
    branch: str = "z9hG4bK-1",
    sent_by: str = "10.0.0.2:5060",
    to_tag: str = "",
    cseq: int = 1,
    extra: str = "",
) -> Request:
    to = f"<sip:bob@example.com>{';tag=' + to_tag if to_tag else ''}"
    text = (
        f"{method} sip:bob@example.com SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {sent_by}{';branch=' + branch if branch else ''}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=a\r\nTo: {to}\r\n"
        f"Call-ID: call-1\r\nCSeq: {cseq} {method}\r\n{extra}\r\n"
    )
    message = parse_message(text.encode())
    assert isinstance(message, Request)
    return message


def response(to: Request, status: int, tag: str = "b") -> Response:
    return response_to(to, status, to_tag=tag)


def kinds(actions: Actions) -> list[str]:
    return [type(action).__name__ for action in actions]


def data_of(actions: Actions) -> list[bytes]:
    return [action.data for action in actions if isinstance(action, Send)]


def first_lines(actions: Sequence[Action]) -> list[str]:
    return [action.data.split(b"\r\n")[0].decode() for action in actions if isinstance(action, Send)]


def run_out(machine: Transaction, until_s: float = 1000.0) -> list[tuple[float, list[str]]]:
    """What the machine does by itself: seconds since START_S and the kinds of its actions."""
    steps = []
    while machine.deadline is not None and machine.deadline <= START_S + until_s:
        at = machine.deadline
        steps.append((round(at - START_S, 3), kinds(machine.on_timer(at))))
    return steps
