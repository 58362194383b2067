"""Message summaries: RFC 3842 §5."""

from collections.abc import Mapping
from enum import StrEnum

from frozen import dataclass

CONTENT_TYPE = "application/simple-message-summary"


class MessageContext(StrEnum):
    """What kind of message it is (RFC 3458 §4), as a summary line names it; a MESSAGE is a pager's."""

    VOICE = "Voice-Message"
    FAX = "Fax-Message"
    PAGER = "Pager-Message"
    MULTIMEDIA = "Multimedia-Message"
    TEXT = "Text-Message"


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """How many messages of one kind wait; the urgent ones are among them."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0

    def __str__(self) -> str:
        return f"{self.new}/{self.old} ({self.urgent_new}/{self.urgent_old})"


NONE = MessageCounts()


def message_summary(account: str, waiting: Mapping[MessageContext, MessageCounts]) -> bytes:
    """What waits at `account`. Voice is always told: the lamps of many phones read nothing else."""
    lit = "yes" if any(counts.new for counts in waiting.values()) else "no"
    told = [kind for kind in MessageContext if kind is MessageContext.VOICE or waiting.get(kind, NONE) != NONE]
    lines = [f"Messages-Waiting: {lit}", f"Message-Account: {account}"]
    lines += [f"{kind}: {waiting.get(kind, NONE)}" for kind in told]
    return "\r\n".join([*lines, ""]).encode()
