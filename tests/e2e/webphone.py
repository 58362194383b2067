"""The scripted phone of `ua` as a browser would be one: SIP over WebSocket, with no address that anybody could call."""

import ssl
from contextlib import ExitStack
from types import TracebackType

from websockets.sync.client import ClientConnection, connect

from bench.wire import Address, Message, token
from pbx.addressing import bracketed
from sipcore.transport.ws_layer import SUBPROTOCOL
from tests.e2e.ua import Phone, unverified


class WebPhone(Phone):
    """`transport` is `ws` or `wss`."""

    _connection: ClientConnection

    def _connect(self, host: str, port: int) -> Address:
        secure = self.transport == "wss"
        url = f"{self.transport}://{bracketed(self.server[0])}:{self.server[1]}/ws"
        context: ssl.SSLContext | None = unverified() if secure else None
        opening = connect(url, subprotocols=[SUBPROTOCOL], ssl=context, proxy=None)
        self._open = ExitStack()
        self._connection = self._open.enter_context(opening)
        self._name = f"{token()}.invalid"
        own_host, own_port = self._connection.local_address[:2]
        return own_host, own_port

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def contact(self) -> str:
        return f"<sip:{self.number}@{self._name};transport=ws>"

    def via(self, branch: str) -> str:
        return f"SIP/2.0/{self.transport.upper()} {self._name};branch={branch}"

    def send(self, message: bytes) -> None:
        self._connection.send(message, text=True)

    def _read(self, timeout_s: float) -> Message | None:
        try:
            data = self._connection.recv(max(timeout_s, 0.001), decode=False)
        except TimeoutError:
            return None
        return Message.parse(data, self.server)
