"""The call flows of RFC 3665 section 3 that need proxies or a redirect server, message by message, by number."""

import pytest

from sipcore.build import new_request
from sipcore.dialog.session import InviteSession
from sipcore.events import SessionEnded
from sipcore.headers import Contact
from sipcore.message import Request
from sipcore.proxy.plan import Answer, Verdict
from sipcore.uri import parse_uri
from tests.support.callers import answer, leave, ring
from tests.support.fakenet import FakeNet, Node
from tests.support.proxies import Callee, ProxyNode, between, call_over, last


class TwoProxies:
    """Alice, her proxy, Bob's proxy, Bob: the trapezoid."""

    def __init__(self, taken: object = answer) -> None:
        self.net = FakeNet()
        self.alice = self.net.add("alice")
        self.one, self.two = ProxyNode(self.net, "one"), ProxyNode(self.net, "two")
        self.bob = Callee(self.net, "bob", taken)  # type: ignore[arg-type]
        self.one.serve("bob", self.one.router.to("two"))
        self.two.serve("bob", self.two.router.to("bob"))

    def over(self, session: InviteSession) -> SessionEnded:
        (ended,) = [each for each in self.alice.session_events(session) if isinstance(each, SessionEnded)]
        return ended

    def done(self) -> None:
        self.net.run_out()
        assert all(node.stack.is_idle() for node in self.net.nodes.values())


def ring_then_answer(node: Node, session: InviteSession) -> None:
    ring(node, session)
    node.net.after(1.0, lambda: node.perform(session, "answer", b"v=0\r\n"))


def test_3_2_session_establishment_through_two_proxies() -> None:
    flow = TwoProxies(ring_then_answer)
    call = call_over(flow.alice, "one")
    flow.net.step_until(3.0)
    assert call.state.name == flow.bob.session.state.name == "CONFIRMED"
    assert between(flow.net, "alice", "one") == ["INVITE", "ACK"]
    assert between(flow.net, "one", "two") == ["INVITE", "ACK"]
    assert between(flow.net, "two", "bob") == ["INVITE", "ACK"]
    assert between(flow.net, "bob", "two") == ["180 INVITE", "200 INVITE"]
    assert between(flow.net, "one", "alice") == ["180 INVITE", "200 INVITE"]
    invite = last(flow.net, "INVITE", "bob")
    assert invite.headers.values("record-route") == ["<sip:two;lr>", "<sip:one;lr>"]
    assert len(invite.headers.values("via")) == 3
    assert invite.headers.get("max-forwards") == "68"
    assert last(flow.net, "ACK", "bob").headers.values("route") == []
    flow.bob.node.perform(flow.bob.session, "end")
    flow.net.step_until(4.0)
    assert between(flow.net, "bob", "two")[-1] == "BYE"
    assert between(flow.net, "two", "one")[-1] == "BYE"
    assert flow.over(call).status == 200
    flow.done()


def test_3_3_session_with_multiple_proxy_authentication() -> None:
    flow = TwoProxies()

    def asking(realm: str, forward: Verdict) -> object:
        def rule(request: Request) -> Verdict:
            if any(realm in value for value in request.headers.raw("proxy-authorization")):
                return forward
            return Answer(407, [("Proxy-Authenticate", f'Digest realm="{realm}", nonce="n"')])

        return rule

    flow.one.serve("bob", asking("one", flow.one.router.to("two")))  # type: ignore[arg-type]
    flow.two.serve("bob", asking("two", flow.two.router.to("bob")))  # type: ignore[arg-type]
    first = call_over(flow.alice, "one")
    flow.net.step_until(1.0)
    assert flow.over(first).status == 407
    one = 'Digest username="alice", realm="one", nonce="n", uri="sip:bob@home", response="0"'
    second = call_over(flow.alice, "one", cseq=2, Proxy_Authorization=one)
    flow.net.step_until(2.0)
    ended = flow.over(second)
    assert ended.status == 407
    assert ended.response is not None
    assert 'realm="two"' in (ended.response.headers.get("proxy-authenticate") or "")
    flow.one.serve("bob", flow.one.router.to("two"))
    third = call_over(flow.alice, "one", cseq=3, Proxy_Authorization=one.replace('"one"', '"two"'))
    flow.net.step_until(3.0)
    assert third.state.name == "CONFIRMED"
    flow.alice.perform(third, "end")
    flow.done()


