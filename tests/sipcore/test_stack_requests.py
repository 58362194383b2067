"""What the stack does with requests before anybody is asked, and how it answers: RFC 3261 §8.2, §9.2, §12.2.2, §18.2.

A stranger at 10.0.0.9:5060 sends bytes; the answers are read from the wire.
"""

import pytest

from sipcore.build import response_to
from sipcore.events import InviteArrived, RequestArrived
from sipcore.flow import Flow
from sipcore.message import Response
from sipcore.parse import parse_message
from tests.support.stranger import STRANGER, TCP, UDP, US, Bench, text


def status_of(data: str, *extensions: str) -> int:
    responses = Bench({*extensions}).send(data)
    return responses[0].status if responses else 0


# --- what is passed on, what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH"])
def test_a_request_outside_a_dialog_is_told(method: str) -> None:
    bench = Bench()
    assert bench.send(text(method)) == []
    assert [type(event) for event in bench.events()] == [RequestArrived]
    assert bench.stack.counts[method] == 1


def test_an_invite_is_told_and_gets_a_100_when_nobody_reacts() -> None:
    bench = Bench()
    bench.send(text("INVITE"))
    assert [type(event) for event in bench.events()] == [InviteArrived]
    assert bench.stack.deadline() == 1000.2
    bench.stack.on_timer(1000.2)
    assert [response.status for response in bench.responses()] == [100]


@pytest.mark.parametrize("method", ["BREW", "invite", "A.B!%*_+`'~"])
def test_an_unknown_method_is_not_implemented(method: str) -> None:
    bench = Bench()
    response = bench.send(text(method))[0]
    assert response.status == 501
    assert "INVITE" in (response.headers.get("allow") or "")
    assert bench.events() == []


@pytest.mark.parametrize("uri", ["http://10.0.0.1/", "nobodyKnowsThisScheme:totallyopaquecontent", "mailto:a@b.c"])
def test_an_unknown_uri_scheme_is_refused_with_416(uri: str) -> None:
    assert status_of(text(uri=uri)) == 416


@pytest.mark.parametrize("uri", ["sip:1@h", "sips:1@h", "tel:+1234"])
def test_known_schemes_are_not(uri: str) -> None:
    assert status_of(text(uri=uri)) == 0


def test_required_extensions_that_are_unknown_are_named() -> None:
    response = Bench().send(text("INVITE", extra="Require: 100rel, nothingKnown\r\nRequire: more\r\n"))[0]
    assert response.status == 420
    assert response.headers.values("unsupported") == ["100rel", "nothingKnown", "more"]


def test_a_known_extension_may_be_required() -> None:
    assert status_of(text("INVITE", extra="Require: 100rel\r\n"), "100rel") == 0


@pytest.mark.parametrize(("hops", "status"), [("0", 0), ("70", 0), ("255", 0), ("-1", 400), ("x", 400), ("99999", 400)])
def test_max_forwards_of_a_request_that_ends_here(hops: str, status: int) -> None:
    assert status_of(text(max_forwards=hops)) == status


@pytest.mark.parametrize(
    "extra",
    ["Contact: <sip:a@b\r\n", "Contact: sip:a b\r\n", "Record-Route: nonsense\r\n", 'Record-Route: "\r\n'],
)
def test_an_invite_that_no_dialog_can_be_made_of_is_malformed(extra: str) -> None:
    assert status_of(text("INVITE", extra=extra)) == 400


def test_an_unreadable_require_is_malformed() -> None:
    assert status_of(text(extra='Require: "a, b\r\n')) == 400


# --- merged and repeated --------------------------------------------------------------------------------------


def test_a_copy_over_another_path_of_a_fork_is_merged() -> None:
    bench = Bench()
    bench.send(text("INVITE", branch="z9hG4bK-1"))
    assert bench.send(text("INVITE", branch="z9hG4bK-2"))[0].status == 482
    assert len(bench.events()) == 1
    bench.send(text("ACK", branch="z9hG4bK-2", to_tag="x", cseq="1 ACK"))
    bench.now += 10.0
    bench.stack.on_timer(bench.now)  # the merged one is forgotten, the first is not
    bench.responses()
    assert bench.send(text("INVITE", branch="z9hG4bK-3"))[0].status == 482


