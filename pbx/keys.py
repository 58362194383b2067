"""What a server keeps secret across restarts: the digest realm (REG-15) and the key of its nonces."""

import json
import os
import re
import secrets
from dataclasses import asdict
from hashlib import blake2s
from pathlib import Path
from uuid import NAMESPACE_OID, getnode, uuid5

from frozen import dataclass
from pbx.control.messages import ControlError

FILE = "keys.json"
_REALM = re.compile(r"[\w.:-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """`realm` is also part of every stored digest, so it must not change while phones know their passwords."""

    realm: str
    nonce_key: str

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError for what `load` never wrote."""
        if not _REALM.fullmatch(self.realm) or len(self.nonce_bytes) not in range(16, 33):
            raise ValueError("no realm or no key")

    @classmethod
    def load(cls, data: Path) -> "ServerKeys":
        """Read the keys of a data folder, or make them; raises `ControlError`."""
        path = data / FILE
        try:
            if path.exists():
                return cls(**json.loads(path.read_text("utf-8")))
            keys = cls(_realm_of(getnode()), secrets.token_hex(32))
            _write(path, json.dumps(asdict(keys)))
        except OSError as error:
            raise ControlError(f"{path} cannot be used: {error.strerror}") from None
        except (ValueError, TypeError):
            raise ControlError(f"{path} is damaged: restore it from a backup or remove it to make new keys") from None
        return keys

    @property
    def instance(self) -> str:
        """What this server is called where it registers, the same after a restart (RFC 5626 §4.1)."""
        return uuid5(NAMESPACE_OID, self.nonce_key).urn

    @property
    def nonce_bytes(self) -> bytes:
        return bytes.fromhex(self.nonce_key)

    def derived(self, purpose: str) -> bytes:
        """A key for something else, which says nothing of the one it comes from."""
        return blake2s(purpose.encode(), key=self.nonce_bytes).digest()


def _realm_of(node: int) -> str:
    """12 hexadecimal digits that come of the machine's hardware address and do not show it (REG-15): who begins anew
    on the same machine has the same realm. Random ones where it has none (RFC 9562 §6.10)."""
    is_real = not node >> 40 & 1
    return blake2s(node.to_bytes(6), digest_size=6, person=b"realm").hexdigest() if is_real else secrets.token_hex(6)


def _write(path: Path, text: str) -> None:
    """All or nothing, readable by its owner only."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
