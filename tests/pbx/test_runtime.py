"""The server as it is wired: real loopback sockets, virtual time, a fake engine."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conf.schema import Settings
from features.terminal_call import TerminalCall
from features.test_numbers import ECHO_NUMBER, Echo
from media.api import CreateEndpoint
from pbx.apps import Apps
from pbx.control.messages import ControlError
from pbx.control.place import DataFolderLock, data_folder
from pbx.runtime import Server
from storage.memory import MemoryStorage
from storage.ports import HistoryQuery, Storage, StorageUnavailable
from storage.records import Office, OfficeChange, Terminal
from tests.support.builders import sdp, terminal
from tests.support.fakemedia import FakeMedia

OFFICE = Office("Test", terminals=(terminal("101", trust="127.0.0.1"), terminal("102")))
LOOPBACK = {"udp": ["127.0.0.1:0"], "tcp": ["127.0.0.1:0"]}
DOCUMENT = '[office]\nname = "Test"\n[[terminals]]\nnumber = "101"\ntrust = "127.0.0.1"\npassword = "Secret-101"\n'


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    sip: object = LOOPBACK,
    storage: Storage | None = None,
    office: Office = OFFICE,
    **settings: object,
) -> AsyncIterator[tuple[Server, FakeMedia]]:
    lock = DataFolderLock.acquire(folder)
    engine = FakeMedia()
    try:
        server = Server(
            Settings.model_validate({"sip": sip, **settings}),
            lock,
            storage or MemoryStorage(),
            engine,
            office,
            apps=Apps({Terminal: TerminalCall}, {ECHO_NUMBER: Echo()}, {}),
        )
        yield server, engine
    finally:
        lock.release()


class Datagrams:
    """A phone without a stack."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.to = server._listeners.of("UDP")[0].bound
        self._count = 0

    def send(self, method: str, number: str, *extra: str, body: bytes = b"", cseq: int = 1, call: str = "one") -> None:
        port = self.socket.getsockname()[1]
        lines = [
            f"{method} sip:{number}@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{call}{cseq};rport",
            f"From: <sip:101@127.0.0.1>;tag=a{call}",
            f"Call-ID: {call}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:101@127.0.0.1:{port}>",
            *extra,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        if not any(line.startswith("To:") for line in extra):
            lines.append(f"To: <sip:{number}@127.0.0.1>")
        self.socket.sendto("\r\n".join([*lines, "", ""]).encode() + body, self.to)

    async def receive(self) -> str:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            return (await loop.sock_recv(self.socket, 65535)).decode()

    async def status(self) -> int:
        while True:
            text = await self.receive()
            status = int(text.split(" ", 2)[1])
            if status >= 200:
                return status

    def close(self) -> None:
        self.socket.close()


async def settled() -> None:
    """Loopback sockets are not virtual: let what was sent arrive."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_a_server_starts_names_its_listeners_serves_a_call_and_stops(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with serving(tmp_path, storage=storage) as (server, engine):
        ready = await server.start()
        (udp, tcp) = (server._listeners.of("UDP")[0].bound, server._listeners.of("TCP")[0].bound)
        assert ready == f"udp:127.0.0.1:{udp[1]},tcp:127.0.0.1:{tcp[1]}"
        phone = Datagrams(server)
        try:
            phone.send("INVITE", ECHO_NUMBER, body=sdp("127.0.0.1", 41000))
            assert await phone.status() == 200
            assert len(engine.of(CreateEndpoint)) == 1
            (shown,) = await server.calls()
            assert (shown.to_number, shown.state) == (ECHO_NUMBER, "talking")
            status = await server.status()
            counted = {"guests": 0, "guests_refused": 0}
            assert status["calls"] == {"calls": 1, "legs": 1, "draining": False, **counted}
            assert await server.hangup(shown.id)
            assert not await server.hangup("nothing")
        finally:
            phone.close()
        await server.stop()
        assert engine.endpoints == {}
        (row,) = await server.history(HistoryQuery())
        assert row.cause == "operator"


async def test_a_port_in_use_is_a_sentence_and_nothing_stays_open(tmp_path: Path) -> None:
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    try:
        sip = {"udp": ["127.0.0.1:0", f"127.0.0.1:{port}"], "tcp": ["127.0.0.1:0"]}
        async with serving(tmp_path, sip=sip) as (server, _):
            with pytest.raises(ControlError) as refusal:
                await server.start()
    finally:
        taken.close()
    assert str(refusal.value) == (
        f"cannot listen on udp 127.0.0.1:{port}: it is in use by another program; "
        "change [sip] udp in the settings or stop that program"
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_address_of_another_machine_is_a_sentence(tmp_path: Path, transport: str) -> None:
    async with serving(tmp_path, sip=LOOPBACK | {transport: ["192.0.2.1:5060"]}) as (server, _):
        with pytest.raises(ControlError, match=f"cannot listen on {transport} .*does not have that address"):
            await server.start()


async def test_registrations_of_before_the_restart_are_there_and_expire(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with serving(tmp_path, storage=storage) as (server, _):
        await server.start()
        phone = Datagrams(server)
        phone.send("REGISTER", "101", "Expires: 600")
        assert await phone.status() == 200
        phone.close()
        await server.stop()
    async with serving(tmp_path, storage=storage) as (server, _):
        await server.start()
        (shown,) = await server.registrations()
        assert (shown.number, shown.transport) == ("101", "udp")
        assert shown.expires_in_s == pytest.approx(600, abs=5)
        await asyncio.sleep(700)
        assert list(await server.registrations()) == []
        await server.stop()


async def test_an_office_is_applied_while_calls_go_on(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with serving(tmp_path, storage=storage) as (server, _):
        await server.start()
        phone = Datagrams(server)
        phone.send("REGISTER", "101", "Expires: 600", call="reg")
        assert await phone.status() == 200
        phone.send("INVITE", ECHO_NUMBER, body=sdp("127.0.0.1", 41000))
        assert await phone.status() == 200
        text = DOCUMENT.replace('"101"', '"103"').replace("Secret-101", "Long-Enough_1")
        plan = await server.plan(text, "office.toml")
        assert not plan.applied
        assert {(change.action, change.key) for change in plan.changes} >= {("remove", "101"), ("add", "103")}
        assert len(list(await server.registrations())) == 1, "a plan changes nothing"
        applied = await server.apply(text, "office.toml")
        assert applied.applied
        assert list(await server.registrations()) == []
        assert len(list(await server.calls())) == 1
        assert (await storage.offices.load()).terminals[0].number == "103"
        assert [each.number for each in server.office.terminals] == ["103"]
        assert '"103"' in await server.export(with_secrets=False)
        phone.send("INVITE", "102", body=sdp("127.0.0.1", 41000), call="two")
        assert await phone.status() == 404, "103 trusts the address now; 102 is gone"
        phone.close()
        await server.stop()


async def test_a_wrong_office_changes_nothing_and_is_explained(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, _):
        for act in (server.plan, server.apply):
            with pytest.raises(ControlError, match=r"office\.toml"):
                await act("[[terminals]]\nnumbr = 1\n", "office.toml")
        assert server.office == OFFICE


class FullDisk(MemoryStorage):
    def __init__(self) -> None:
        super().__init__()
        self.offices = self  # type: ignore[assignment]
        self.cdrs = self  # type: ignore[assignment]

    def append(self, row: object) -> None: ...

    async def change(self, change: OfficeChange) -> None:
        raise StorageUnavailable("the disk is full")

    async def query(self, query: HistoryQuery) -> None:
        raise StorageUnavailable("the disk is full")


async def test_a_database_that_refuses_changes_nothing_and_is_explained(tmp_path: Path) -> None:
    async with serving(tmp_path, storage=FullDisk()) as (server, _):
        with pytest.raises(ControlError, match="nothing was changed: the disk is full"):
            await server.apply(DOCUMENT, "office.toml")
        assert server.office == OFFICE
        with pytest.raises(ControlError, match="the disk is full"):
            await server.history(HistoryQuery())


async def test_a_drain_refuses_new_calls_and_waits_for_old_ones(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, _):
        await server.start()
        phone = Datagrams(server)
        phone.send("INVITE", ECHO_NUMBER, body=sdp("127.0.0.1", 41000))
        assert await phone.status() == 200
        draining = asyncio.create_task(server.drain(20))
        await settled()
        phone.send("INVITE", ECHO_NUMBER, body=sdp("127.0.0.1", 41000), call="two")
        assert await phone.status() == 503
        began = asyncio.get_running_loop().time()
        await draining
        assert asyncio.get_running_loop().time() - began == pytest.approx(20, abs=1)
        phone.close()
        await server.stop()


def test_the_data_folder_is_the_given_one_or_that_of_the_settings() -> None:
    settings = Settings.model_validate({"data": "somewhere"})
    assert data_folder(settings, None) == Path("somewhere")
    assert data_folder(settings, Path("here")) == Path("here")
