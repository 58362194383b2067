"""Message summaries: RFC 3842 §5."""

CONTENT_TYPE = "application/simple-message-summary"


def message_summary(account: str, *, new: int = 0, old: int = 0) -> bytes:
    """How many voice messages wait at `account`."""
    waiting = "yes" if new else "no"
    lines = [f"Messages-Waiting: {waiting}", f"Message-Account: {account}", f"Voice-Message: {new}/{old} (0/0)", ""]
    return "\r\n".join(lines).encode()
