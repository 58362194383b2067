"""The proxy by itself: what it refuses, rewrites, tries, cancels and chooses (RFC 3261 §16)."""

import pytest

from sipcore.message import Request, Response
from sipcore.parse import parse_message
from sipcore.proxy.best import Outcome, best
from sipcore.proxy.plan import Answer, Plan
from sipcore.uri import parse_uri
from tests.support.callers import answer, leave, ring
from tests.support.fakenet import FakeNet, dropping
from tests.support.proxies import Callee, ProxyNode, between, call_over, last, text


class House:
    """Alice, one proxy, and phones behind it."""

    def __init__(self, *phones: str, net: FakeNet | None = None) -> None:
        self.net = net or FakeNet()
        self.alice = self.net.add("alice")
        self.proxy = ProxyNode(self.net, "proxy")
        self.phones = {name: Callee(self.net, name, leave) for name in phones or ("bob",)}
        self.router = self.proxy.router
        self.proxy.serve("bob", self.router.to(*self.phones))

    def ask(self, data: bytes) -> list[str]:
        """What the stranger is told within a second."""
        start = len(self.net.log)
        self.net.inject(data, "proxy")
        self.net.step_until(self.net.now - 1000.0 + 1.0)
        return [each.label for each in self.net.log[start:] if each.target == "stranger"]

    def done(self) -> None:
        self.net.run_out()
        assert all(node.stack.is_idle() for node in self.net.nodes.values())


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Max-Forwards: 0",), 483),
        (("Max-Forwards: many",), 400),
        (("Max-Forwards: 12345678901234567890",), 400),
        (("Max-Breadth: 0",), 440),
        (("Proxy-Require: foo, bar",), 420),
        (("Route: <sip:proxy;lr",), 400),
        (("Record-Route: <sip:",), 400),
    ],
)
def test_what_cannot_be_forwarded_is_refused(lines: tuple[str, ...], status: int) -> None:
    house = House()
    assert house.ask(text("MESSAGE", "sip:bob@home", *lines)) == [f"{status} MESSAGE"]
    assert between(house.net, "proxy", "bob") == []
    house.done()


def test_the_extensions_that_are_not_understood_are_named() -> None:
    house = House()
    house.ask(text("MESSAGE", "sip:bob@home", "Proxy-Require: foo, bar"))
    assert last(house.net, "420 MESSAGE", "stranger").headers.get("unsupported") == "foo, bar"


def test_an_uri_that_is_no_sip_is_refused_with_416() -> None:
    house = House()
    assert house.ask(text("MESSAGE", "mailto:bob@home")) == ["416 MESSAGE"]


def test_a_request_that_comes_back_unchanged_is_a_loop_and_one_with_another_target_a_spiral() -> None:
    house = House()
    house.proxy.serve("bob", house.router.to("proxy"))
    assert house.ask(text("MESSAGE")) == ["482 MESSAGE"]
    house.proxy.serve("carol", house.router.to("bob"))
    house.proxy.serve("bob", Plan.to(house.router.hop("proxy", uri=parse_uri("sip:carol@home"))))
    assert house.ask(text("MESSAGE", branch="z9hG4bKtwo")) == ["200 MESSAGE"]
    house.done()


def test_fields_it_does_not_know_and_the_body_pass_untouched() -> None:
    house = House()
    house.ask(text("MESSAGE", "sip:bob@home", "X-Strange:  kept ,as is", "Supported: foo"))
    passed = last(house.net, "MESSAGE", "bob")
    assert passed.headers.get("x-strange") == "kept ,as is"
    assert passed.headers.get("max-forwards") == "69"
    assert passed.headers.get("max-breadth") == "60"
    assert passed.headers.values("via")[0].startswith("SIP/2.0/UDP proxy:5060;branch=z9hG4bK")
    assert "received=stranger" not in passed.headers.values("via")[0]


def test_own_routes_are_taken_off_and_the_next_one_is_followed() -> None:
    house = House("bob", "carol")
    house.ask(text("MESSAGE", "sip:bob@home", "Route: <sip:proxy;lr>, <sip:proxy:5060;lr>, <sip:carol;lr>"))
    passed = last(house.net, "MESSAGE", "carol")
    assert passed.headers.values("route") == ["<sip:carol;lr>"]


def test_a_strict_router_before_us_is_understood() -> None:
    house = House()
    house.ask(text("MESSAGE", "sip:proxy;lr", "Route: <sip:bob@bob>"))
    passed = last(house.net, "MESSAGE", "bob")
    assert isinstance(passed, Request)
    assert (str(passed.uri), passed.headers.values("route")) == ("sip:bob@bob", [])


