"""Which of our addresses a peer should see: the one the kernel would send from, or the external one."""

import socket
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_CACHE_LIMIT = 10_000


def source_of(host: str) -> str:
    """Who is behind an address, for limits: the address itself; of IPv6 the network of a site, which has millions."""
    return str(ip_network((host.partition("%")[0], 64), strict=False)) if ":" in host else host


class AdvertisedAddress:
    """Answers per peer, cached. The external address is told to peers outside `local_networks` (REG-6), and only to
    those of its own family. An IPv6 peer that is not global is local in any case. `ports`: those of the external
    address by transport, where the router forwards others than the server has (REG-2)."""

    def __init__(
        self, external: str = "", local_networks: Sequence[str] = (), ports: Mapping[str, int] | None = None
    ) -> None:
        self._external: dict[int, str] = {}
        self._ports = ports or {}
        self._told: set[str] = set()  # also what was true before: flows of old calls name it
        self.set_external((external,) if external else ())
        self.set_local(local_networks)

    def set_external(self, addresses: Sequence[str]) -> None:
        """What our router is called outside from now on: one address of each family at most (REG-7)."""
        self._external = {ip_address(each).version: each for each in reversed(addresses)}
        self._told.update(addresses)
        self.forget()

    @property
    def external(self) -> tuple[str, ...]:
        """What peers outside are told, one of a family; empty: what the machine says of itself."""
        return tuple(self._external.values())

    def set_local(self, networks: Sequence[str]) -> None:
        """Peers in these networks are told our own address."""
        self._networks = [ip_network(network, strict=False) for network in networks]
        self.forget()

    def forget(self) -> None:
        """Find out anew what to tell to whom: an address of this machine may be another one."""
        self._cache: dict[tuple[str, str], str] = {}

    def towards(self, remote_host: str, bound_host: str) -> str:
        """The host to write into Via, Contact and SDP for a peer at `remote_host`."""
        found = self._cache.get((remote_host, bound_host))
        if found is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            found = self._cache[remote_host, bound_host] = self._find(remote_host, bound_host)
        return found

    def at(self, transport: str, remote_host: str, bound: tuple[str, int]) -> tuple[str, int]:
        """Host and port to write into Via and Contact for a peer of the listener that is bound there."""
        host = self.towards(remote_host, bound[0])
        return host, self._ports.get(transport, bound[1]) if host in self._external.values() else bound[1]

    def _find(self, remote_host: str, bound_host: str) -> str:
        address = ip_address(remote_host)
        external = self._external.get(address.version)
        if external is not None and not self._is_local(address):
            return external
        return self.local_towards(remote_host, bound_host)

    def _is_local(self, address: IPv4Address | IPv6Address) -> bool:
        """Our own address is right for this peer."""
        if address.version == 6 and (address.is_private or address.is_link_local):
            return True
        return any(address in network for network in self._networks if network.version == address.version)

    def bind_for(self, advertised: str, remote_host: str) -> str:
        """The local address to bind media ports on for a peer that is told `advertised`."""
        if advertised not in self._told:
            return advertised
        found = self._cache.get(("bind", remote_host))
        if found is None:
            found = self._cache["bind", remote_host] = self.local_towards(remote_host, "")
        return found

    @staticmethod
    def local_towards(remote_host: str, bound_host: str) -> str:
        """The local address packets to `remote_host` leave from, when the socket is bound to a wildcard."""
        if bound_host not in ("0.0.0.0", "::", ""):
            return bound_host
        family = socket.AF_INET6 if ":" in remote_host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((remote_host, 9))
            except OSError:
                return "::1" if family == socket.AF_INET6 else "127.0.0.1"
            return str(probe.getsockname()[0])
