"""TLS below the messages of a connection (RFC 8446).

The layer is bytes in, bytes out, over a memory buffer: who is slow, who speaks plain text and which certificate is
shown is decided here, for each connection, and not inside the event loop. A connection keeps what it was made with,
so that the certificate can be changed under live ones.
"""

import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path

from frozen import dataclass
from sipcore.errors import DropReason

HANDSHAKE_RECORD = 0x16  # RFC 8446 §5.1: what the first byte of every TLS connection is
_READ_BYTES = 1 << 16


class TlsBroken(Exception):
    """The connection cannot go on; `reason` is how it is counted."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its key, for the host `names` that stand in it (`*.example.com` is one label more)."""

    certificate: Path
    key: Path
    names: tuple[str, ...] = ()


class TlsIdentity:
    """The certificates that new connections are shown: of `others` the one for the host name that the client asks for
    (SNI, RFC 6066 §3), else the first. With `client_ca` a client has to show one that those authorities have signed.

    What the server opens itself is encrypted but not verified: phones have no certificate anyone could check."""

    def __init__(
        self, certificate: Path, key: Path, others: Sequence[KeyPair] = (), client_ca: Path | None = None
    ) -> None:
        self._first, self._client_ca = KeyPair(certificate, key), client_ca
        self.reload(others)
        self._opening = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._opening.check_hostname, self._opening.verify_mode = False, ssl.CERT_NONE
        self._opening.minimum_version = ssl.TLSVersion.TLSv1_2

    def reload(self, others: Sequence[KeyPair] = ()) -> None:
        """Show what is in the files now; raises OSError (ssl.SSLError) and keeps the old when a pair is broken."""
        accepting = self._loaded(self._first)
        by_name: dict[str, ssl.SSLContext] = {}
        for pair in others:
            by_name |= dict.fromkeys((name.lower() for name in pair.names), self._loaded(pair))
        accepting.sni_callback = self._choose
        self._accepting, self._by_name = accepting, by_name

    def layer(self, *, is_server: bool) -> "TlsLayer":
        return TlsLayer(self._accepting if is_server else self._opening, is_server=is_server)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if not name:
            return
        name = name.lower()
        found = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        if found is not None:
            connection.context = found

    def _loaded(self, pair: KeyPair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.load_cert_chain(pair.certificate, pair.key, password=_no_password)
        if self._client_ca is not None:
            context.load_verify_locations(self._client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class TlsLayer:
    """One connection's encryption. After `receive` and `send`, `take` what has to go on the wire."""

    def __init__(self, context: ssl.SSLContext, *, is_server: bool) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=is_server)
        self._is_server = is_server
        self._unsent: list[bytes] = []
        self._is_first = True
        self.is_ready = False
        self.is_ended = False
        if not is_server:
            self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """The plain text that came with `data`; raises `TlsBroken`."""
        if self._is_first and self._is_server and data[0] != HANDSHAKE_RECORD:
            raise TlsBroken(DropReason.TLS_PLAIN_TEXT)
        self._is_first = False
        self._incoming.write(data)
        if not self.is_ready and not self._shake_hands():
            return b""
        return self._read()

    def send(self, data: bytes) -> None:
        """Encrypt, or keep until the handshake is over."""
        if self.is_ready:
            self._object.write(data)
        else:
            self._unsent.append(data)

    def take(self) -> bytes:
        return self._outgoing.read()

    def end(self) -> None:
        """Say that nothing more comes (RFC 8446 §6.1)."""
        if self.is_ready:
            with contextlib.suppress(ssl.SSLError):
                self._object.unwrap()

    def _shake_hands(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except (ssl.SSLError, ValueError):
            raise TlsBroken(DropReason.TLS_HANDSHAKE) from None
        self.is_ready = True
        for data in self._unsent:
            self._object.write(data)
        self._unsent.clear()
        return True

    def _read(self) -> bytes:
        plain = b""
        try:
            while chunk := self._object.read(_READ_BYTES):
                plain += chunk
            self.is_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_ended = True
        except ssl.SSLError:
            raise TlsBroken(DropReason.TLS_RECORD) from None
        return plain


def _no_password() -> str:
    """Asked for when the key is encrypted: nobody is there to type it."""
    raise ssl.SSLError("the key is encrypted")
