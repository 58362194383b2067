"""SIP over WebSocket (RFC 7118): connections of TCP or TLS, opened by browsers, with WebSocket frames below."""

from sipcore.errors import DropReason
from sipcore.flow import Flow
from sipcore.framing import PONG
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import LayerDriver
from sipcore.transport.tcp import HANDSHAKE_TIMEOUT_S, MESSAGE_TIMEOUT_S, TcpConnection, TcpListener
from sipcore.transport.tls_layer import TlsIdentity, TlsLayer
from sipcore.transport.ws_layer import OriginPolicy, WebSocketLayer

PING_AFTER_S = 30.0  # of silence: routers and proxies forget idle connections after a minute or more
PONG_TIMEOUT_S = 15.0
_PING = b"\r\n\r\n"


class WebSocketConnection(TcpConnection):
    """One browser. A silent one is asked from time to time whether it is still there (RFC 7118 §6)."""

    def __init__(self, endpoint: "WsListener", flow: Flow | None = None) -> None:
        super().__init__(endpoint, flow)
        self._socket = WebSocketLayer(endpoint.origins)
        self._is_asked = False

    def _opened(self) -> None:
        self._wait(HANDSHAKE_TIMEOUT_S)

    def _received(self, data: bytes) -> None:
        assert self.flow is not None
        socket, has_ended = self._socket, False
        was_ready, was_partial = socket.is_ready, socket.is_partial
        for message in socket.receive(data):
            has_ended = True
            if message == _PING:
                self.send(PONG, self.flow.remote)
            else:
                self._driver.feed(message, self.flow)
        self._flush_frames()
        if not socket.is_ready:
            return
        self._is_asked = False
        if not socket.is_partial:
            self._wait(PING_AFTER_S)
        elif has_ended or not was_partial or not was_ready:
            self._wait(MESSAGE_TIMEOUT_S)

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        self._socket.send(data)
        self._flush_frames()

    def _flush_frames(self) -> None:
        socket = self._socket
        data = socket.take()
        if data:
            self._write(data)
        if socket.is_over:
            if socket.broken is not None:
                self._driver.stack.drops[socket.broken] += 1
                socket.broken = None
            self._end_softly()

    def _timed_out(self) -> None:
        socket = self._socket
        if socket.is_ready and not socket.is_partial and not self._is_asked:
            self._is_asked = True
            self._wait(PONG_TIMEOUT_S)
            socket.ping()
            self._flush_frames()
        else:
            self._driver.stack.drops[DropReason.WS_SILENT] += 1
            self.close()

    def close(self) -> None:
        self._socket.end()
        self._flush_frames()
        super().close()


class WsListener(TcpListener):
    """One listening socket of plain WebSocket. A browser cannot be called back: its connection is the only path."""

    TRANSPORT = "WS"

    def __init__(self, driver: LayerDriver, addresses: AdvertisedAddress, origins: OriginPolicy) -> None:
        super().__init__(driver, addresses)
        self.origins = origins

    def connection(self, flow: Flow | None = None) -> WebSocketConnection:
        return WebSocketConnection(self, flow)

    def reach(self, flow: Flow, data: bytes) -> None:
        self.driver.unreachable(flow)


class WssListener(WsListener):
    """One listening socket of secure WebSocket."""

    TRANSPORT = "WSS"

    def __init__(
        self, driver: LayerDriver, addresses: AdvertisedAddress, origins: OriginPolicy, identity: TlsIdentity
    ) -> None:
        super().__init__(driver, addresses, origins)
        self._identity = identity

    def layer(self, *, is_server: bool) -> TlsLayer:
        return self._identity.layer(is_server=is_server)
