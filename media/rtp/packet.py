"""RTP packets in plain Python (RFC 3550 §5.1): reference of `header.pxd`, and what tests build packets with."""

from frozen import dataclass

HEADER_SIZE = 12


class NotRtp(ValueError):
    """The bytes are no RTP packet; the message is the drop reason."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def encode(self) -> bytes:
        header = bytes((0x80, self.payload_type | (0x80 if self.marker else 0)))
        numbers = (self.sequence.to_bytes(2, "big"), self.timestamp.to_bytes(4, "big"), self.ssrc.to_bytes(4, "big"))
        return header + b"".join(numbers) + self.payload


def parse_packet(data: bytes) -> RtpPacket:
    """The packet without contributing sources, extension and padding; raises `NotRtp`."""
    if len(data) < HEADER_SIZE:
        raise NotRtp("too_short")
    if data[0] >> 6 != 2:
        raise NotRtp("bad_version")
    end = len(data) - _padding(data)
    start = _payload_start(data)
    if start > end:
        raise NotRtp("bad_length")
    return RtpPacket(
        payload_type=data[1] & 0x7F,
        sequence=int.from_bytes(data[2:4], "big"),
        timestamp=int.from_bytes(data[4:8], "big"),
        ssrc=int.from_bytes(data[8:12], "big"),
        payload=data[start:end],
        marker=bool(data[1] >> 7),
    )


def _payload_start(data: bytes) -> int:
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if not data[0] & 0x10:
        return start
    if start + 4 > len(data):
        raise NotRtp("bad_length")
    return start + 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")


def _padding(data: bytes) -> int:
    if not data[0] & 0x20:
        return 0
    if data[-1] == 0:
        raise NotRtp("bad_length")
    return data[-1]
