"""SIP over TLS on loopback sockets: handshakes good and bad, plain text, slow clients, a certificate that changes."""

import asyncio
import datetime as dt
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from pbx.certificate import make_self_signed
from sipcore.errors import DropReason
from sipcore.transport import tcp
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.tls import TlsListener
from sipcore.transport.tls_layer import KeyPair, TlsIdentity
from tests.sipcore.test_transport_tcp import FIRST, SECOND, STATUS, Office, Peer, turns, wait_for

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Two certificates with their keys."""
    made = []
    for name in ("one.test", "two.test"):
        folder = tmp_path_factory.mktemp(name)
        made.append((folder / "certificate.pem", folder / "key.pem"))
        make_self_signed(*made[-1], [name, "127.0.0.1"], NOW)
    return made


@pytest.fixture
def files(pairs: list[tuple[Path, Path]], tmp_path: Path) -> tuple[Path, Path]:
    here = tmp_path / "certificate.pem", tmp_path / "key.pem"
    copy(pairs[0], here)
    return here


def copy(source: tuple[Path, Path], target: tuple[Path, Path]) -> None:
    for old, new in zip(source, target, strict=True):
        new.write_bytes(old.read_bytes())


class SecureOffice(Office):
    """The office of the TCP tests behind TLS."""

    def __init__(self, identity: TlsIdentity) -> None:
        super().__init__()
        self.identity = identity
        self.listener = TlsListener(self.driver, AdvertisedAddress(), self.identity)

    def dropped(self, reason: DropReason) -> int:
        return self.driver.stack.drops[reason]


@asynccontextmanager
async def secure_office(files: tuple[Path, Path], identity: TlsIdentity | None = None) -> AsyncIterator[SecureOffice]:
    made = SecureOffice(identity or TlsIdentity(*files))
    await made.listener.listen("127.0.0.1", 0)
    try:
        yield made
    finally:
        made.listener.close()
        await made.driver.close()
        await turns()


def trusting(certificate: Path, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.maximum_version = newest
    return context


async def connect(made: Office, certificate: Path, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Peer:
    context = trusting(certificate, newest=newest)
    return Peer(*await asyncio.open_connection(*made.listener.bound, ssl=context, server_hostname="127.0.0.1"))


async def plain(made: Office) -> Peer:
    return Peer(*await asyncio.open_connection(*made.listener.bound))


async def exchange(files: tuple[Path, Path], newest: ssl.TLSVersion) -> None:
    async with secure_office(files) as made:
        peer = await connect(made, files[0], newest)
        peer.send(FIRST)
        assert (await peer.receive()).startswith(STATUS)
        peer.send(b"\r\n\r\n")
        assert await peer.receive() == b"\r\n"
        peer.send(SECOND[:100])
        await asyncio.sleep(0.01)
        peer.send(SECOND[100:])
        assert (await peer.receive()).startswith(STATUS)
        event = made.told[0]
        assert event.flow.transport == "TLS"  # type: ignore[union-attr]
        assert event.flow.secure  # type: ignore[union-attr]
        await peer.close()
        await wait_for(lambda: not made.listener._connections)


@pytest.mark.real_loop
async def test_a_conversation_on_a_real_loop(files: tuple[Path, Path]) -> None:
    await exchange(files, ssl.TLSVersion.TLSv1_3)


@pytest.mark.real_loop("uvloop")
async def test_a_conversation_on_uvloop(files: tuple[Path, Path]) -> None:
    await exchange(files, ssl.TLSVersion.TLSv1_3)


@pytest.mark.real_loop
async def test_a_conversation_over_tls_1_2(files: tuple[Path, Path]) -> None:
    await exchange(files, ssl.TLSVersion.TLSv1_2)


@pytest.mark.real_loop
async def test_a_long_message_takes_many_records(files: tuple[Path, Path]) -> None:
    body = b"x" * 60_000
    long = FIRST.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body
    async with secure_office(files) as made:
        peer = await connect(made, files[0])
        peer.send(long)
        assert (await peer.receive()).startswith(STATUS)
        await peer.close()


@pytest.mark.real_loop
@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated:DeprecationWarning")
async def test_tls_1_1_is_refused_and_counted(files: tuple[Path, Path]) -> None:
    async with secure_office(files) as made:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(OSError, match=r"(?i)version|alert|reset"):
            await asyncio.open_connection(*made.listener.bound, ssl=context)
        await wait_for(lambda: made.dropped(DropReason.TLS_HANDSHAKE) == 1)
        assert not made.listener._connections


@pytest.mark.parametrize("data", [FIRST, b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"\x00"])
async def test_plain_text_on_the_tls_port_is_closed_and_counted(files: tuple[Path, Path], data: bytes) -> None:
    async with secure_office(files) as made:
        peer = await plain(made)
        peer.send(data)
        assert await peer.until_closed() == b""
        assert made.dropped(DropReason.TLS_PLAIN_TEXT) == 1
        assert made.told == []
        await peer.close()


async def test_rubbish_that_begins_like_tls_is_closed_with_an_alert_and_counted(files: tuple[Path, Path]) -> None:
    async with secure_office(files) as made:
        peer = await plain(made)
        peer.send(b"\x16\x03\x01\x00\x05hello")
        answer = await peer.until_closed()
        assert answer[:1] in (b"", b"\x15")
        assert made.dropped(DropReason.TLS_HANDSHAKE) == 1
        await peer.close()


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01"])
async def test_a_handshake_that_does_not_end_is_closed_in_time_and_counted(
    files: tuple[Path, Path], first: bytes
) -> None:
    async with secure_office(files) as made:
        peer = await plain(made)
        begun = made.driver.now()
        peer.send(first)
        await peer.until_closed()
        assert made.driver.now() - begun == pytest.approx(tcp.HANDSHAKE_TIMEOUT_S, abs=0.1)
        assert made.dropped(DropReason.TLS_SLOW_HANDSHAKE) == 1
        await peer.close()


@pytest.mark.real_loop
async def test_a_record_that_was_tampered_with_ends_the_connection(files: tuple[Path, Path]) -> None:
    async with secure_office(files) as made:
        peer = await connect(made, files[0])
        peer.send(FIRST)
        await peer.receive()
        (connection,) = made.listener._connections
        connection.data_received(b"\x17\x03\x03\x00\x20" + b"z" * 32)
        await wait_for(lambda: not made.listener._connections)
        assert made.dropped(DropReason.TLS_RECORD) == 1
        peer.writer.transport.abort()
        await turns()


@pytest.mark.real_loop
async def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    files: tuple[Path, Path], pairs: list[tuple[Path, Path]]
) -> None:
    async with secure_office(files) as made:
        old = await connect(made, pairs[0][0])
        old.send(FIRST)
        await old.receive()
        copy(pairs[1], files)
        made.identity.reload()
        new = await connect(made, pairs[1][0])
        for peer, data in ((new, FIRST.replace(b"one", b"new").replace(b"K-1", b"K-n")), (old, SECOND)):
            peer.send(data)
            assert (await peer.receive()).startswith(STATUS)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(made, pairs[0][0])
        await old.close()
        await new.close()


@pytest.mark.real_loop
async def test_a_broken_pair_changes_nothing(files: tuple[Path, Path], pairs: list[tuple[Path, Path]]) -> None:
    async with secure_office(files) as made:
        copy((pairs[1][0], pairs[0][1]), files)
        with pytest.raises(ssl.SSLError):
            made.identity.reload()
        peer = await connect(made, pairs[0][0])
        peer.send(FIRST)
        assert (await peer.receive()).startswith(STATUS)
        await peer.close()


@contextmanager
def _server_context(files: tuple[Path, Path]) -> Iterator[ssl.SSLContext]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    yield context


@pytest.mark.real_loop
async def test_a_connection_of_ours_sends_what_waited_for_the_handshake(files: tuple[Path, Path]) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            seen.append(data)
        writer.close()

    with _server_context(files) as context:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with secure_office(files) as made:
        host, port = server.sockets[0].getsockname()[:2]
        made.ask(host, port)
        made.ask(host, port)
        await wait_for(lambda: b"".join(seen).count(b"OPTIONS sip:") == 2)
        assert b"Via: SIP/2.0/TLS 127.0.0.1:" in b"".join(seen)
        assert len(made.listener._connections) == 1
    server.close()


@pytest.mark.real_loop
async def test_a_peer_without_tls_is_unreachable(files: tuple[Path, Path]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"SIP/2.0 400 What\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with secure_office(files) as made:
        made.ask(*server.sockets[0].getsockname()[:2])
        await wait_for(lambda: made.outcomes() == [503])
        assert made.dropped(DropReason.TLS_HANDSHAKE) == 1
    server.close()


# --- several host names, certificates of clients ---------------------------------------------------------------------


async def shown_to(made: SecureOffice, name: str) -> bytes:
    """The certificate that a client sees who asks for that host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(*made.listener.bound, ssl=context, server_hostname=name)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await turns()
    return bytes(found)


