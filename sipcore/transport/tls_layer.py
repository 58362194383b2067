"""TLS below the messages of a connection (RFC 8446).

The layer is bytes in, bytes out, over a memory buffer: who is slow, who speaks plain text and which certificate is
shown is decided here, for each connection, and not inside the event loop. A connection keeps what it was made with,
so that the certificate can be changed under live ones.
"""

import contextlib
import ssl
from pathlib import Path

from sipcore.errors import DropReason

HANDSHAKE_RECORD = 0x16  # RFC 8446 §5.1: what the first byte of every TLS connection is
_READ_BYTES = 1 << 16


class TlsBroken(Exception):
    """The connection cannot go on; `reason` is how it is counted."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason)
        self.reason = reason


class TlsIdentity:
    """The certificate that new connections are shown. What the server opens itself is encrypted but not verified:
    phones have no certificate anyone could check."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._accepting = self._loaded(certificate, key)
        self._opening = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._opening.check_hostname, self._opening.verify_mode = False, ssl.CERT_NONE
        self._opening.minimum_version = ssl.TLSVersion.TLSv1_2

    def reload(self) -> None:
        """Show what is in the files now; raises OSError (ssl.SSLError) and keeps the old for a pair that is broken."""
        self._accepting = self._loaded(*self._files)

    def layer(self, *, is_server: bool) -> "TlsLayer":
        return TlsLayer(self._accepting if is_server else self._opening, is_server=is_server)

    @staticmethod
    def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.load_cert_chain(certificate, key, password=_no_password)
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
