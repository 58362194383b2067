"""Where an edge sends requests, and where it does not (RFC 5626 §5)."""

from dataclasses import replace

import pytest

from conf.fields import Server
from pbx.edge_routes import EdgeRouter
from pbx.nodes import Nodes
from sipcore.flow import Flow
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.proxy.forward import take_own_routes
from sipcore.proxy.plan import Answer, HopFailed, Plan, Verdict
from sipcore.proxy.token import FlowTokens
from sipcore.uri import SipUri

EDGE = ("127.0.0.1", 5060)
NODE, SPARE = ("10.0.0.5", 5060), ("10.0.0.6", 5070)
PHONE = Flow("UDP", EDGE, ("192.0.2.7", 40000), 1)
SAFE = Flow("TLS", ("127.0.0.1", 5061), ("192.0.2.8", 40001), 9)
FROM_NODE = Flow("UDP", EDGE, NODE, 1)


class Bench:
    """A router with what it asks for."""

    def __init__(self) -> None:
        self.open = {SAFE}
        self.proved: list[str] = []
        self.nodes = Nodes(
            [Server("udp", *NODE), Server("udp", *SPARE)], lambda *peer: Flow(peer[0], EDGE, peer[1:], 1)
        )
        self.tokens = FlowTokens(bytes(32), "run")
        self.router = EdgeRouter(
            self.nodes,
            self.tokens,
            external="edge.example",
            is_open=lambda flow: flow in self.open,
            datagrams=lambda local, remote: Flow("UDP", local, remote, 1) if local == EDGE else None,
            is_our_port=lambda port: port in (5060, 5061),
            proved=self.proved.append,
        )

    def ask(self, flow: Flow, method: str, uri: str, *lines: str, to_tag: str = "") -> tuple[Request, Verdict]:
        tag = f";tag={to_tag}" if to_tag else ""
        head = [f"{method} {uri} SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKx", "From: <sip:a@h>;tag=f"]
        head += [f"To: <sip:b@h>{tag}", "Call-ID: c", f"CSeq: 1 {method}", *lines, "Content-Length: 0", "", ""]
        request = parse_message("\r\n".join(head).encode())
        assert isinstance(request, Request)
        own = take_own_routes(request, self.router.is_ours)
        return request, self.router.route(request, flow, own)

    def token(self, flow: Flow) -> str:
        return f"<sip:{self.tokens.seal(flow)}@127.0.0.1:5060;lr>"


def hops(verdict: Verdict) -> list[tuple[str, int]]:
    assert isinstance(verdict, Plan)
    return [hop.flow.remote for group in verdict.groups for hop in group]


def test_a_phones_request_goes_to_the_first_node_and_then_to_the_next() -> None:
    bench = Bench()
    _, verdict = bench.ask(PHONE, "REGISTER", "sip:edge.example")
    assert hops(verdict) == [NODE, SPARE]
    assert isinstance(verdict, Plan)
    assert verdict.failover
    (path,) = verdict.groups[0][0].paths
    assert path.endswith(";lr;ob>")
    uri = SipUri.parse(path.strip("<>"))
    opened = bench.tokens.open(uri.user or "")
    assert opened == replace(PHONE, id=0)


def test_a_silent_node_is_asked_last() -> None:
    bench = Bench()
    bench.router.failed(HopFailed(bench.nodes.order()[0]))
    _, verdict = bench.ask(PHONE, "INVITE", "sip:102@edge.example")
    assert hops(verdict) == [SPARE, NODE]
    assert [each["up"] for each in bench.nodes.describe()] == [False, True]


def test_a_request_of_a_dialog_goes_to_the_node_that_has_it() -> None:
    bench = Bench()
    _, verdict = bench.ask(PHONE, "BYE", "sip:102@10.0.0.6:5070", f"Route: {bench.token(PHONE)}", to_tag="t")
    assert hops(verdict) == [SPARE]
    assert bench.proved == [PHONE.remote[0]]


@pytest.mark.parametrize(
    "lines",
    [
        ("Route: <sip:192.0.2.99;lr>",),
        ("Route: <sip:192.0.2.99>",),
        ("Route: <sip:127.0.0.1;lr>, <sip:victim.example;lr>",),
    ],
)
def test_a_phone_cannot_reach_anything_but_nodes(lines: tuple[str, ...]) -> None:
    request, verdict = Bench().ask(PHONE, "MESSAGE", "sip:x@192.0.2.99", *lines)
    assert hops(verdict) == [NODE, SPARE]
    assert request.routes() == ()