@pytest.mark.real_loop
async def test_each_host_name_has_its_certificate(pairs: list[tuple[Path, Path]], files: tuple[Path, Path]) -> None:
    first, second = (ssl.PEM_cert_to_DER_cert(pair[0].read_text()) for pair in pairs)
    other = KeyPair(*pairs[1], ("two.test", "*.shops.test"))
    async with secure_office(files, TlsIdentity(*files, [other])) as made:
        for name, expected in {
            "one.test": first,
            "two.test": second,
            "TWO.Test": second,
            "a.shops.test": second,
            "a.b.shops.test": first,
            "shops.test": first,
            "": first,
        }.items():
            assert await shown_to(made, name) == expected, name
        made.identity.reload([KeyPair(*pairs[1], ("new.test",))])
        assert await shown_to(made, "two.test") == first
        assert await shown_to(made, "new.test") == second


@pytest.mark.real_loop
@pytest.mark.parametrize(
    ("shows", "name"), [("ours", "one.test"), ("ours", "two.test"), ("foreign", "one.test"), ("", "two.test")]
)
async def test_phones_may_have_to_show_a_certificate(
    tmp_path: Path, pairs: list[tuple[Path, Path]], files: tuple[Path, Path], shows: str, name: str
) -> None:
    authority, phone = make_phone_certificate(tmp_path / "ours")
    _, foreign = make_phone_certificate(tmp_path / "foreign")
    identity = TlsIdentity(*files, [KeyPair(*pairs[1], ("two.test",))], authority)
    async with secure_office(files, identity) as made:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if shows:
            context.load_cert_chain(*(phone if shows == "ours" else foreign))
        peer = Peer(*await asyncio.open_connection(*made.listener.bound, ssl=context, server_hostname=name))
        peer.send(FIRST)
        if shows == "ours":
            assert (await peer.receive()).startswith(STATUS)
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)certificate|unknown ca"):
                await peer.receive()
            assert made.dropped(DropReason.TLS_HANDSHAKE) == 1
            assert made.told == []
        peer.writer.transport.abort()
        await turns()


def make_phone_certificate(folder: Path) -> tuple[Path, tuple[Path, Path]]:
    """An authority, and a phone's certificate and key that it has signed; made by openssl."""
    folder.mkdir()
    authority, request, phone, key = (folder / name for name in ("ca.pem", "phone.csr", "phone.pem", "phone.key"))
    signing = ["-CA", authority, "-CAkey", folder / "ca.key", "-CAcreateserial"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    commands: list[list[object]] = [
        ["req", "-x509", *curve, "-subj", f"/CN={folder.name}", "-out", authority, "-keyout", folder / "ca.key"],
        ["req", *curve, "-subj", "/CN=desk 201", "-out", request, "-keyout", key],
        ["x509", "-req", "-in", request, *signing, "-out", phone],
    ]
    for command in commands:
        subprocess.run(["openssl", *map(str, command)], capture_output=True, check=True)
    return authority, (phone, key)