def test_a_register_may_come_over_several_paths() -> None:
    bench = Bench()
    bench.send(text("REGISTER", branch="z9hG4bK-1"))
    assert bench.send(text("REGISTER", branch="z9hG4bK-2")) == []
    assert len(bench.events()) == 2


def test_a_copy_of_a_request_gets_its_answer_again_and_is_not_told_again() -> None:
    bench = Bench()
    assert bench.send(text()) == bench.send(text()) == []
    (event,) = bench.events()
    first = bench.respond(event, 200)
    assert bytes(bench.send(text())[0]) == bytes(first)
    assert bench.events() == []
    bench.now += 40.0
    bench.wait_until_idle()


def test_a_stateless_challenge_keeps_nothing_and_repeats_the_same_to_tag() -> None:
    bench = Bench()
    tags = set()
    for _ in range(3):
        bench.send(text("REGISTER"))
        (event,) = bench.events()
        tags.add(bench.respond(event, 401, keep=False).to.tag)
        assert bench.stack.is_idle()
        assert bench.stack.deadline() is None
    assert len(tags) == 1
    bench.send(text("REGISTER", branch="z9hG4bK-other"))
    assert bench.respond(bench.events()[0], 401, keep=False).to.tag not in tags


def test_an_answer_to_what_is_gone_is_dropped() -> None:
    bench = Bench()
    bench.send(text())
    (event,) = bench.events()
    bench.respond(event, 401, keep=False)
    assert isinstance(event, RequestArrived)
    bench.stack.respond(event.key, response_to(event.request, 200), bench.now)
    assert bench.responses() == []


# --- dialogs that do not exist --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "UPDATE", "PRACK"])
def test_a_request_in_an_unknown_dialog_gets_481(method: str) -> None:
    bench = Bench()
    assert bench.send(text(method, to_tag="unknown"))[0].status == 481
    assert bench.events() == []


def test_an_ack_of_nothing_is_counted() -> None:
    bench = Bench()
    assert bench.send(text("ACK", to_tag="x")) == []
    assert bench.stack.drops["stray_ack"] == 1


def test_a_response_to_nothing_is_counted() -> None:
    bench = Bench()
    bench.send("SIP/2.0 200 OK\r\n" + text().split("\r\n", 1)[1])
    assert bench.stack.drops["stray_response"] == 1
    assert bench.stack.is_idle()


def test_a_cancel_of_nothing_gets_481() -> None:
    bench = Bench()
    assert bench.send(text("CANCEL"))[0].status == 481
    assert bench.events() == []


def test_a_cancel_of_an_invite_that_nobody_took_yet() -> None:
    bench = Bench()
    bench.send(text("INVITE"))
    (arrived,) = bench.events()
    responses = bench.send(text("CANCEL"))
    assert [(response.status, response.cseq.method) for response in responses] == [(200, "CANCEL"), (487, "INVITE")]
    assert len({response.to.tag for response in responses}) == 1  # §9.2
    assert [type(event).__name__ for event in bench.events()] == ["InviteWithdrawn"]
    assert isinstance(arrived, InviteArrived)
    assert bench.stack.accept_session(arrived.key, "<sip:w0>") is None
    bench.wait_until_idle()


def test_a_cancel_after_the_refusal_changes_nothing() -> None:
    bench = Bench()
    bench.send(text("INVITE"))
    bench.respond(bench.events()[0], 486)
    assert [response.status for response in bench.send(text("CANCEL"))] == [200]
    assert bench.events() == []


# --- inside a dialog ------------------------------------------------------------------------------------------


def in_call() -> tuple[Bench, str]:
    """A call that stands, and our tag."""
    bench = Bench()
    bench.send(text("INVITE", cseq="10 INVITE"))
    (arrived,) = bench.events()
    assert isinstance(arrived, InviteArrived)
    session = bench.stack.accept_session(arrived.key, "<sip:w0@10.0.0.1>")
    assert session is not None
    bench.stack.perform(session, session.answer(b"v=0\r\n", bench.now), bench.now)
    bench.responses()
    bench.send(text("ACK", branch="z9hG4bK-ack", to_tag=session.local_tag, cseq="10 ACK"))
    assert [type(event).__name__ for event in bench.events()] == ["SessionConfirmed"]
    return bench, session.local_tag