def test_3_4_successful_session_with_proxy_failure() -> None:
    """The first proxy is dead: the caller's transaction times out and it takes the second one."""
    flow = TwoProxies()
    del flow.net.nodes["one"]
    first = call_over(flow.alice, "one")
    flow.net.step_until(33.0)
    assert flow.over(first).status == 408
    second = call_over(flow.alice, "two")
    flow.net.step_until(34.0)
    assert second.state.name == "CONFIRMED"
    flow.alice.perform(second, "end")
    flow.done()


def test_3_5_session_through_a_sip_alg() -> None:
    """An element that stays in the path by Record-Route; everything of the dialog passes it."""
    net = FakeNet()
    alice, alg = net.add("alice"), ProxyNode(net, "alg")
    bob = Callee(net, "bob")
    alg.serve("bob", alg.router.to("bob"))
    call = call_over(alice, "alg")
    net.step_until(1.0)
    alice.perform(call, "modify", b"v=0\r\n")
    net.step_until(2.0)
    alice.perform(call, "end")
    net.run_out()
    assert between(net, "alice", "bob") == between(net, "bob", "alice") == []
    assert between(net, "alg", "bob")[:3] == ["INVITE", "ACK", "INVITE"]
    assert bob.session.state.name == "ENDED"


def test_3_6_session_via_redirect_and_proxy_servers() -> None:
    flow = TwoProxies()
    flow.one.serve("bob", Answer(302, [("Contact", "<sip:bob@two>")]))
    first = call_over(flow.alice, "one")
    flow.net.step_until(1.0)
    ended = flow.over(first)
    assert ended.status == 302
    assert ended.response is not None
    assert [str(each.uri) for each in ended.response.headers.all(Contact)] == ["sip:bob@two"]
    assert between(flow.net, "alice", "one") == ["INVITE", "ACK"]
    second = call_over(flow.alice, "two")
    flow.net.step_until(2.0)
    assert second.state.name == "CONFIRMED"
    flow.alice.perform(second, "end")
    flow.done()


def test_3_8_unsuccessful_no_answer() -> None:
    flow = TwoProxies(ring)
    call = call_over(flow.alice, "one")
    flow.net.step_until(10.0)
    flow.alice.perform(call, "end")
    flow.net.step_until(11.0)
    assert between(flow.net, "alice", "one") == ["INVITE", "CANCEL", "ACK"]
    assert between(flow.net, "one", "alice") == ["180 INVITE", "200 CANCEL", "487 INVITE"]
    assert between(flow.net, "two", "bob") == ["INVITE", "CANCEL", "ACK"]
    assert between(flow.net, "bob", "two") == ["180 INVITE", "200 CANCEL", "487 INVITE"]
    assert flow.over(call).status == 487
    flow.done()


@pytest.mark.parametrize(
    ("status", "title"), [(486, "3.9 busy"), (480, "3.11 temporarily unavailable"), (603, "declined")]
)
def test_3_9_and_3_11_unsuccessful(status: int, title: str) -> None:
    flow = TwoProxies(lambda node, session: node.perform(session, "reject", status))
    call = call_over(flow.alice, "one")
    flow.net.step_until(1.0)
    assert flow.over(call).status == status, title
    assert between(flow.net, "two", "bob") == ["INVITE", "ACK"]
    assert between(flow.net, "one", "two") == ["INVITE", "ACK"]
    assert between(flow.net, "one", "alice") == [f"{status} INVITE"]
    flow.done()


def test_3_10_unsuccessful_no_response_from_user_agent() -> None:
    flow = TwoProxies(leave)
    del flow.net.nodes["bob"]
    flow.two.serve("bob", flow.two.router.to("bob"))
    call = call_over(flow.alice, "one")
    flow.net.step_until(0.5)
    assert between(flow.net, "two", "one") == ["100 INVITE"]
    flow.net.step_until(40.0)
    assert between(flow.net, "two", "bob") == ["INVITE"] * 7
    assert flow.over(call).status == 408
    flow.done()


def test_a_request_that_is_no_invite_passes_both_proxies() -> None:
    flow = TwoProxies()
    options = new_request(
        "OPTIONS",
        parse_uri("sip:bob@home"),
        from_="<sip:alice@alice>;tag=a",
        to="<sip:bob@home>",
        call_id="o1",
        cseq=1,
    )
    flow.alice.stack.send(options, flow.alice.flow_to("one"), flow.net.now)
    flow.net.settle()
    flow.net.step_until(1.0)
    assert between(flow.net, "one", "alice") == ["200 OPTIONS"]
    assert last(flow.net, "OPTIONS", "bob").headers.values("record-route") == []
    flow.done()
