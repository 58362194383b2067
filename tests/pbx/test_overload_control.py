"""Overload control between servers, RFC 7339: what the Via of a response says."""

import pytest

from pbx.gate import Gate
from pbx.overload import FIRST_COST_S, KNOWN_S, NEW_S, Level, OverloadControl
from sipcore.flow import Flow
from sipcore.headers import Via
from sipcore.overload import OverloadReport, with_overload
from sipcore.parse import parse_message
from tests.pbx.test_overload import request
from tests.support.fakenet import FakeNet

OFFER = 'SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKa;oc;oc-algo="loss,A"'
FLOW = Flow("UDP", ("127.0.0.1", 5060), ("10.0.0.5", 5062))


def told(via: str, report: OverloadReport) -> dict[str, str | None]:
    params = with_overload(Via.parse(via), report).params
    return {name: params.get(name) for name in ("oc", "oc-algo", "oc-validity", "oc-seq")}


def test_who_offers_it_is_told_how_much_to_keep_back() -> None:
    assert told(OFFER, OverloadReport(20, 1282321615.7826)) == {
        "oc": "20",
        "oc-algo": "loss",
        "oc-validity": "500",
        "oc-seq": "1282321615.783",
    }


def test_calm_is_told_as_well() -> None:
    found = told(OFFER, OverloadReport(0, 7.0))
    assert (found["oc"], found["oc-validity"]) == ("0", "0")


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa",
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa;oc",
        'SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa;oc;oc-algo="rate"',
        'SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa;oc-algo="loss"',
        'SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa;oc=5;oc-algo="loss"',
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa;ocean;oc-algo=loss",
    ],
)
def test_who_does_not_offer_what_we_speak_gets_its_via_back(via: str) -> None:
    parsed = Via.parse(via)
    assert with_overload(parsed, OverloadReport(20, 1.0)) is parsed


def test_the_answer_of_the_stack_carries_it() -> None:
    net = FakeNet()
    server = net.add("server")
    server.stack.overload = lambda: OverloadReport(35, 9.5)
    server.stack.receive(request("FETCH", via=OFFER), FLOW, 0.0)
    [answer] = [parse_message(data) for data, _ in server.stack.outgoing()]
    assert answer.via.params.get("oc") == "35"


def test_a_refusal_carries_it() -> None:
    subject = Gate(lambda: 1.1 * NEW_S / FIRST_COST_S, lambda _: False, now=lambda: 5.0)
    answer = subject.judge(request("INVITE", via=OFFER), FLOW)
    assert answer is not None
    assert parse_message(answer).via.params.get("oc") == "10"


def test_the_reduction_follows_what_is_refused() -> None:
    control = OverloadControl()
    assert control.reduction == 0
    control.measure(1.0, 1.1 * NEW_S / FIRST_COST_S)
    assert (control.level, control.reduction) == (Level.NEW, 10)
    for number in range(80):
        if number % 4:
            control.refuses(known=False)
        else:
            control.fed()
    control.measure(2.5, 1.1 * NEW_S / FIRST_COST_S)
    assert control.reduction == 75
    control.measure(2.6, 1.1 * KNOWN_S / FIRST_COST_S)
    assert control.reduction >= 50
