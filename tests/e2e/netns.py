"""Networks of their own (Linux network namespaces): a site behind a router that masquerades, and the world outside.

    inside 192.168.50.5 ── 192.168.50.1 router 203.0.113.1 ──┬── world 203.0.113.20
                                                              └── server 203.0.113.10

Sockets and processes made in `with net.inside(name)` live in that namespace, wherever they are used. The router gives
every flow another port, as carriers' routers do, and forgets an idle UDP flow after `UDP_IDLE_S`.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

INSIDE, ROUTER, WORLD, SERVER = "192.168.50.5", "192.168.50.1", "203.0.113.20", "203.0.113.10"
OUTSIDE = "203.0.113.1"  # how the world sees the site
UDP_IDLE_S = 3
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def is_possible() -> bool:
    """Root with iproute2 and nftables; nothing else can make a router."""
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("ip", "nft"))


def move_to_own() -> None:
    """This thread, and what it starts from now on, gets a network of its own for good: a loopback, where no port of
    other people is in the way, and an interface with an address, as browsers want it. Needs root and iproute2."""
    if _LIBC.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    for command in (
        "link set lo up",
        "link add out0 type veth peer name out1",
        f"addr add {WORLD}/24 dev out0",
        "link set out0 up",
        "link set out1 up",
        "route add default dev out0",
    ):
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ip {command}: {done.stderr}"


class Net:
    """The namespaces, named after this process; `close` takes them away."""

    def __init__(self) -> None:
        self._prefix = f"zvon{os.getpid()}"
        self.names = ("inside", "router", "world", "server")
        for name in self.names:
            self._run("ip", "netns", "add", self._of(name))
            self._in(name, "ip", "link", "set", "lo", "up")
        self._join("inside", "lan0", INSIDE, "router", "lan0", ROUTER)
        self._in("inside", "ip", "route", "add", "default", "via", ROUTER)
        self._in("world", "ip", "link", "add", "br0", "type", "bridge")
        self._in("world", "ip", "addr", "add", f"{WORLD}/24", "dev", "br0")
        self._in("world", "ip", "link", "set", "br0", "up")
        self._join("router", "wan0", OUTSIDE, "world", "port1", "")
        self._join("server", "wan0", SERVER, "world", "port2", "")
        self._in("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for key in ("udp_timeout", "udp_timeout_stream"):
            self._in("router", "sysctl", "-qw", f"net.netfilter.nf_conntrack_{key}={UDP_IDLE_S}")
        self.nft("add table ip nat")
        self.nft("add chain ip nat post { type nat hook postrouting priority 100; }")
        self.nft('add rule ip nat post oifname "wan0" masquerade random')
        self.nft("add chain ip nat pre { type nat hook prerouting priority -100; }")

    def nft(self, rule: str) -> None:
        """A rule of the router."""
        self._in("router", "nft", rule)

    def forward(self, port: int, last: int = 0) -> None:
        """UDP to these ports of the router goes to the machine inside."""
        ports = f"{port}-{last}" if last else str(port)
        self.nft(f'add rule ip nat pre iifname "wan0" udp dport {ports} dnat to {INSIDE}')

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """What this thread opens and starts now lives there."""
        with open("/proc/self/ns/net", "rb") as here, open(f"/run/netns/{self._of(name)}", "rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def close(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "del", self._of(name)], check=False)

    def _of(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _in(self, name: str, *command: str) -> None:
        self._run("ip", "netns", "exec", self._of(name), *command)

    def _join(self, one: str, device: str, address: str, other: str, other_device: str, other_address: str) -> None:
        """A cable; an end without an address is plugged into the bridge."""
        ends = ("type", "veth", "peer", "name", other_device, "netns", self._of(other))
        self._run("ip", "link", "add", device, "netns", self._of(one), *ends)
        for name, each, where in ((one, device, address), (other, other_device, other_address)):
            if where:
                self._in(name, "ip", "addr", "add", f"{where}/24", "dev", each)
            else:
                self._in(name, "ip", "link", "set", each, "master", "br0")
            self._in(name, "ip", "link", "set", each, "up")

    @staticmethod
    def _run(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
