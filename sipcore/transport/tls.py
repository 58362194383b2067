"""SIP over TLS (RFC 3261 §26.2.1): the connections of TCP with a layer of encryption below."""

from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import LayerDriver
from sipcore.transport.tcp import TcpListener
from sipcore.transport.tls_layer import TlsIdentity, TlsLayer


class TlsListener(TcpListener):
    """One listening socket of TLS."""

    TRANSPORT = "TLS"

    def __init__(self, driver: LayerDriver, addresses: AdvertisedAddress, identity: TlsIdentity) -> None:
        super().__init__(driver, addresses)
        self._identity = identity

    def layer(self, *, is_server: bool) -> TlsLayer:
        return self._identity.layer(is_server=is_server)
