"""Flow tokens: a path written into a URI so that only we can have written it (RFC 5626 §5.2).

Nothing is remembered: the token holds the path itself and a keyed hash over it. One for datagrams is good as long as
the key is; one for a connection only while that very connection stands.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2s

from sipcore.flow import Flow

_MAC_BYTES = 10
_MOST_TEXT = 512


class FlowTokens:
    """`run` differs from start to start: connections of an earlier one are gone, whatever their numbers were."""

    def __init__(self, key: bytes, run: str) -> None:
        self._key, self._run = key, run

    def seal(self, flow: Flow) -> str:
        """The token of a path, fit for the user part of a URI."""
        (local, local_port), (remote, remote_port) = flow.local, flow.remote
        parts = [flow.transport, local, str(local_port), remote, str(remote_port)]
        if flow.reliable:
            parts += [str(flow.id), self._run]
        text = " ".join(parts).encode()
        return urlsafe_b64encode(self._mac(text) + text).decode("ascii").rstrip("=")

    def open(self, token: str) -> Flow | None:
        """The path of a token of ours, with id 0 for datagrams; None for anything else. A connection of an earlier
        run has the id -1, which no path has."""
        if len(token) > _MOST_TEXT or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (Base64Error, ValueError):
            return None
        mac, text = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(text)):
            return None
        transport, local, local_port, remote, remote_port, *rest = text.decode().split(" ")
        path_id = 0 if not rest else int(rest[0]) if rest[1] == self._run else -1
        return Flow(transport, (local, int(local_port)), (remote, int(remote_port)), path_id)

    def _mac(self, text: bytes) -> bytes:
        return blake2s(text, digest_size=_MAC_BYTES, key=self._key).digest()
