"""GRUUs: URIs that reach one instance of an address-of-record and no other (RFC 5627).

Nothing is remembered. A public GRUU shows the instance; a temporary one hides everything behind keys of ours and is
good as long as the registration that it was given to goes on under the same Call-ID (RFC 5627 §3.2).
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2s

from frozen import dataclass
from sipcore.grammar import unescape
from sipcore.uri import SipUri

PREFIX = "tgruu."
_SALT, _MAC, _HASH = 8, 10, 8
_MOST_TEXT = 256


@dataclass(frozen=True, slots=True)
class Addressee:
    """What a URI names: a number, and one instance of it unless `is_any`."""

    number: str
    instance: str = ""
    proof: bytes = b""

    @property
    def is_any(self) -> bool:
        return not self.instance and not self.proof

    def fits(self, instance: str | None, call_id: str) -> bool:
        """Whether a binding of the number is the one that is meant."""
        if self.is_any:
            return True
        if instance is None:
            return False
        return _proof(instance, call_id) == self.proof if self.proof else instance == self.instance


class Gruus:
    """Makes and reads them. `key` has to outlive restarts, or temporary ones do not."""

    def __init__(self, key: bytes) -> None:
        self._seal = blake2s(b"seal", key=key).digest()
        self._sign = blake2s(b"sign", key=key).digest()

    def public(self, aor: SipUri, instance: str) -> SipUri:
        """The same for every registration of that instance (§3.1)."""
        base = aor.aor()
        return SipUri(base.scheme, base.user, base.host, aor.port, base.params.with_("gr", instance))

    def temporary(self, aor: SipUri, instance: str, call_id: str, salt: str) -> SipUri:
        """A fresh one (§3.2); `salt` is random."""
        head = blake2s(salt.encode(), digest_size=_SALT).digest()
        inner = _proof(instance, call_id) + (aor.user or "").encode("utf-8", "surrogateescape")
        sealed = head + self._stream(head, inner)
        token = urlsafe_b64encode(self._mac(sealed) + sealed).decode("ascii").rstrip("=")
        return SipUri(aor.scheme, PREFIX + token, aor.host.lower(), aor.port, aor.aor().params.with_("gr"))

    def read(self, uri: SipUri) -> Addressee | None:
        """Whom a URI names; None for a temporary GRUU that is none of ours."""
        value = uri.params.get("gr")
        user = uri.user or ""
        if value:
            return Addressee(user, unescape(value))
        if value is None or not user.startswith(PREFIX):
            return Addressee(user)
        return self._opened(user.removeprefix(PREFIX))

    def _opened(self, token: str) -> Addressee | None:
        if len(token) > _MOST_TEXT or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (Base64Error, ValueError):
            return None
        mac, sealed = data[:_MAC], data[_MAC:]
        if len(sealed) < _SALT + _HASH or not hmac.compare_digest(mac, self._mac(sealed)):
            return None
        inner = self._stream(sealed[:_SALT], sealed[_SALT:])
        return Addressee(inner[_HASH:].decode("utf-8", "surrogateescape"), proof=inner[:_HASH])

    def _mac(self, sealed: bytes) -> bytes:
        return blake2s(sealed, digest_size=_MAC, key=self._sign).digest()

    def _stream(self, salt: bytes, data: bytes) -> bytes:
        """The data under a key stream of its own."""
        blocks = range(0, len(data), 32)
        stream = b"".join([blake2s(salt + at.to_bytes(4, "big"), key=self._seal).digest() for at in blocks])
        return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _proof(instance: str, call_id: str) -> bytes:
    return blake2s(f"{instance}\0{call_id}".encode("utf-8", "surrogateescape"), digest_size=_HASH).digest()