def inside(bench: Bench, tag: str, method: str, cseq: int, **fields: str) -> Response:
    data = text(method, branch=f"z9hG4bK-{method}{cseq}", to_tag=tag, cseq=f"{cseq} {method}", **fields)
    return bench.send(data)[0]


def test_a_lower_cseq_number_is_out_of_order() -> None:
    bench, tag = in_call()
    assert inside(bench, tag, "OPTIONS", 12).status == 200
    for number in (11, 10, 1):
        response = inside(bench, tag, "OPTIONS", number)
        assert (response.status, response.reason) == (500, "CSeq Out of Order")
    assert inside(bench, tag, "OPTIONS", 4000).status == 200  # gaps are fine


@pytest.mark.parametrize("wrong", ["to_tag", "from_tag", "call_id"])
def test_a_request_that_misses_the_dialog_by_one_part_gets_481(wrong: str) -> None:
    bench, tag = in_call()
    fields = {"to_tag": tag, "from_tag": "f", "call_id": "c1"} | {wrong: "other"}
    assert bench.send(text("BYE", branch="z9hG4bK-b", cseq="11 BYE", **fields))[0].status == 481
    assert bench.events() == []
    assert inside(bench, tag, "BYE", 12).status == 200


def test_methods_that_a_session_does_not_know_are_not_allowed() -> None:
    bench, tag = in_call()
    for number, method in enumerate(("NOTIFY", "MESSAGE"), 11):
        response = inside(bench, tag, method, number)
        assert response.status == 405
        assert response.headers.get("allow")
    assert inside(bench, tag, "BREW", 30).status == 501
    assert inside(bench, tag, "OPTIONS", 31).status == 200


def test_an_ack_with_another_number_acknowledges_nothing() -> None:
    bench = Bench()
    bench.send(text("INVITE", cseq="10 INVITE"))
    (arrived,) = bench.events()
    assert isinstance(arrived, InviteArrived)
    session = bench.stack.accept_session(arrived.key, "<sip:w0@10.0.0.1>")
    assert session is not None
    bench.stack.perform(session, session.answer(b"v=0\r\n", bench.now), bench.now)
    bench.send(text("ACK", branch="z9hG4bK-ack", to_tag=session.local_tag, cseq="9 ACK"))
    assert bench.events() == []
    assert session.state.name == "ANSWERED"


def test_record_routes_become_the_route_set_in_order() -> None:
    bench = Bench()
    routes = "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n"
    bench.send(text("INVITE", extra=routes))
    (arrived,) = bench.events()
    assert isinstance(arrived, InviteArrived)
    session = bench.stack.accept_session(arrived.key, "<sip:w0@10.0.0.1>")
    assert session is not None
    bench.stack.perform(session, session.answer(b"v=0\r\n", bench.now), bench.now)
    assert bench.responses()[0].headers.values("record-route") == [
        "<sip:p2.example.com;lr>",
        "<sip:p1.example.com;lr>",
    ]
    bench.send(text("ACK", branch="z9hG4bK-ack", to_tag=session.local_tag))
    bench.stack.perform(session, session.end(bench.now), bench.now)
    bye = parse_message(bench.stack.outgoing()[0].data)
    assert bye.headers.values("route") == ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]


# --- where responses go (§18.2.2, RFC 3581) -------------------------------------------------------------------

NATTED = Flow("UDP", US, ("203.0.113.7", 40000))