def test_a_strict_router_after_us_gets_itself_as_request_uri() -> None:
    house = House("bob", "carol")
    house.ask(text("MESSAGE", "sip:bob@home", "Route: <sip:proxy;lr>, <sip:carol>"))
    passed = last(house.net, "MESSAGE", "carol")
    assert isinstance(passed, Request)
    assert (str(passed.uri), passed.headers.values("route")) == ("sip:carol", ["<sip:bob@home>"])


def test_an_maddr_that_names_the_proxy_is_taken_off() -> None:
    house = House()
    house.ask(text("MESSAGE", "sip:bob@home;maddr=proxy;transport=udp"))
    passed = last(house.net, "MESSAGE", "bob")
    assert isinstance(passed, Request)
    assert str(passed.uri) == "sip:bob@home"


def test_all_phones_ring_the_first_answer_wins_and_the_others_are_told_why() -> None:
    house = House("bob", "carol", "dave")
    for phone in house.phones.values():
        phone.taken = ring
    call = call_over(house.alice, "proxy")
    house.net.step_until(1.0)
    assert between(house.net, "proxy", "alice") == ["180 INVITE"] * 3
    house.phones["carol"].node.perform(house.phones["carol"].session, "answer", b"v=0\r\n")
    house.net.step_until(2.0)
    assert call.state.name == "CONFIRMED"
    for name in ("bob", "dave"):
        assert between(house.net, "proxy", name) == ["INVITE", "CANCEL", "ACK"]
        assert "cause=200" in (last(house.net, "CANCEL", name).headers.get("reason") or "")
    house.alice.perform(call, "end")
    house.done()


def test_the_breadth_is_shared_among_the_branches_and_limits_them() -> None:
    house = House("bob", "carol", "dave")
    call_over(house.alice, "proxy", Max_Breadth="7")
    house.net.step_until(0.1)
    assert last(house.net, "INVITE", "bob").headers.get("max-breadth") == "2"
    call_over(house.alice, "proxy", Max_Breadth="2")
    house.net.step_until(0.2)
    assert between(house.net, "proxy", "dave") == ["INVITE"]
    assert between(house.net, "proxy", "carol") == ["INVITE"] * 2


def test_two_phones_that_answer_at_once_are_both_heard_of() -> None:
    house = House("bob", "carol")
    for phone in house.phones.values():
        phone.taken = answer
    call = call_over(house.alice, "proxy")
    house.net.step_until(1.0)
    assert between(house.net, "proxy", "alice").count("200 INVITE") >= 2
    assert call.state.name == "CONFIRMED"
    losers = [phone for phone in house.phones.values() if phone.session.state.name == "ENDED"]
    assert len(losers) == 1
    house.alice.perform(call, "end")
    house.done()


def test_a_6xx_ends_it_for_all_phones() -> None:
    house = House("bob", "carol")
    house.phones["bob"].taken = lambda node, session: node.perform(session, "reject", 603)
    house.phones["carol"].taken = ring
    call_over(house.alice, "proxy")
    house.net.step_until(2.0)
    assert between(house.net, "proxy", "carol") == ["INVITE", "CANCEL", "ACK"]
    assert between(house.net, "proxy", "alice")[-1] == "603 INVITE"
    house.done()


def test_groups_are_tried_one_after_the_other() -> None:
    house = House("bob", "carol")
    house.proxy.serve("bob", Plan(((house.router.hop("bob"),), (house.router.hop("carol"),))))
    house.phones["bob"].taken = lambda node, session: node.perform(session, "reject", 486)
    house.phones["carol"].taken = answer
    call = call_over(house.alice, "proxy")
    house.net.step_until(1.0)
    assert call.state.name == "CONFIRMED"
    house.alice.perform(call, "end")
    house.done()


def test_timer_c_gives_up_a_phone_that_rings_for_ever() -> None:
    house = House()
    house.phones["bob"].taken = ring
    call_over(house.alice, "proxy")
    house.net.step_until(299.0)
    assert between(house.net, "proxy", "bob") == ["INVITE"]
    house.net.step_until(301.0)
    assert between(house.net, "proxy", "bob") == ["INVITE", "CANCEL", "ACK"]
    assert between(house.net, "proxy", "alice")[-1] == "487 INVITE"
    house.done()


def test_a_phone_that_repeats_its_180_keeps_ringing() -> None:
    house = House()
    house.phones["bob"].taken = ring
    call_over(house.alice, "proxy")
    house.net.step_until(200.0)
    ring(house.phones["bob"].node, house.phones["bob"].session)
    house.net.step_until(450.0)
    assert between(house.net, "proxy", "bob") == ["INVITE"]
    house.net.step_until(600.0)
    house.done()


