"""SIP over UDP on loopback sockets, the advertised address, and tokens from the system's randomness."""

import asyncio
import socket
import sys

import pytest

from sipcore.build import response_to
from sipcore.events import RequestArrived, StackEvent
from sipcore.ids import MAGIC_COOKIE
from sipcore.stack import SipStack, StackConfig
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import SipDriver
from sipcore.transport.random_ids import RandomIds
from sipcore.transport.udp import UdpListener
from tests.support.ids import CountingIds
from tests.support.stranger import text


class Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self.received.put_nowait(data)


async def exchange(host: str = "127.0.0.1", client: str = "127.0.0.5") -> None:
    """A request from a client, its answer, and a stray port that is remembered as a flow."""

    def handle(event: StackEvent) -> None:
        assert isinstance(event, RequestArrived)
        driver.stack.respond(event.key, response_to(event.request, 200, to_tag="t"), driver.now())

    driver = SipDriver(SipStack(StackConfig(), CountingIds()), handle)
    listener = await UdpListener.open(driver, AdvertisedAddress(), host, 0)
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(Client, local_addr=(client, 0))
    own = transport.get_extra_info("sockname")
    via = "SIP/2.0/UDP 192.168.7.7:5060;branch=z9hG4bK-1;rport"
    transport.sendto(text(via=via).encode(), listener.bound)
    data = await asyncio.wait_for(peer.received.get(), 5.0)
    assert data.startswith(b"SIP/2.0 200 OK\r\n")
    assert f"received={client}".encode() in data
    assert f"rport={own[1]}".encode() in data
    flow = listener.flow_to(client, own[1])
    assert flow == listener.flow_to(client, own[1])
    assert (flow.local, flow.remote) == (listener.bound, own[:2])
    transport.sendto(b"\r\n\r\n", listener.bound)
    transport.sendto(b"\x00" * 2000, listener.bound)
    await asyncio.sleep(0.05)
    assert driver.stack.counts["keep-alive"] == 1
    assert driver.stack.drops["not_sip"] == 1
    transport.close()
    await driver.close()
    await asyncio.sleep(0.01)


@pytest.mark.real_loop
async def test_an_exchange_on_a_real_loop() -> None:
    await exchange()


@pytest.mark.real_loop("uvloop")
async def test_an_exchange_on_uvloop() -> None:
    await exchange()


@pytest.mark.real_loop("uvloop")
async def test_an_exchange_by_ipv6() -> None:
    await exchange("::1", "::1")


