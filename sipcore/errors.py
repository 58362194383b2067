"""What can go wrong: malformed input, a peer that breaks the protocol, our own code that does."""

from enum import StrEnum


class ParseError(ValueError):
    """The text is not what its grammar asks for. `reason` is a sentence, `status` the response it deserves."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class FramingError(ParseError):
    """The boundary of the next message cannot be known. `head` is what came, for a last 400."""

    def __init__(self, reason: str, status: int, head: bytes) -> None:
        super().__init__(reason, status)
        self.head = head


class LocalProtocolError(Exception):
    """Our own code asked for something that the protocol forbids: a bug."""


class RemoteProtocolError(Exception):
    """The peer sent well-formed text that the protocol forbids here; `status` is the response it deserves."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class DropReason(StrEnum):
    """Why a datagram was dropped without a response; each is counted by name."""

    NOT_SIP = "not_sip"
    TOO_LARGE = "too_large"
    BAD_VIA = "bad_via"
    BAD_RESPONSE = "bad_response"
    BAD_ACK = "bad_ack"
    STRAY_RESPONSE = "stray_response"
    STRAY_ACK = "stray_ack"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    STREAM_BROKEN = "stream_broken"
    STREAM_SLOW = "stream_slow"
    STREAM_NOT_READ = "stream_not_read"
    TLS_PLAIN_TEXT = "tls_plain_text"
    TLS_HANDSHAKE = "tls_handshake"
    TLS_SLOW_HANDSHAKE = "tls_slow_handshake"
    TLS_RECORD = "tls_record"
    WS_HANDSHAKE = "ws_handshake"
    WS_ORIGIN = "ws_origin"
    WS_FRAME = "ws_frame"
    WS_SILENT = "ws_silent"
