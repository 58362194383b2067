"""Broken, hostile and merely lost messages: the right answer or a counted drop, and nobody else suffers."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.wire import Message, token
from tests.e2e.conftest import CALLER
from tests.e2e.harness import Server, password_of
from tests.e2e.ua import Phone, eventually

pytestmark = pytest.mark.alone

DROP = 0  # no answer, but counted


def _message(
    start: str, *, drop: str = "", change: dict[str, str] | None = None, extra: str = "", body: str = ""
) -> bytes:
    """A request that is right but for what the arguments say; HERE stands for the sender."""
    fields = {
        "Via": f"SIP/2.0/UDP HERE;branch=z9hG4bK{token()};rport",
        "From": f"<sip:201@127.0.0.1>;tag={token()}",
        "To": "<sip:202@127.0.0.1>",
        "Call-ID": token(),
        "CSeq": f"1 {start.split()[0]}",
        "Max-Forwards": "70",
        "Content-Length": str(len(body)),
    } | (change or {})
    lines = [f"{name}: {value}" for name, value in fields.items() if name != drop]
    return ("\r\n".join([start, *lines]) + f"\r\n{extra}\r\n{body}").encode()


OPTIONS = "OPTIONS sip:127.0.0.1 SIP/2.0"
INVITE = "INVITE sip:202@127.0.0.1 SIP/2.0"

MALFORMED: list[tuple[str, bytes, set[int]]] = [
    ("words that are not SIP", b"hello, is anybody there?\r\n\r\n", {DROP}),
    ("binary", bytes(range(256)) * 4, {DROP}),
    ("a start line only", b"INVITE sip:202@127.0.0.1 SIP/2.0", {DROP}),
    ("no Via", _message(OPTIONS, drop="Via"), {DROP}),
    ("another version of SIP", _message("OPTIONS sip:127.0.0.1 SIP/7.0"), {505}),
    ("no CSeq", _message(OPTIONS, drop="CSeq"), {400}),
    ("no From", _message(OPTIONS, drop="From"), {400}),
    ("no To", _message(OPTIONS, drop="To"), {400}),
    ("no Call-ID", _message(OPTIONS, drop="Call-ID"), {400}),
    ("CSeq of another method", _message(OPTIONS, change={"CSeq": "1 INVITE"}), {400}),
    ("CSeq beyond 31 bits", _message(OPTIONS, change={"CSeq": "4294967296 OPTIONS"}), {400}),
    ("CSeq without a number", _message(OPTIONS, change={"CSeq": "one OPTIONS"}), {400}),
    ("a body shorter than it says", _message(INVITE, change={"Content-Length": "500"}, body="v=0"), {400}),
    ("a negative Content-Length", _message(OPTIONS, change={"Content-Length": "-1"}), {400}),
    ("Content-Length in words", _message(OPTIONS, change={"Content-Length": "ten"}), {400}),
    ("an unknown URI scheme", _message("OPTIONS soap:me SIP/2.0"), {416}),
    ("a URI that is none", _message("OPTIONS <sip:202@127.0.0.1> SIP/2.0"), {400}),
    ("no hops left", _message(OPTIONS, change={"Max-Forwards": "0"}), {200, 483}),
    ("Max-Forwards in words", _message(OPTIONS, change={"Max-Forwards": "many"}), {400}),
    ("an unknown method", _message("FROBNICATE sip:202@127.0.0.1 SIP/2.0"), {405, 501}),
    ("an unknown extension required", _message(OPTIONS, extra="Require: nothingSupportsThis\r\n"), {420}),
    ("an answer nobody waits for", _message("SIP/2.0 200 OK", change={"CSeq": "1 INVITE"}), {DROP}),
    ("an ACK out of nowhere", _message("ACK sip:202@127.0.0.1 SIP/2.0"), {DROP}),
    ("a BYE out of nowhere", _message("BYE sip:202@127.0.0.1 SIP/2.0", change={"To": "<sip:202@x>;tag=9"}), {481}),
    ("a CANCEL out of nowhere", _message("CANCEL sip:202@127.0.0.1 SIP/2.0"), {481}),
    ("sixty kilobytes of headers", _message(OPTIONS, extra="X-Padding: " + "x" * 60000 + "\r\n"), {DROP, 400, 513}),
    ("a thousand Via lines", _message(OPTIONS, extra="Via: SIP/2.0/UDP h\r\n" * 1000), {DROP, 400, 513}),
    ("a quote that never ends", _message(OPTIONS, change={"From": '"half <sip:201@127.0.0.1>;tag=1'}), {400}),
    ("a tag that is missing", _message(OPTIONS, change={"From": "<sip:201@127.0.0.1>"}), {200, 400}),
]


def _numbers(value: object) -> Iterator[int]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, int):
        yield value


def _dropped(status: Any) -> int:
    """The sum of every drop counter in the live dump."""
    if not isinstance(status, dict):
        return 0
    return sum(sum(_numbers(value)) if "drop" in str(key) else _dropped(value) for key, value in status.items())


@pytest.mark.parametrize(("datagram", "allowed"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_a_malformed_datagram_is_answered_or_dropped_and_counted(
    server: Server, datagram: bytes, allowed: set[int]
) -> None:
    with Phone(server.address, "201", host="127.0.2.1") as phone:
        before = _dropped(server.json("status")) if DROP in allowed else 0
        phone.send(datagram.replace(b"HERE", f"{phone.address[0]}:{phone.address[1]}".encode()))
        answer = phone.receive(0.4 if DROP in allowed else 2)
        if answer is None:
            assert DROP in allowed, f"no answer, one of {allowed} is due"
            assert _dropped(server.json("status")) > before, "dropped, but not counted"
        else:
            assert answer.status in allowed, answer.raw.decode()
        phone.send(_message(OPTIONS).replace(b"HERE", f"{phone.address[0]}:{phone.address[1]}".encode()))
        assert phone.final_answer("OPTIONS").status


def test_an_unknown_extension_is_named_in_the_refusal(server: Server) -> None:
    with Phone(server.address, "201", host="127.0.2.2") as phone:
        phone.send(phone.request("OPTIONS", "sip:127.0.0.1", headers=[("Require", "nothingSupportsThis")]))
        assert "nothingSupportsThis" in phone.final_answer("OPTIONS").first("unsupported")


def test_a_keep_alive_is_no_message(server: Server) -> None:
    with Phone(server.address, "201", host="127.0.2.3") as phone:
        before = _dropped(server.json("status"))
        phone.send(b"\r\n\r\n")
        assert phone.receive(0.3) is None
        assert _dropped(server.json("status")) == before


def test_an_answer_goes_back_to_where_the_request_came_from(server: Server) -> None:
    """RFC 3581: the Via of a phone behind NAT is wrong, `rport` says so."""
    with Phone(server.address, "201", host="127.0.2.4") as phone:
        phone.send(_message(OPTIONS).replace(b"HERE", b"192.0.2.7:5060"))
        via = phone.final_answer("OPTIONS").first("via")
        assert f"rport={phone.address[1]}" in via
        assert f"received={phone.address[0]}" in via


def test_a_trusted_terminal_is_nobody_from_another_address(server: Server) -> None:
    with Phone(server.address, "301", host="127.0.0.99") as stranger:
        stranger.dial("201").expect(401, 407)
    with Phone(server.address, "301", host=CALLER) as trusted:
        trusted.dial("999").expect(404, timeout_s=12)


def _seconds(function: Callable[[], Message]) -> tuple[int, float]:
    started = time.monotonic()
    return function().status, time.monotonic() - started


def test_guessing_slows_down_while_others_are_served(server: Server) -> None:
    with (
        Phone(server.address, "209", password_of("209"), host="127.0.0.5") as guesser,
        Phone(server.address, "210", password_of("210"), host="127.0.0.6") as customer,
    ):
        for _ in range(10):
            assert guesser.register(password=token("Wrong-1_")).status == 401
        tried: list[int] = []
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            tried.append(guesser.register(password=token("Wrong-1_")).status)
            status, seconds = _seconds(customer.register)
            assert status == 200
            assert seconds < 0.5
        assert tried.count(401) <= 3, f"more than a try a second: {tried}"
        assert set(tried) <= {401, 503}
        eventually(lambda: guesser.register().status == 200, "the right password is accepted when it is slow enough")


@pytest.mark.row("SEC-9")
def test_a_stranger_who_floods_is_limited_and_a_phone_elsewhere_is_served(server: Server) -> None:
    with (
        Phone(server.address, "201", host="127.0.2.5") as stranger,
        Phone(server.address, "210", password_of("210"), host="127.0.2.6") as phone,
    ):
        here = f"{stranger.address[0]}:{stranger.address[1]}".encode()
        refusal = None
        for _ in range(40):
            for _ in range(50):
                stranger.send(_message(OPTIONS).replace(b"HERE", here))
            answers = iter(lambda: stranger.receive(0.05), None)
            refusal = refusal or next((each for each in answers if each is not None and each.status == 503), None)
        assert refusal is not None, "nobody told the stranger to come back later"
        assert int(refusal.first("retry-after")) >= 2
        assert server.json("status")["overload"]["rate"]["postponed"] > 0
        eventually(lambda: phone.register().status == 200, "a phone at another address registers")


def test_a_server_that_offers_overload_control_is_told_the_load(server: Server) -> None:
    with Phone(server.address, "201", host="127.0.2.7") as peer:
        offer = f'SIP/2.0/UDP HERE;branch=z9hG4bK{token()};rport;oc;oc-algo="loss"'
        here = f"{peer.address[0]}:{peer.address[1]}".encode()
        peer.send(_message(OPTIONS, change={"Via": offer}).replace(b"HERE", here))
        via = peer.final_answer("OPTIONS").first("via")
        assert ";oc=0;" in via
        assert 'oc-algo="loss"' in via