def test_a_cancel_waits_for_the_phone_to_say_something() -> None:
    house = House(net=FakeNet(dropping("100 INVITE", "INVITE", times=2)))
    house.phones["bob"].taken = ring
    house.net.inject(text("INVITE", "sip:bob@home", "Contact: <sip:stranger@stranger>"), "proxy")
    house.net.step_until(0.3)
    house.net.inject(text("CANCEL"), "proxy")
    house.net.step_until(0.45)
    assert between(house.net, "proxy", "bob") == ["INVITE"]
    house.net.step_until(5.0)
    assert "CANCEL" in between(house.net, "proxy", "bob")
    assert between(house.net, "proxy", "stranger")[-1] == "487 INVITE"


def test_a_cancel_for_nothing_is_refused() -> None:
    assert House().ask(text("CANCEL")) == ["481 CANCEL"]


def test_an_invite_cancelled_before_the_silent_phone_spoke_ends_with_487() -> None:
    house = House()
    del house.net.nodes["bob"]
    house.net.inject(text("INVITE", "sip:bob@home", "Contact: <sip:stranger@stranger>"), "proxy")
    house.net.inject(text("CANCEL"), "proxy")
    house.net.step_until(40.0)
    assert "487 INVITE" in between(house.net, "proxy", "stranger")
    assert "408 INVITE" not in between(house.net, "proxy", "stranger")


def test_no_408_for_a_request_that_is_no_invite_but_a_100_after_a_while() -> None:
    """RFC 4320."""
    house = House()
    del house.net.nodes["bob"]
    house.net.inject(text("MESSAGE"), "proxy")
    house.net.step_until(3.4)
    assert between(house.net, "proxy", "stranger") == []
    house.net.step_until(3.6)
    assert between(house.net, "proxy", "stranger") == ["100 MESSAGE"]
    house.net.step_until(40.0)
    assert between(house.net, "proxy", "stranger") == ["100 MESSAGE"]
    house.done()


def test_the_ack_of_a_200_gets_the_same_branch_again() -> None:
    house = House()
    for _ in range(2):
        house.net.inject(text("ACK", "sip:bob@bob", to_tag="t", branch="z9hG4bKack"), "proxy")
    house.net.step_until(1.0)
    acks = [parse_message(each.data) for each in house.net.log if each.label == "ACK"]
    assert len({str(ack.via) for ack in acks}) == 1
    assert len(acks) == 2
    house.net.inject(text("ACK", "sip:nobody@nowhere", to_tag="t"), "proxy")
    house.net.inject(text("ACK", "sip:bob@bob", "Max-Forwards: 0", to_tag="t"), "proxy")
    assert house.proxy.proxy.drops["stray_ack"] == 2


def test_a_response_that_belongs_to_nothing_is_dropped() -> None:
    """RFC 6026 §7.3."""
    house = House()
    house.net.inject(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP proxy;branch=z9hG4bKno, SIP/2.0/UDP alice;branch=z9hG4bKa\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
        "proxy",
    )
    assert between(house.net, "proxy", "alice") == []
    assert house.proxy.proxy.drops["stray_response"] == 1


class Nodes(House):
    """Two servers of the same kind."""

    def __init__(self, patience_s: float | None = None) -> None:
        super().__init__("bob", "carol")
        hop = self.router.hop
        self.proxy.serve("bob", Plan(((hop("bob"),), (hop("carol"),)), failover=True, patience_s=patience_s))
        self.phones["carol"].taken = answer


def reject(status: int, *extra: tuple[str, object]) -> object:
    return lambda node, session: node.perform(session, "reject", status, extra=extra)


@pytest.mark.parametrize("status", [404, 486, 500, 603])
def test_what_a_server_says_is_not_asked_of_the_next_one(status: int) -> None:
    nodes = Nodes()
    nodes.phones["bob"].taken = reject(status)  # type: ignore[assignment]
    call_over(nodes.alice, "proxy")
    nodes.net.step_until(1.0)
    assert between(nodes.net, "proxy", "alice") == [f"{status} INVITE"]
    assert between(nodes.net, "proxy", "carol") == []
    nodes.done()


def test_an_overloaded_server_makes_room_for_the_next_one() -> None:
    nodes = Nodes()
    nodes.phones["bob"].taken = reject(503)  # type: ignore[assignment]
    call = call_over(nodes.alice, "proxy")
    nodes.net.step_until(1.0)
    assert call.state.name == "CONFIRMED"
    nodes.alice.perform(call, "end")
    nodes.done()


def test_when_all_servers_are_overloaded_the_caller_hears_when_to_come_back() -> None:
    nodes = Nodes()
    for phone in nodes.phones.values():
        phone.taken = reject(503, ("Retry-After", 17))  # type: ignore[assignment]
    call_over(nodes.alice, "proxy")
    nodes.net.step_until(1.0)
    assert last(nodes.net, "503 INVITE", "alice").headers.get("retry-after") == "17"
    nodes.done()


