"""An INVITE that does not fit into a datagram: to a gateway it goes by TCP, and by UDP where that is refused."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import Message
from tests.e2e.conftest import CALLER
from tests.e2e.harness import Server, Site, running, terminal
from tests.e2e.ua import Phone

GATEWAY, ANOTHER = "127.0.3.7", "127.0.3.8"
OFFER = "\r\n".join(
    [
        *("v=0", "o=- 1 1 IN IP4 127.0.0.3", "s=-", "c=IN IP4 127.0.0.3", "t=0 0"),
        f"m=audio 7700 RTP/AVP 8 {' '.join(map(str, range(96, 127)))}",
        *(f"a=rtpmap:{number} some-codec-with-a-long-name-{number}/8000" for number in range(96, 127)),
        "",
    ]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("large")
    numbers = {"301": CALLER, "401": GATEWAY, "402": ANOTHER}
    office = "\n".join(terminal(number, trust=host) for number, host in numbers.items())
    with running(Site.write(folder, office)) as server:
        yield server


def test_a_gateway_gets_it_over_tcp(server: Server) -> None:
    with socket.create_server((GATEWAY, 5060)) as listener, Phone(server.address, "301", host=CALLER) as caller:
        listener.settimeout(5)
        call = caller.dial("401", offer=OFFER)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            data = b""
            while b"name-126/8000" not in data:
                data += connection.recv(65536)
        invite = Message.parse(data)
        assert invite.method == "INVITE"
        assert len(data) > 1300
        assert invite.first("via").startswith("SIP/2.0/TCP ")
        call.cancel()


def test_a_gateway_without_tcp_gets_it_as_a_datagram(server: Server) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway,
        Phone(server.address, "301", host=CALLER) as caller,
    ):
        gateway.bind((ANOTHER, 5060))
        gateway.settimeout(5)
        call = caller.dial("402", offer=OFFER)
        data, source = gateway.recvfrom(65536)
        invite = Message.parse(data)
        assert invite.first("via").startswith("SIP/2.0/UDP ")
        head = [line for line in data.decode().split("\r\n\r\n")[0].split("\r\n")[1:] if not line.startswith("Content")]
        kept = [line for line in head if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        gateway.sendto("\r\n".join(["SIP/2.0 486 Busy Here", *kept, "Content-Length: 0", "", ""]).encode(), source)
        call.expect(486)
