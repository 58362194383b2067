"""A path that messages take, not a socket: it survives moving the sockets to another process."""

from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """Transport, our address as peers on this path should see it, and the peer's address (RFC 5626 §3.3).

    `id` tells apart connections between the same addresses (0 for datagrams). `transport` is the token of the Via
    header: UDP, TCP, TLS, WS, WSS. `by_address`: we chose the path by an address that stands in the settings or in DNS,
    the peer has not shown it to us; large requests may take another transport there (RFC 3261 §18.1.1).
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    id: int = 0
    by_address: bool = field(default=False, compare=False)

    @property
    def reliable(self) -> bool:
        return self.transport != "UDP"

    @property
    def secure(self) -> bool:
        return self.transport in ("TLS", "WSS")

    @property
    def sent_by(self) -> str:
        """`host:port` for Via and Contact, IPv6 in brackets."""
        host, port = self.local
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def __str__(self) -> str:
        return f"{self.transport.lower()}:{self.remote[0]}:{self.remote[1]}" + (f"#{self.id}" if self.id else "")
