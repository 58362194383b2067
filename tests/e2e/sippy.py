"""Sippy, a B2BUA, on a loopback address of its own: every call goes on to one next hop."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.wire import Address
from tests.e2e.peer import Peer, running_peer

PROGRAM = Path(sys.executable).with_name("b2bua_simple")


def sippy_path() -> Path:
    """Where it is; the test is skipped, with a reason, where it cannot be."""
    if not PROGRAM.exists():
        pytest.skip("Sippy is not installed: pip found no package of it for this Python")
    return PROGRAM


def sippy(folder: Path, address: Address, next_hop: Address) -> AbstractContextManager[Peer]:
    """Sippy at `address`, sending every call to `next_hop`."""
    folder.mkdir(parents=True)
    command = [str(sippy_path()), "-f", "-l", address[0], "-p", str(address[1]), "-n", f"{next_hop[0]}:{next_hop[1]}"]
    return running_peer(Peer(folder, address, command, {"SIPLOG_BEND": "stderr"}), 501, "Traceback")
