"""Message accounts: what waits for each number, by kind (RFC 3842). Whoever keeps messages is a source of it."""

from collections.abc import Callable, Mapping

from sipcore.presence.mwi import NONE, MessageContext, MessageCounts

Source = Callable[[str], MessageCounts]


class MessageAccounts:
    """A source that has other counts for a number than before publishes `MessagesChanged`."""

    def __init__(self) -> None:
        self._sources: dict[MessageContext, Source] = {}

    def add(self, kind: MessageContext, source: Source) -> None:
        """`source` gives the counts of that kind for a number from now on."""
        self._sources[kind] = source

    def waiting(self, number: str) -> Mapping[MessageContext, MessageCounts]:
        """What waits for `number` now; kinds of which nothing waits are left out."""
        found = {kind: source(number) for kind, source in self._sources.items()}
        return {kind: counts for kind, counts in found.items() if counts != NONE}
