"""An edge in front of a node, over real sockets: phones register and call through it, over UDP and TLS; restarts."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import Address
from tests.e2e.audio import tone
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal, zvon
from tests.e2e.sipp import Plan, Sipp, play
from tests.e2e.softphone import softphone
from tests.e2e.test_sound import assert_hears, talk
from tests.e2e.ua import Phone, connect, eventually, registered, registered_port

MEDIA: tuple[Address, Address] = (("127.0.0.1", 40200), ("127.0.0.1", 40202))
EDGE = "127.0.0.9"
PHONES = "127.0.0.3"


def office() -> str:
    people = [terminal(number, password=password_of(number), max_calls=2) for number in ("201", "202", "206", "207")]
    bound = [terminal("220", password=password_of("220"), transport="tls")]
    trusted = [terminal(number, trust=PHONES, max_calls=50) for number in ("301", "401")]
    return "\n".join([*people, *bound, *trusted])


class EdgeSite:
    """The files of an edge and of the node behind it."""

    def __init__(self, folder: Path, more_nodes: tuple[str, ...] = ()) -> None:
        self.node = Site.write(folder / "node", office(), sip=f'edges = ["{EDGE}"]')
        host, port = self.node.sip
        nodes = [f"udp:{host}:{port}", *more_nodes]
        self.tls: Address = (EDGE, free_port(EDGE))
        self.edge = Site(folder / "edge", (EDGE, free_port(EDGE)), (0, 0))
        self.edge.folder.mkdir(parents=True)
        listed = ", ".join(f'"{each}"' for each in nodes)
        listen = f"{EDGE}:{self.edge.sip[1]}"
        self.edge.config.write_text(
            f'drain_timeout = 1\n[sip]\nrole = "proxy"\nnodes = [{listed}]\n'
            f'udp = ["{listen}"]\ntcp = ["{listen}"]\ntls = ["{EDGE}:{self.tls[1]}"]\n',
            encoding="utf-8",
        )
        self.edge.office.write_text("", encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> EdgeSite:
    return EdgeSite(tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="module")
def node(site: EdgeSite) -> Iterator[Server]:
    with running(site.node) as server:
        yield server


@pytest.fixture(scope="module")
def edge(site: EdgeSite, node: Server) -> Iterator[Server]:
    with running(site.edge) as server:
        yield server


def test_phones_register_and_call_each_other_through_the_edge(edge: Server, node: Server) -> None:
    with (
        registered(edge.address, "201", password_of("201")) as one,
        registered(edge.address, "202", password_of("202")) as two,
    ):
        received = {each["number"]: each["received"] for each in node.json("registrations")}
        assert received == {phone.number: f"127.0.0.1:{phone.address[1]}" for phone in (one, two)}
        outgoing, incoming = connect(one, two, MEDIA)
        assert incoming.invite is not None
        assert len(incoming.invite.all("via")) == 2
        assert [call["from_number"] for call in node.json("calls")] == ["201"]
        incoming.hang_up()
        outgoing.expect_hang_up()
        outgoing, incoming = connect(two, one, MEDIA)
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_a_tls_phone_and_a_plain_one_call_each_other_through_the_edge(
    site: EdgeSite, edge: Server, node: Server
) -> None:
    with (
        registered(site.tls, "220", password_of("220"), transport="tls") as safe,
        registered(edge.address, "202", password_of("202")) as plain,
    ):
        outgoing, incoming = connect(safe, plain, MEDIA)
        assert len(outgoing.routes) == 2  # one Record-Route for each side of the edge
        incoming.hang_up()
        outgoing.expect_hang_up()
        outgoing, incoming = connect(plain, safe, MEDIA)
        assert incoming.invite is not None
        assert incoming.invite.first("via").startswith("SIP/2.0/TLS ")
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_a_terminal_bound_to_tls_cannot_come_in_plain_through_the_edge(edge: Server) -> None:
    with Phone(edge.address, "220", password_of("220")) as phone:
        assert phone.register().status == 401


def test_the_edge_is_no_way_to_anything_but_the_nodes(edge: Server, node: Server) -> None:
    with registered(edge.address, "201", password_of("201")) as phone, Phone(edge.address, "999") as other:
        target = f"sip:x@127.0.0.1:{other.address[1]}"
        phone.send(phone.request("MESSAGE", target, headers=[("Route", f"<{target};lr>")]))
        assert phone.final_answer("MESSAGE").status == 401  # the node was asked
        other.expect_silence(0.3)
        phone.send(phone.request("OPTIONS", f"sip:{edge.address[0]}:{edge.address[1]}"))
        assert phone.final_answer("OPTIONS").status == 200


def test_sipp_calls_through_the_edge(edge: Server, node: Server, tmp_path: Path) -> None:
    keys = {"number": "401", "to": "401", "from": "401"}
    with registered_port(edge.address, "401", PHONES) as port:
        answering = Sipp(Plan("callee_answers", edge.address, PHONES, port, keys=keys, calls=10), tmp_path)
        try:
            keys = {"from": "301", "to": "401"}
            play(Plan("caller_is_answered_and_hangs_up", edge.address, PHONES, keys=keys, calls=10), tmp_path)
            answering.finish()
        finally:
            answering.end()
    assert node.json("calls") == []


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_softphones_hear_each_other_through_the_edge(
    site: EdgeSite, edge: Server, tmp_path: Path, transport: str
) -> None:
    address = site.tls if transport == "tls" else edge.address
    accounts = [(number, password_of(number)) for number in ("206", "207")]
    with (
        softphone(tmp_path / "a", address, *accounts[0], tone(440, 20), transport) as caller,
        softphone(tmp_path / "b", address, *accounts[1], tone(700, 20), transport) as callee,
    ):
        talk(caller, callee)
        assert_hears(caller.heard(), 700)
        assert_hears(callee.heard(), 440)


def test_status_and_trace_work_at_the_edge_and_the_rest_says_where_to_ask(edge: Server, node: Server) -> None:
    with (
        registered(edge.address, "201", password_of("201")) as one,
        registered(edge.address, "202", password_of("202")) as two,
    ):
        outgoing, incoming = connect(one, two, MEDIA)
        outgoing.hang_up()
        incoming.expect_hang_up()
        ladder = edge.command("trace", outgoing.call_id).stdout
        assert "INVITE" in ladder
        assert "BYE" in ladder
    status = edge.json("status")
    assert status["role"] == "proxy"
    (behind,) = status["nodes"]
    assert behind["up"] is True
    refused = zvon("calls", data=edge.data)
    assert refused.returncode == 1
    assert "ask a node" in refused.stderr


def test_a_node_that_starts_again_knows_its_phones_behind_the_edge(tmp_path: Path) -> None:
    site = EdgeSite(tmp_path)
    with running(site.edge) as edge, contextlib.ExitStack() as stack:
        with running(site.node):
            one = stack.enter_context(Phone(edge.address, "201", password_of("201")))
            two = stack.enter_context(Phone(site.tls, "202", password_of("202"), transport="tls"))
            assert one.register().status == two.register().status == 200
        eventually(lambda: not edge.json("status")["nodes"][0]["up"], "the edge sees that the node is gone", 20.0)
        with running(site.node):
            eventually(lambda: edge.json("status")["nodes"][0]["up"], "the edge sees the node again", 10.0)
            outgoing, incoming = connect(one, two, MEDIA)
            outgoing.hang_up()
            incoming.expect_hang_up()


def test_an_edge_that_starts_again_still_reaches_its_udp_phones_and_ends_their_calls(tmp_path: Path) -> None:
    site = EdgeSite(tmp_path)
    with running(site.node), contextlib.ExitStack() as stack:
        with running(site.edge) as edge:
            one = stack.enter_context(Phone(edge.address, "201", password_of("201")))
            two = stack.enter_context(Phone(edge.address, "202", password_of("202")))
            safe = stack.enter_context(Phone(site.tls, "220", password_of("220"), transport="tls"))
            assert one.register().status == two.register().status == safe.register().status == 200
            outgoing, incoming = connect(one, two, MEDIA)
        with running(site.edge):
            incoming.hang_up()  # the call went on meanwhile
            outgoing.expect_hang_up()
            outgoing, incoming = connect(two, one, MEDIA)
            outgoing.hang_up()
            incoming.expect_hang_up()
            call = one.dial("220")  # its connection went with the old edge
            assert call.expect(480).status == 480


def test_a_second_node_takes_over_when_the_first_is_silent(tmp_path: Path) -> None:
    spare = Site.write(tmp_path / "spare", office(), sip=f'edges = ["{EDGE}"]', rtp_ports=(12800, 12899))
    site = EdgeSite(tmp_path, more_nodes=(f"udp:127.0.0.1:{spare.sip[1]}",))
    with running(spare), running(site.edge) as edge, Phone(edge.address, "201", password_of("201")) as phone:
        answer = phone.register()
        assert answer.status == 200
        nodes = edge.json("status")["nodes"]
        assert [each["up"] for each in nodes] == [False, True]


def test_a_wrong_edge_is_told_in_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "zvon.toml"
    config.write_text('[sip]\nrole = "proxy"\nnodes = ["tls:10.0.0.5:5061", "somewhere"]\n', encoding="utf-8")
    refused = zvon("check", str(config), data=tmp_path)
    assert refused.returncode == 1
    assert '"udp:10.0.0.5:5060", not "somewhere"' in refused.stderr + refused.stdout