def test_a_phone_cannot_use_the_flow_of_another_phone() -> None:
    bench = Bench()
    _, verdict = bench.ask(PHONE, "MESSAGE", "sip:x@192.0.2.8", f"Route: {bench.token(SAFE)}")
    assert hops(verdict) == [NODE, SPARE]
    assert bench.proved == []


@pytest.mark.parametrize("flow", [PHONE, SAFE])
def test_a_node_reaches_the_flow_that_its_route_names(flow: Flow) -> None:
    bench = Bench()
    _, verdict = bench.ask(FROM_NODE, "INVITE", "sip:101@192.168.1.5", f"Route: {bench.token(flow)}")
    assert hops(verdict) == [flow.remote]
    assert isinstance(verdict, Plan)
    routes = verdict.groups[0][0].record_routes
    assert len(routes) == (1 if flow is PHONE else 2)
    assert all(bench.router.is_ours(SipUri.parse(each.strip("<>"))) for each in routes)


def test_a_connection_that_is_gone_is_a_430() -> None:
    bench = Bench()
    bench.open.clear()
    for flow in (SAFE, replace(PHONE, local=("127.0.0.1", 5099))):
        _, verdict = bench.ask(FROM_NODE, "INVITE", "sip:101@h", f"Route: {bench.token(flow)}")
        assert isinstance(verdict, Answer)
        assert verdict.status == 430


@pytest.mark.parametrize("route", ["", "Route: <sip:forged@127.0.0.1:5060;lr>"])
def test_a_node_that_names_no_flow_is_told_so(route: str) -> None:
    _, verdict = Bench().ask(FROM_NODE, "INVITE", "sip:101@192.0.2.7", *([route] if route else []))
    assert isinstance(verdict, Answer)
    assert verdict.status == 404


@pytest.mark.parametrize(
    ("uri", "lines"), [("sip:edge.example", ()), ("sip:127.0.0.1:5060", ()), ("sip:1@h", ("Max-Forwards: 0",))]
)
def test_the_edge_answers_options_for_itself(uri: str, lines: tuple[str, ...]) -> None:
    _, verdict = Bench().ask(PHONE, "OPTIONS", uri, *lines)
    assert isinstance(verdict, Answer)
    assert verdict.status == 200


def test_an_edge_that_is_about_to_stop_takes_nothing_new() -> None:
    bench = Bench()
    bench.router.is_draining = True
    _, verdict = bench.ask(PHONE, "INVITE", "sip:102@edge.example")
    assert isinstance(verdict, Answer)
    assert verdict.status == 503
    _, verdict = bench.ask(PHONE, "BYE", "sip:102@10.0.0.5", to_tag="t")
    assert hops(verdict) == [NODE]


def test_a_second_hop_before_us_is_not_said_to_keep_flows() -> None:
    _, verdict = Bench().ask(PHONE, "REGISTER", "sip:edge.example", "Via: SIP/2.0/UDP other;branch=z9hG4bKy")
    assert isinstance(verdict, Plan)
    assert verdict.groups[0][0].paths[0].endswith(";lr>")


def test_an_office_of_its_own_is_reached_by_its_domain_only() -> None:
    bench = Bench()
    own, spare = Server("udp", "10.0.0.7", 5060), Server("udp", *SPARE)
    domains = {"horns.example": (own,), "hooves.example": (spare, own)}
    bench.nodes = bench.router._nodes = Nodes([], lambda *peer: Flow(peer[0], EDGE, peer[1:], 1), domains)
    for uri, expected in (
        ("sip:102@horns.example", [("10.0.0.7", 5060)]),
        ("sip:HORNS.example.", [("10.0.0.7", 5060)]),
        ("sip:102@hooves.example:5060", [SPARE, ("10.0.0.7", 5060)]),
    ):
        assert hops(bench.ask(PHONE, "INVITE", uri)[1]) == expected
    for nobody in ("sip:102@edge.example", "sip:102@sub.horns.example", "sip:102@192.0.2.99"):
        verdict = bench.ask(PHONE, "INVITE", nobody)[1]
        assert isinstance(verdict, Answer)
        assert verdict.status == 404
    assert [each["domains"] for each in bench.nodes.describe()] == [
        ["hooves.example", "horns.example"],
        ["hooves.example"],
    ]