@pytest.mark.parametrize(
    ("via", "flow", "target", "written"),
    [
        ("SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-1", UDP, STRANGER, ""),
        ("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-1", UDP, STRANGER, ""),
        ("SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK-1", UDP, ("10.0.0.9", 5070), ""),
        ("SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK-1;rport", UDP, STRANGER, ";received=10.0.0.9;rport=5060"),
        ("SIP/2.0/UDP 192.168.1.2:5060;branch=z9hG4bK-1", NATTED, NATTED.remote, ";received=203.0.113.7"),
        (
            "SIP/2.0/UDP 192.168.1.2:5060;rport;branch=z9hG4bK-1",
            NATTED,
            NATTED.remote,
            ";received=203.0.113.7;rport=40000",
        ),
        ("SIP/2.0/UDP phone.example.com;branch=z9hG4bK-1", NATTED, NATTED.remote, ";received=203.0.113.7"),
        ("SIP/2.0/TCP 10.0.0.9:5070;branch=z9hG4bK-1", TCP, STRANGER, ""),
    ],
)
def test_where_the_response_goes(via: str, flow: Flow, target: tuple[str, int], written: str) -> None:
    bench = Bench()
    bench.stack.receive(text("BREW", via=via).encode(), flow, bench.now)
    ((data, used),) = bench.stack.outgoing()
    assert used.remote == target
    top = parse_message(data).via
    if written:
        wanted = dict(part.split("=") for part in written.strip(";").split(";"))
        assert {name: top.params.get(name) for name in wanted} == wanted
    else:
        assert top.received is None


def test_only_the_top_via_is_ours_to_write_into() -> None:
    bench = Bench()
    vias = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-2;rport, SIP/2.0/UDP a.example.com;branch=z9hG4bK-1;rport"
    response = bench.send(text("BREW", via=vias))[0]
    values = response.headers.values("via")
    assert values[1] == "SIP/2.0/UDP a.example.com;branch=z9hG4bK-1;rport"
    assert "received=10.0.0.9" in values[0]


# --- flows that close -----------------------------------------------------------------------------------------


def test_a_closed_flow_fails_what_waits_on_it_and_nothing_else() -> None:
    bench = Bench()
    other = Flow("TCP", US, ("10.0.0.8", 5060), 5)
    bench.stack.receive(text("INVITE", branch="z9hG4bK-1", call_id="one").encode(), TCP, bench.now)
    bench.stack.receive(text("INVITE", branch="z9hG4bK-2", call_id="two").encode(), other, bench.now)
    first, second = bench.events()
    bench.stack.flow_closed(TCP, bench.now)
    (withdrawn,) = bench.events()
    assert withdrawn.key == first.key  # type: ignore[union-attr]
    assert bench.respond(second, 486).status == 486


def test_a_request_of_ours_on_a_closed_flow_fails_with_503() -> None:
    bench = Bench()
    request = parse_message(text().encode())
    request.headers.remove("via")
    bench.stack.send(request, TCP, bench.now, user="me")  # type: ignore[arg-type]
    bench.stack.flow_closed(TCP, bench.now)
    (event,) = bench.events()
    assert (event.user, event.status, event.response) == ("me", 503, None)  # type: ignore[union-attr]


def test_a_request_of_ours_without_an_answer_times_out_with_408() -> None:
    bench = Bench()
    request = parse_message(text().encode())
    request.headers.remove("via")
    bench.stack.send(request, UDP, bench.now, user="me")  # type: ignore[arg-type]
    bench.now += 32.0
    bench.stack.on_timer(bench.now)
    (event,) = bench.events()
    assert (event.user, event.status) == ("me", 408)  # type: ignore[union-attr]


def test_the_live_dump_counts_what_is_held() -> None:
    bench, _ = in_call()
    shown = bench.stack.describe()
    assert shown["sessions"] == {"confirmed": 1}
    assert shown["server_transactions"] == 1
    assert bench.stack.usages_alive == 1


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\x00\x00\x00\x00"])
def test_keep_alives_are_counted_and_not_answered(data: bytes) -> None:
    bench = Bench()
    assert bench.send(data) == []
    assert bench.stack.counts["keep-alive"] == 1


def test_every_message_passes_the_tap() -> None:
    bench = Bench()
    seen: list[tuple[bytes, bool]] = []
    bench.stack.tap = lambda data, _, inbound: seen.append((data[:7], inbound))
    bench.send(text("BREW"))
    assert seen == [(b"BREW si", True), (b"SIP/2.0", False)]
