"""NAT with a real router between: phones behind it, and the server behind it (REG-5, REG-6)."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.wire import audio_of, sdp
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.netns import INSIDE, OUTSIDE, ROUTER, SERVER, UDP_IDLE_S, WORLD, Net, is_possible
from tests.e2e.softphone import softphone
from tests.e2e.ua import Phone, eventually

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, iproute2 and nftables")


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def server_at(net: Net, where: str, address: str, folder: Path, sip: str = "") -> Iterator[Server]:
    """Zvon in a namespace, with the terminals 201 and 202."""
    folder.mkdir(exist_ok=True)
    site = Site(folder, (address, 5060), (12000, 12099))
    site.write_config(sip=sip)
    site.office.write_text(
        "\n".join(terminal(number, password=password_of(number)) for number in ("201", "202", "203"))
    )
    with net.inside(where), running(site) as server:
        yield server


@contextmanager
def phone_at(net: Net, where: str, host: str, server: str, number: str) -> Iterator[Phone]:
    """A registered phone, its socket in a namespace."""
    with net.inside(where):
        phone = Phone((server, 5060), number, password_of(number), host=host)
    with phone:
        assert phone.register(expires_s=600).status == 200, phone.heard
        yield phone


def rtp_at(net: Net, where: str, host: str, ssrc: int) -> RtpSocket:
    with net.inside(where):
        return RtpSocket(host, ssrc)


def talk(caller: Phone, callee: Phone, near: RtpSocket, far: RtpSocket) -> tuple[str, str]:
    """A call with sound both ways; the addresses that each side was told for media."""
    call = caller.dial(callee.number, near.address)
    ring = callee.wait_for_call()
    ring.reply(180)
    call.expect(180)
    ring.reply(200, sdp(far.address, (8,)))
    answer = call.expect(200)
    call.acknowledge()
    callee.expect("ACK")
    told = audio_of(answer.body).address
    heard = exchange([(near, told, tone(440, 2)), (far, ring.offered, tone(700, 2))])
    for packets, hz in zip(heard, (700, 440), strict=True):
        assert abs(dominant_hz(sound_of(packets)[4000:]) - hz) < 5
    call.request("BYE")
    ring.expect_hang_up()
    caller.expect(200)
    return told[0], ring.offered[0]


@pytest.mark.row("REG-5")
def test_a_softphone_behind_nat_registers_is_called_and_both_hear_each_other(net: Net, tmp_path: Path) -> None:
    """baresip behind a router that changes every port; it is called from outside."""
    ping = "keepalive = 1"  # this router forgets faster than those of this world
    with server_at(net, "server", SERVER, tmp_path / "server", ping) as server, ExitStack() as stack:
        with net.inside("inside"):
            made = softphone(tmp_path / "a", (SERVER, 5060), "201", password_of("201"), tone(440, 20), host=INSIDE)
            hidden = stack.enter_context(made)
        hidden.wait_until_registered()
        (binding,) = server.json("registrations")
        assert INSIDE in binding["contact"]
        assert binding["received"].startswith(f"{OUTSIDE}:")
        caller = stack.enter_context(phone_at(net, "world", WORLD, SERVER, "202"))
        rtp = stack.enter_context(rtp_at(net, "world", WORLD, 7))
        call = caller.dial("201", rtp.address)
        hidden.wait_for("CALL_INCOMING")
        hidden.accept()
        answer = call.expect(200)
        call.acknowledge()
        (heard,) = exchange([(rtp, audio_of(answer.body).address, tone(700, 3))])
        assert abs(dominant_hz(sound_of(heard)[4000:]) - 440) < 5
        call.hang_up()
        hidden.wait_for("CALL_CLOSED")
        assert abs(dominant_hz(hidden.heard()[8000:16000]) - 700) < 5


@pytest.mark.row("REG-5")
def test_a_silent_phone_behind_nat_can_be_called_long_after_the_router_would_have_forgotten_it(
    net: Net, tmp_path: Path
) -> None:
    with (
        server_at(net, "server", SERVER, tmp_path, "keepalive = 1\nqualify = 0") as server,
        phone_at(net, "inside", INSIDE, SERVER, "201") as hidden,
        phone_at(net, "world", WORLD, SERVER, "202") as caller,
        rtp_at(net, "inside", INSIDE, 1) as near,
        rtp_at(net, "world", WORLD, 2) as far,
    ):
        time.sleep(2 * UDP_IDLE_S)
        assert server.json("status")["phones"]["pings"] >= UDP_IDLE_S
        talk(caller, hidden, far, near)


def test_without_keep_alives_that_phone_is_lost(net: Net, tmp_path: Path) -> None:
    """What the test above proves is not the router's kindness."""
    with (
        server_at(net, "server", SERVER, tmp_path, "keepalive = 0\nqualify = 0"),
        phone_at(net, "inside", INSIDE, SERVER, "201") as hidden,
        phone_at(net, "world", WORLD, SERVER, "202") as caller,
    ):
        time.sleep(2 * UDP_IDLE_S)
        call = caller.dial("201")
        assert hidden.receive(2.0) is None
        call.cancel()


@pytest.mark.row("REG-6")
def test_a_server_behind_nat_tells_each_side_the_address_it_can_reach(net: Net, tmp_path: Path) -> None:
    """The world gets the router's address in signalling and SDP, the local network that of the machine."""
    net.forward(5060)
    net.forward(12000, 12099)
    with (
        server_at(net, "inside", INSIDE, tmp_path, f'external = "{OUTSIDE}"') as server,
        phone_at(net, "world", WORLD, OUTSIDE, "201") as outside,
        phone_at(net, "router", ROUTER, INSIDE, "202") as local,
        rtp_at(net, "world", WORLD, 1) as far,
        rtp_at(net, "router", ROUTER, 2) as near,
    ):
        assert talk(outside, local, far, near) == (OUTSIDE, INSIDE)
        assert talk(local, outside, near, far) == (INSIDE, OUTSIDE)
        invites = [message for message in outside.log if message.method == "INVITE" and not message.status]
        assert OUTSIDE in invites[-1].first("via")
        assert OUTSIDE in invites[-1].first("contact")
        eventually(lambda: len(server.json("history")) == 2, "the history rows")
