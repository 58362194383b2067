"""Where branches, tags and Call-IDs come from. The core never makes randomness: a source is given to the stack."""

from typing import Protocol

MAGIC_COOKIE = "z9hG4bK"  # RFC 3261 §8.1.1.7


class IdSource(Protocol):
    """Tokens carry the worker's name first, so that a router in front may find the owner of a message."""

    def branch(self) -> str:
        """A branch with the magic cookie, unique in space and time."""

    def tag(self) -> str:
        """A tag with at least 32 bits of randomness (RFC 3261 §19.3)."""

    def stable_tag(self, *parts: str) -> str:
        """The same tag for the same parts, not to be guessed without a key of ours (RFC 3261 §8.2.7)."""

    def call_id(self) -> str: ...

    def fraction(self) -> float:
        """A number in [0, 1) for the random waits of RFC 3261 §14.1."""