async def test_a_port_in_use_is_an_os_error_and_leaves_nothing_open() -> None:
    driver = SipDriver(SipStack(StackConfig(), CountingIds()), lambda _: None)
    listener = await UdpListener.open(driver, AdvertisedAddress(), "127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await UdpListener.open(driver, AdvertisedAddress(), *listener.bound)
    await driver.close()


class FullSystem:
    """Has room for a datagram now and then."""

    def __init__(self) -> None:
        self.room, self.sent = 0, list[bytes]()

    def receive(self) -> list[tuple[bytes, tuple[str, int]]]:
        return []

    def send(self, data: bytes, remote: tuple[str, int]) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.sent.append(data)
        return True


@pytest.mark.real_loop
async def test_what_the_system_has_no_room_for_goes_later_and_in_order() -> None:
    driver = SipDriver(SipStack(StackConfig(), CountingIds()), lambda _: None)
    listener = await UdpListener.open(driver, AdvertisedAddress(), "127.0.0.1", 0)
    listener._datagrams = system = FullSystem()
    for data in (b"1", b"2", b"3"):
        listener.send(data, ("127.0.0.1", 9))
    assert system.sent == []
    await asyncio.sleep(0.01)
    system.room = 2
    await asyncio.sleep(0.01)
    assert system.sent == [b"1", b"2"]
    system.room = 2
    await asyncio.sleep(0.01)
    listener.send(b"4", ("127.0.0.1", 9))
    assert system.sent == [b"1", b"2", b"3", b"4"]
    listener.send(b"5", ("127.0.0.1", 9))
    await driver.close()
    listener.send(b"6", ("127.0.0.1", 9))
    assert system.sent == [b"1", b"2", b"3", b"4"]


# --- which address a peer is told -----------------------------------------------------------------------------------


def test_a_bound_address_is_told_as_it_is() -> None:
    assert AdvertisedAddress().towards("127.0.0.9", "127.0.0.5") == "127.0.0.5"


def test_behind_a_wildcard_the_kernel_is_asked() -> None:
    addresses = AdvertisedAddress()
    assert addresses.towards("127.0.0.9", "0.0.0.0") == "127.0.0.1"
    assert addresses.towards("::1", "::") == "::1"


def test_peers_outside_the_local_networks_are_told_the_external_address() -> None:
    addresses = AdvertisedAddress("198.51.100.4", ["10.0.0.0/8", "127.0.0.0/8"])
    assert addresses.towards("203.0.113.9", "10.0.0.1") == "198.51.100.4"
    assert addresses.towards("10.9.9.9", "10.0.0.1") == "10.0.0.1"
    assert addresses.towards("127.0.0.1", "0.0.0.0") == "127.0.0.1"


@pytest.mark.parametrize(
    ("external", "remote", "told"),
    [
        ("198.51.100.4", "2001:db8::9", "::1"),  # an IPv4 address says nothing to an IPv6 peer (REG-7)
        ("2001:db8::4", "192.0.2.9", "127.0.0.1"),
        ("2001:db8::4", "2a00:1450::9", "2001:db8::4"),
        ("2001:db8::4", "fd00::9", "::1"),
        ("2001:db8::4", "fe80::9", "::1"),
        ("2001:db8::4", "::1", "::1"),
    ],
)
def test_the_external_address_is_told_to_its_own_family_only(external: str, remote: str, told: str) -> None:
    bound = "::1" if ":" in remote else "127.0.0.1"
    assert AdvertisedAddress(external, ["127.0.0.0/8"]).towards(remote, bound) == told


@pytest.mark.row("REG-2")
def test_ports_of_the_router_are_told_with_its_address_and_only_then() -> None:
    addresses = AdvertisedAddress("198.51.100.4", ["10.0.0.0/8"], {"UDP": 15060, "TLS": 15061})
    far, near = "203.0.113.9", "10.9.9.9"
    assert addresses.at("UDP", far, ("10.0.0.1", 5060)) == ("198.51.100.4", 15060)
    assert addresses.at("TLS", far, ("10.0.0.1", 5061)) == ("198.51.100.4", 15061)
    assert addresses.at("TCP", far, ("10.0.0.1", 5060)) == ("198.51.100.4", 5060), "the same"
    assert addresses.at("UDP", near, ("10.0.0.1", 5060)) == ("10.0.0.1", 5060)
    assert addresses.at("UDP", "2a00:1450::9", ("::1", 5060)) == ("::1", 5060)


def test_an_external_address_that_changes_is_told_from_then_on() -> None:
    addresses = AdvertisedAddress("", ["10.0.0.0/8"])
    assert addresses.towards("203.0.113.9", "10.0.0.1") == "10.0.0.1"
    addresses.set_external(("198.51.100.4", "2001:db8::4"))
    assert addresses.towards("203.0.113.9", "10.0.0.1") == "198.51.100.4"
    assert addresses.towards("2a00:1450::9", "::1") == "2001:db8::4"
    assert addresses.towards("10.9.9.9", "10.0.0.1") == "10.0.0.1"
    addresses.set_external(("198.51.100.5",))
    assert addresses.towards("203.0.113.9", "10.0.0.1") == "198.51.100.5"
    assert addresses.bind_for("198.51.100.4", "127.0.0.9") == "127.0.0.1"  # of a call that began before


def test_media_is_bound_to_an_address_of_ours_not_to_the_external_one() -> None:
    addresses = AdvertisedAddress("198.51.100.4", ["127.0.0.0/8"])
    assert addresses.bind_for("127.0.0.5", "127.0.0.9") == "127.0.0.5"
    assert addresses.bind_for("198.51.100.4", "127.0.0.9") == "127.0.0.1"


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_tokens_are_unlike_each_other_and_carry_the_worker() -> None:
    ids = RandomIds("w7")
    tokens = [ids.tag() for _ in range(3000)]
    assert len(set(tokens)) == 3000
    assert {(token[:2], len(token)) for token in tokens} == {("w7", 18)}  # 64 bits in hexadecimal
    assert ids.branch().startswith(MAGIC_COOKIE + "w7")
    assert len({ids.call_id() for _ in range(100)}) == 100


def test_a_stable_tag_is_the_same_for_the_same_parts_and_known_to_nobody_else() -> None:
    ids = RandomIds()
    assert ids.stable_tag("a", "b") == ids.stable_tag("a", "b")
    assert len({ids.stable_tag("a", "b"), ids.stable_tag("ab", ""), RandomIds().stable_tag("a", "b")}) == 3


def test_fractions_lie_between_zero_and_one() -> None:
    fractions = [RandomIds().fraction() for _ in range(300)]
    assert 0.0 <= min(fractions) < 0.2
    assert 0.8 < max(fractions) < 1.0


@pytest.mark.real_loop
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long the queue is")
async def test_the_receive_queue_can_be_measured() -> None:
    driver = SipDriver(SipStack(StackConfig(), CountingIds()), lambda event: None)
    listener = await UdpListener.open(driver, AdvertisedAddress(), "127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        assert listener.waiting() == 0
        for _ in range(100):
            client.sendto(b"x" * 600, listener.bound)
        assert 50 < listener.waiting() < 200
    for _ in range(60):  # a busy machine takes its time
        if listener.waiting():
            await asyncio.sleep(0.05)
    assert listener.waiting() == 0
    await driver.close()
    assert listener.waiting() == 0


STUN = bytes.fromhex("000100002112a442b7e7a701bc34d686fa87dfae")


async def stun(host: str) -> None:
    told: list[object] = []
    driver = SipDriver(SipStack(StackConfig(), CountingIds()), told.append)
    listener = await UdpListener.open(driver, AdvertisedAddress(), host, 0)
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(Client, local_addr=(host, 0))
    own = transport.get_extra_info("sockname")[1]
    transport.sendto(STUN, listener.bound)
    transport.sendto(b"\0\0\0\0", listener.bound)
    answer = await asyncio.wait_for(peer.received.get(), 3)
    assert answer[:2] == b"\x01\x01"
    assert int.from_bytes(answer[26:28], "big") ^ 0x2112 == own
    await asyncio.sleep(0.05)
    assert driver.stack.counts["keep-alive"] == 1
    assert driver.stack.counts["stun"] == 1
    assert told == []
    transport.close()
    await driver.close()
    await asyncio.sleep(0.01)


@pytest.mark.real_loop
async def test_stun_on_the_sip_port_is_answered_and_is_no_message() -> None:
    await stun("127.0.0.1")


@pytest.mark.real_loop("uvloop")
async def test_stun_is_answered_on_ipv6() -> None:
    await stun("::1")
