"""Tokens from the system's randomness."""

import secrets
from hashlib import blake2s

from sipcore.ids import MAGIC_COOKIE

_BATCH = 4096


class RandomIds:
    """64 bits a token, drawn in batches: one system call for hundreds of messages."""

    def __init__(self, worker: str = "w0") -> None:
        self._worker = worker
        self._key = secrets.token_bytes(32)
        self._pool = ""
        self._at = 0

    def _token(self) -> str:
        if self._at >= len(self._pool):
            self._pool, self._at = secrets.token_hex(_BATCH), 0
        self._at += 16
        return self._worker + self._pool[self._at - 16 : self._at]

    def branch(self) -> str:
        return MAGIC_COOKIE + self._token()

    def tag(self) -> str:
        return self._token()

    def stable_tag(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return self._worker + blake2s(text, digest_size=8, key=self._key).hexdigest()

    def call_id(self) -> str:
        return self._token() + self._token()

    def fraction(self) -> float:
        return secrets.randbelow(1 << 30) / (1 << 30)
