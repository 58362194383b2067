"""A queue over kill -9 and over SIGTERM: agents are as they were, callers have their places back."""

import signal
from pathlib import Path

import pytest

from bench.wire import sdp
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.ua import Phone, eventually, registered

OFFICE = "\n".join(
    [
        *(terminal(number, trust=CALLER) for number in ("301", "302")),
        *(terminal(number, password=password_of(number)) for number in ("401", "402")),
        '[[queues]]\nnumber = "500"\nagents = ["401", "402"]\nmax_wait = 0',
    ]
)


def waiting(server: Server) -> list[str]:
    return [each["number"] for each in server.json("queues")[0]["waiting"]]


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_who_waited_is_served_in_the_order_of_before(tmp_path: Path, how: str) -> None:
    site = Site.write(tmp_path, OFFICE, sip="qualify = 0")
    with (
        Phone(site.sip, "301", host=CALLER) as one,
        Phone(site.sip, "302", host=CALLER) as two,
    ):
        with running(site) as server:
            with registered(server.address, "402", password_of("402"), host=CALLEE) as agent:
                code = agent.dial("*90500")
                code.expect(200)
                code.acknowledge()
                code.expect_hang_up(timeout_s=10.0)
            for phone in (one, two):
                call = phone.dial("500")
                call.expect(180)
                eventually(lambda number=phone.number: waiting(server)[-1:] == [number], "the caller waits")  # type: ignore[misc]
            eventually(lambda: "queue-places" in str(_kept(site)), "the places are on the disk")
            if how == "SIGKILL":
                server.kill()
            else:
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(10)
        for phone in (one, two):
            phone.forget_calls()
        with running(site) as server:
            assert [each["number"] for each in server.json("queues")[0]["agents"]] == ["401"], "402 is logged out"
            calls = []
            for phone in (two, one):
                calls.append(phone.dial("500"))
                calls[-1].expect(180)
            assert waiting(server) == ["301", "302"]
            with registered(server.address, "401", password_of("401"), host=CALLEE) as agent:
                ring = agent.wait_for_call()
                assert ring.invite is not None
                assert "sip:301@" in ring.invite.first("from")
                ring.reply(200, sdp(agent.address))
                agent.expect("ACK")
                calls[1].expect(200)
                calls[1].acknowledge()
                calls[1].hang_up()
                ring.expect_hang_up()
            calls[0].give_up()


def _kept(site: Site) -> bytes:
    return b"".join(path.read_bytes() for path in site.data.glob("zvon.db*"))