def test_a_503_of_a_phone_is_no_503_of_the_proxy() -> None:
    house = House()
    house.phones["bob"].taken = reject(503)  # type: ignore[assignment]
    call_over(house.alice, "proxy")
    house.net.step_until(1.0)
    assert between(house.net, "proxy", "alice") == ["500 INVITE"]
    house.done()


def test_a_silent_server_gets_company_after_a_moment() -> None:
    nodes = Nodes(patience_s=2.0)
    del nodes.net.nodes["bob"]
    call = call_over(nodes.alice, "proxy")
    nodes.net.step_until(1.9)
    assert between(nodes.net, "proxy", "carol") == []
    nodes.net.step_until(2.5)
    assert call.state.name == "CONFIRMED"
    assert nodes.router.failures == ["bob"]
    nodes.alice.perform(call, "end")
    nodes.done()


def test_a_server_that_answers_is_given_all_the_time_it_wants() -> None:
    nodes = Nodes(patience_s=2.0)
    nodes.phones["bob"].taken = ring
    call = call_over(nodes.alice, "proxy")
    nodes.net.step_until(60.0)
    assert between(nodes.net, "proxy", "carol") == []
    nodes.alice.perform(call, "end")
    nodes.done()


def test_servers_that_cannot_be_reached_are_a_503_to_come_back_from() -> None:
    nodes = Nodes(patience_s=2.0)
    del nodes.net.nodes["bob"], nodes.net.nodes["carol"]
    nodes.net.inject(text("INVITE", "sip:bob@home", "Contact: <sip:stranger@stranger>"), "proxy")
    nodes.net.step_until(60.0)
    assert "408 INVITE" in between(nodes.net, "proxy", "stranger")
    assert nodes.router.failures == ["bob", "bob", "carol"]


def test_a_flow_that_is_gone_is_told_with_the_status_of_the_target() -> None:
    """RFC 5626 §5.3.1: 430."""
    house = House()
    flow = house.proxy.flow_to("bob", "TCP")
    hop = house.router.hop("bob", gone=430)
    house.proxy.serve("bob", Plan.to(type(hop)(flow, gone=430, name="bob")))
    house.net.inject(text("INVITE", "sip:bob@home", "Contact: <sip:stranger@stranger>"), "proxy")
    house.net.cut("proxy", "bob")
    house.net.step_until(0.4)
    assert between(house.net, "proxy", "stranger") == ["430 INVITE"]


def test_a_sender_whose_connection_closes_takes_its_call_along() -> None:
    house = House()
    house.phones["bob"].taken = ring
    house.net.inject(text("INVITE", "sip:bob@home", "Contact: <sip:s@s>"), "proxy", transport="TCP")
    house.net.step_until(1.0)
    stack, flow = house.proxy.proxy, house.proxy.flow_to("stranger", "TCP")
    stack.flow_closed(flow, house.net.now)
    house.net.settle()
    house.net.step_until(2.0)
    assert between(house.net, "proxy", "bob") == ["INVITE", "CANCEL", "ACK"]


def said(status: int, *challenges: str) -> Outcome:
    lines = "".join(f"WWW-Authenticate: {each}\r\n" for each in challenges)
    data = f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP a;branch=b\r\n{lines}Content-Length: 0\r\n\r\n"
    message = parse_message(
        data.replace(
            "\r\nContent", "\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent"
        ).encode()
    )
    assert isinstance(message, Response)
    return Outcome(status, message)


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ((486, 603, 302), 603),
        ((486, 302, 503), 302),
        ((486, 404, 401), 401),
        ((503, 500), 500),
        ((404, 486), 404),
        ((503,), 503),
    ],
)
def test_the_best_of_several_failures(statuses: tuple[int, ...], chosen: int) -> None:
    assert best([said(status) for status in statuses]).status == chosen


def test_what_was_said_counts_more_than_what_was_concluded() -> None:
    assert best([Outcome(480), said(486)]).response is not None


def test_one_repetition_can_satisfy_every_branch() -> None:
    house = House("bob", "carol")
    for name, phone in house.phones.items():
        phone.taken = reject(401, ("WWW-Authenticate", f'Digest realm="{name}", nonce="n"'))  # type: ignore[assignment]
    call_over(house.alice, "proxy")
    house.net.step_until(1.0)
    challenges = last(house.net, "401 INVITE", "alice").headers.raw("www-authenticate")
    assert sorted(challenges) == ['Digest realm="bob", nonce="n"', 'Digest realm="carol", nonce="n"']
    house.done()


def test_the_proxy_may_answer_itself() -> None:
    house = House()
    house.proxy.serve("bob", Answer(302, [("Contact", "<sip:bob@elsewhere>")]))
    assert house.ask(text("MESSAGE")) == ["302 MESSAGE"]
