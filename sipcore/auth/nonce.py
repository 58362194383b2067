"""Nonces that need no memory, and the memory of their use counts (RFC 7616 §3.3, §5.12).

A nonce is `time-salt-mac`: whoever holds the key can tell its own from a foreign one and knows its age. Only nonces
that were used with right credentials are remembered, to refuse a replay.
"""

import hashlib
from enum import StrEnum
from hmac import compare_digest

DEFAULT_LIFETIME_S = 60.0


class NonceVerdict(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    FOREIGN = "foreign"


FRESH, STALE, FOREIGN = NonceVerdict.FRESH, NonceVerdict.STALE, NonceVerdict.FOREIGN


class NonceMaker:
    """Makes and checks nonces under one secret key of 16 to 32 random bytes."""

    __slots__ = ("_keyed", "lifetime_s")

    def __init__(self, key: bytes, lifetime_s: float = DEFAULT_LIFETIME_S) -> None:
        self._keyed = hashlib.blake2s(key=key, digest_size=10)
        self.lifetime_s = lifetime_s

    def make(self, now_s: float, salt: str) -> str:
        """A nonce issued now; `salt` is a few characters without `-`, another each time."""
        head = f"{int(now_s):x}-{salt}"
        return f"{head}-{self._mac(head)}"

    def check(self, nonce: str, now_s: float) -> NonceVerdict:
        """FOREIGN when we did not make it, STALE when it is too old (or from before the clock was set back)."""
        head, _, mac = nonce.rpartition("-")
        if not nonce.isascii() or not compare_digest(self._mac(head), mac):
            return FOREIGN
        age_s = now_s - issued_at_s(nonce)
        return FRESH if -1.0 <= age_s <= self.lifetime_s else STALE

    def _mac(self, head: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(head.encode())
        return keyed.hexdigest()


def issued_at_s(nonce: str) -> int:
    """The time inside a nonce that `NonceMaker.check` has found to be ours."""
    return int(nonce.partition("-")[0], 16)


class NonceCounts:
    """The highest nonce count seen per nonce. A count is accepted once and only upwards.

    Two generations are kept, so a nonce is remembered for at least one lifetime. When `most` nonces are exceeded the
    older generation goes early, and every nonce as old as the ones forgotten is refused: the client is challenged
    again, a replay never passes.
    """

    __slots__ = ("_forgotten_s", "_lifetime_s", "_most", "_newer", "_older", "_rotated_s")

    def __init__(self, lifetime_s: float = DEFAULT_LIFETIME_S, most: int = 262_144) -> None:
        self._lifetime_s = lifetime_s
        self._most = most
        self._newer: dict[str, int] = {}
        self._older: dict[str, int] = {}
        self._rotated_s: float | None = None
        self._forgotten_s = -1

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def accept(self, nonce: str, count: int, now_s: float) -> bool:
        """Whether this use of a fresh nonce of ours is new; `count` 0 (no qop) is good for one use."""
        if self._rotated_s is None:
            self._rotated_s = now_s
        elif now_s - self._rotated_s > self._lifetime_s or len(self._newer) * 2 >= self._most:
            self._rotate(now_s)
        seen = self._newer.get(nonce)
        if seen is None:
            seen = self._older.get(nonce)
            if seen is None:
                seen = -1 if issued_at_s(nonce) > self._forgotten_s else count
        if count <= seen:
            return False
        self._newer[nonce] = count
        return True

    def _rotate(self, now_s: float) -> None:
        early = self._rotated_s is not None and now_s - self._rotated_s <= self._lifetime_s
        if early and self._older:
            self._forgotten_s = max(self._forgotten_s, max(map(issued_at_s, self._older)))
        self._older, self._newer = self._newer, {}
        self._rotated_s = now_s
