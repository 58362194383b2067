"""Calls to and from the outside: Kamailio and other Zvons as providers, and one that dies while it rings."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.wire import sdp
from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.kamailio import provider as kamailio
from tests.e2e.test_lines import LOGIN, PASSWORD, provider, wait_for
from tests.e2e.ua import Call, Phone, eventually, registered

CALLER, SUBSCRIBER = "127.0.0.3", "127.0.0.9"
CLIENT = "79161234567"
OFFICE = terminal("201", trust=CALLER, max_calls=4)

NUMBER = f'[[external_numbers]]\nnumber = "{LOGIN}"\nprovider = "telco"\ntarget = "201"\n'
SHORT = f'[[short_numbers]]\nnumber = "77"\nto = "+{CLIENT}"\ndigits = "4#"\n'
MEETING = f'[[conferences]]\nnumber = "800"\noutside = "+{CLIENT}"\noutside_digits = "5"'


def route(name: str, provider: str, **settings: object) -> str:
    """One [[outbound_routes]] entry."""
    values = {"name": name, "provider": provider, **settings}
    return "\n".join(["[[outbound_routes]]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])


def line(id: str, server: Server, **settings: object) -> str:
    """One [[providers]] entry for another Zvon."""
    host, port = server.address
    return provider(id=id, host=host, port=port, qualify=10, **settings)


def answered(call: Call, ring: Call) -> None:
    """The other end answers, and both hang up."""
    ring.reply(200, sdp(("127.0.0.2", 9)))
    call.expect(200)
    call.acknowledge()
    ring.phone.expect("ACK")
    call.hang_up()
    ring.expect_hang_up()


def newest(server: Server) -> dict[str, object]:
    found: dict[str, object] = server.json("history")[0]
    return found


def state(server: Server, id: str) -> str:
    return str(next(each["state"] for each in server.json("lines") if each["id"] == id))


def test_kamailio_carries_calls_out_with_digest_and_brings_calls_in(tmp_path: Path) -> None:
    with Phone(("127.0.0.5", 9), CLIENT, host=SUBSCRIBER) as subscriber, ExitStack() as stack:
        telco = stack.enter_context(kamailio(tmp_path / "kamailio", PASSWORD, subscriber.address))
        subscriber.server = telco.address
        host, port = telco.address
        entry = provider(host=host, port=port, qualify=10, identity="asserted", dtmf="info")
        ways = route("All", "telco", prefix="[78]", rest=10, strip=1, prepend="+7", caller_id="74950000001")
        server = stack.enter_context(
            running(Site.write(tmp_path, "\n".join([OFFICE, entry, ways, NUMBER, SHORT, MEETING])))
        )
        wait_for(server, "registered")
        caller = stack.enter_context(registered(server.address, "201", host=CALLER))
        call = caller.dial("89161234567")
        ring = subscriber.wait_for_call()
        assert ring.invite is not None
        assert ring.invite.start.startswith(f"INVITE sip:+{CLIENT}@")
        assert f"<sip:{LOGIN}@{host}>" in ring.invite.first("from")
        assert ring.invite.first("p-asserted-identity") == f"<sip:74950000001@{host}>"
        ring.reply(180)
        call.expect(180)
        answered(call, ring)
        row = newest(server)
        assert (row["provider_out"], row["external_number"]) == ("telco", "74950000001")
        assert "is dialled as +79161234567 over telco as 74950000001" in server.command("explain", "201", CLIENT).stdout

        call = caller.dial("77")
        ring = subscriber.wait_for_call()
        ring.reply(200, sdp(("127.0.0.2", 9)))
        call.expect(200)
        call.acknowledge()
        subscriber.expect("ACK")
        for key in "4#":
            info = subscriber.expect("INFO")
            assert f"Signal={key}" in info.body
            subscriber.reply(info, 200)
        call.hang_up()
        ring.expect_hang_up()

        call = caller.dial("800")
        call.expect(200)
        call.acknowledge()
        ring = subscriber.wait_for_call()
        ring.reply(200, sdp(("127.0.0.2", 9)))
        subscriber.expect("ACK")
        info = subscriber.expect("INFO")
        assert "Signal=5" in info.body
        subscriber.reply(info, 200)
        call.hang_up()
        ring.expect_hang_up()

        incoming = subscriber.dial(LOGIN)
        ring = caller.wait_for_call()
        assert ring.invite is not None
        assert f"<sip:{CLIENT}@" in ring.invite.first("from")
        ring.reply(180)
        incoming.expect(180)
        answered(incoming, ring)
        row = newest(server)
        assert (row["provider_in"], row["external_number"], row["from_number"]) == ("telco", LOGIN, CLIENT)
        assert PASSWORD not in server.output()


@pytest.fixture
def operators(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two other Zvons: one where we register as 555, one that knows us by our address; both have the phone 777."""
    phone = terminal("777", password=password_of("777"))
    accounts = (terminal("555", password=password_of("555")), terminal("900", trust="127.0.0.1"))
    with ExitStack() as stack:
        sites = [
            Site.write(tmp_path / name, phone + "\n" + account, rtp_ports=ports)
            for name, account, ports in zip(("one", "two"), accounts, ((13000, 13099), (13100, 13199)), strict=True)
        ]
        one, two = [stack.enter_context(running(site)) for site in sites]
        yield one, two


def test_the_next_provider_is_asked_when_the_first_one_refuses_and_when_it_dies_while_it_rings(
    tmp_path: Path, operators: tuple[Server, Server]
) -> None:
    one, two = operators
    entries = [
        line("one", one, login="555", password=password_of("555")),
        line("two", two, kind="ip", login="", password=""),
        route("Any", "one", providers=["two"], prefix="7", rest=10, strip=8),
    ]
    with (
        running(Site.write(tmp_path, "\n".join([OFFICE, *entries]))) as server,
        Phone(server.address, "201", host=CALLER) as caller,
        registered(two.address, "777", password_of("777"), host=SUBSCRIBER) as second,
    ):
        eventually(lambda: state(server, "one") == "registered" and state(server, "two") == "reachable", "both lines")
        call = caller.dial("79161230777")  # nobody is registered there
        answered(call, second.wait_for_call())
        assert [row["provider_out"] for row in server.json("history")] == ["two", "one"]
        with Phone(one.address, "777", password_of("777"), host=SUBSCRIBER) as first:
            assert first.register().status == 200
            call = caller.dial("79161230777")
            ring = first.wait_for_call()
            ring.reply(180)
            call.expect(180)
            os.kill(one.process.pid, signal.SIGSTOP)  # it is there, and says nothing any more
            try:
                answered(call, second.wait_for_call(timeout_s=14.0))
            finally:
                os.kill(one.process.pid, signal.SIGCONT)
            cancelled = first.expect("CANCEL", timeout_s=8.0)
            first.reply(cancelled, 200)
            ring.reply(487)
        rows = server.json("history")[:2]
        assert [(row["provider_out"], row["disposition"]) for row in rows] == [("two", "ANSWERED"), ("one", "FAILED")]
