"""Kamailio as a process on a loopback address of its own: a proxy in front of a server, or a peer with a registrar."""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.wire import Address
from tests.e2e.harness import free_port
from tests.e2e.peer import Peer, running_peer

HOST, PEER_HOST = "127.0.0.5", "127.0.0.8"
CONFIG = Path(__file__).with_suffix(".cfg")
TABLES = {
    "version": "table_name(string) table_version(int)\nuacreg:5\n",
    "uacreg": "id(int,auto) l_uuid(string) l_username(string) l_domain(string) r_username(string) r_domain(string)"
    " realm(string) auth_username(string) auth_password(string) auth_ha1(string) auth_proxy(string) expires(int)"
    " flags(int) reg_delay(int) contact_addr(string) socket(string)\n",
}
REGISTRATION = (
    "1:301:301:{2}:301:{0}:zvon:301:none:d41d8cd98f00b204e9800998ecf8427e"
    ":sip\\:{0}\\:{1}:60:16:0:{2}\\:{3}:udp\\:{2}\\:{3}\n"
)


def kamailio_path() -> str:
    """Where it is; the test is skipped, with a reason, where it cannot be."""
    found = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    if found is None:
        pytest.skip("Kamailio is not installed (package kamailio)")
    return found


def provider(folder: Path, password: str, subscriber: Address = ("127.0.0.9", 9)) -> AbstractContextManager[Peer]:
    """Kamailio as a provider that knows one password, with a subscriber who calls its accounts and is called by them;
    its log must hold no complaint either."""
    address = (HOST, free_port(HOST))
    folder.mkdir(parents=True)
    config = CONFIG.with_stem("provider").read_text()
    values = {"SUBSCRIBERHOST": subscriber[0], "SUBSCRIBERPORT": str(subscriber[1]), "PASSWORD": password}
    for name, value in {**values, "HOST": address[0], "PORT": str(address[1])}.items():
        config = config.replace(name, value)
    path = folder / "provider.cfg"
    path.write_text(config)
    command = [kamailio_path(), "-f", str(path), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder)]
    return running_peer(Peer(folder, address, command), 483, "ERROR", "CRITICAL")


def kamailio(folder: Path, server: Address, host: str = HOST) -> AbstractContextManager[Peer]:
    """Kamailio in front of `server`; at PEER_HOST beside it, where it registers for 301. At the end its log must hold
    no complaint."""
    address = (host, free_port(host))
    (folder / "db").mkdir(parents=True)
    for name, text in TABLES.items():
        row = REGISTRATION.format(*server, *address) if name == "uacreg" and host == PEER_HOST else ""
        (folder / "db" / name).write_text(text + row)
    names = {"ZVONHOST": server[0], "ZVONPORT": str(server[1]), "ZVON": f"{server[0]}:{server[1]}"}
    names |= {"HOST": address[0], "PORT": str(address[1]), "FOLDER": str(folder)}
    config = CONFIG.read_text()
    for name, value in names.items():
        config = config.replace(name, value)
    path = folder / "kamailio.cfg"
    path.write_text(config)
    command = [kamailio_path(), "-f", str(path), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder)]
    return running_peer(Peer(folder, address, command), 483, "ERROR", "CRITICAL")
