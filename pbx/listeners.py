"""Everything the server listens on: opened in order, named, asked for paths to peers, closed."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from conf.fields import Listen
from conf.schema import SipSettings
from pbx.certificate import POLL_S, ServerCertificate
from pbx.control.messages import ControlError
from sipcore.flow import Flow
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import LayerDriver
from sipcore.transport.tcp import TcpListener
from sipcore.transport.tls import TlsListener
from sipcore.transport.udp import UdpListener
from sipcore.transport.websocket import WsListener, WssListener
from sipcore.transport.ws_layer import OriginPolicy

Listener = UdpListener | TcpListener
Opener = Callable[[str, int], Awaitable[Listener]]


class Listeners:
    """The listeners of `[sip]`, and the certificate they show. `refuses`: addresses that may not connect."""

    def __init__(
        self,
        sip: SipSettings,
        data: Path,
        driver: LayerDriver,
        addresses: AdvertisedAddress,
        refuses: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._sip, self._data, self._driver, self._addresses = sip, data, driver, addresses
        self._refuses = refuses
        self._open: dict[str, list[Listener]] = {}
        self._certificate: ServerCertificate | None = None
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises `ControlError`; what is open then has to be closed."""
        sip, driver, addresses = self._sip, self._driver, self._addresses
        await self._each("udp", sip.udp, lambda host, port: UdpListener.open(driver, addresses, host, port))
        await self._streams("tcp", sip.tcp, lambda: TcpListener(driver, addresses))
        origins = OriginPolicy(sip.ws_origins)
        await self._streams("ws", sip.ws, lambda: WsListener(driver, addresses, origins))
        if sip.tls or sip.wss:
            await self._open_secure(origins)

    async def _open_secure(self, origins: OriginPolicy) -> None:
        driver, addresses = self._driver, self._addresses
        self._certificate = ServerCertificate.open(self._sip, self._data)
        identity, web_identity = self._certificate.identity, self._certificate.web_identity
        await self._streams("tls", self._sip.tls, lambda: TlsListener(driver, addresses, identity))
        await self._streams("wss", self._sip.wss, lambda: WssListener(driver, addresses, origins, web_identity))
        self._watch = asyncio.ensure_future(self._watch_files(self._certificate))

    async def _streams(self, transport: str, wanted: Sequence[Listen], make: Callable[[], TcpListener]) -> None:
        async def opener(host: str, port: int) -> TcpListener:
            listener = make()
            listener.per_source = self._sip.connections_per_source
            if self._refuses is not None:
                refuses = self._refuses
                listener.refuses = lambda source: refuses(source, transport.upper())
            return await listener.listen(host, port)

        await self._each(transport, wanted, opener)

    async def _each(self, transport: str, wanted: Sequence[Listen], opener: Opener) -> None:
        opened = self._open.setdefault(transport.upper(), [])
        for where in _both_families(wanted):
            try:
                opened.append(await opener(where.host, where.port))
            except OSError as error:
                raise ControlError(_sentence(transport, where, error)) from None

    async def _watch_files(self, certificate: ServerCertificate) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            certificate.poll()

    def of(self, transport: str) -> Sequence[Listener]:
        """The listeners of a transport, named as in Via."""
        return self._open.get(transport, ())

    def flow_to(self, transport: str, host: str, port: int) -> Flow | None:
        """A path to a peer: from the first listener of its transport and address family. None to a browser, which is
        reached over the connection that it has opened and no other."""
        if transport in ("WS", "WSS"):
            return None
        for listener in self.of(transport):
            if (":" in listener.bound[0]) == (":" in host):
                return listener.flow_to(host, port)
        return None

    def readdress(self) -> None:
        """What we tell peers may be another address from now on."""
        self._addresses.forget()
        for listener in self.of("UDP"):
            if isinstance(listener, UdpListener):
                listener.readdress()

    def bound(self) -> list[tuple[str, str]]:
        """Transport and host of every listener."""
        return [(transport, each.bound[0]) for transport, listeners in self._open.items() for each in listeners]

    def ports(self, *transports: str) -> tuple[int, ...]:
        """Where these transports are listened on."""
        return tuple(sorted({listener.bound[1] for each in transports for listener in self.of(each)}))

    def has_port(self, port: int) -> bool:
        """Whether one of the listeners has that port, or is known by it outside."""
        return port in self._sip.external_ports.values() or any(
            listener.bound[1] == port for listeners in self._open.values() for listener in listeners
        )

    def waiting(self) -> float:
        """About how many datagrams wait to be received."""
        return sum(listener.waiting() for listener in self.of("UDP") if isinstance(listener, UdpListener))

    def names(self) -> list[str]:
        """As the ready line has them."""
        return list(self._names())

    def _names(self) -> Iterator[str]:
        for transport, listeners in self._open.items():
            for host, port in (listener.bound for listener in listeners):
                yield f"{transport.lower()}:{Listen(host, port)}"

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for listeners in self._open.values():
            for listener in listeners:
                listener.close()


def _both_families(wanted: Sequence[Listen]) -> Iterator[Listen]:
    """`*` is all of IPv4 and, where an interface has an address of it, all of IPv6 (REG-1)."""
    for where in wanted:
        if where.host != "*":
            yield where
            continue
        yield Listen("0.0.0.0", where.port)
        if has_ipv6():
            yield Listen("::", where.port)


def has_ipv6(table: Path = Path("/proc/net/if_inet6")) -> bool:
    """Whether an interface other than the loopback has an IPv6 address."""
    try:
        return any(line.split()[-1:] not in ([], ["lo"]) for line in table.read_text().splitlines())
    except OSError:
        return False


def _sentence(transport: str, where: Listen, error: OSError) -> str:
    why = {
        errno.EADDRINUSE: "it is in use by another program",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
        errno.EACCES: "ports below 1024 need more rights",
    }.get(error.errno or 0, os.strerror(error.errno or 0))
    return f"cannot listen on {transport} {where}: {why}; change [sip] {transport} in the settings or stop that program"
