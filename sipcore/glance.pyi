from sipcore.flow import Flow
from sipcore.transaction.keys import Key

class Glance:
    """A request that is written in the usual way, as far as those care who judge before it is parsed."""

    @property
    def method(self) -> str: ...
    @property
    def key(self) -> Key:
        """Of its transaction, as `server_key` makes it."""

    @property
    def call_id(self) -> str: ...
    @property
    def is_in_dialog(self) -> bool:
        """To has a tag (RFC 3261 §12.2.2)."""

    @property
    def has_credentials(self) -> bool:
        """It carries the answer to a challenge."""

    @property
    def is_plain(self) -> bool:
        """Nothing in it has to be looked at before its sender is asked who that is."""

    def names(self, signatures: tuple[bytes, ...]) -> bool:
        """Whether the sender calls itself by one of these names, in small letters, in User-Agent or From."""

    def answer(self, flow: Flow, start: bytes, tag: bytes, extra: bytes) -> bytes | None:
        """A response to it with this status line, To tag and more lines, each with its end; None when it does not go
        back to the source of the request (RFC 3261 §18.2.2)."""

def glance(data: bytes) -> Glance | None:
    """None for what is no request, or not written in the usual way."""
