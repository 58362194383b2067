"""RTCP in plain Python (RFC 3550 §6): reference of `control.pxd`, and what tests read and write reports with."""

import struct

from frozen import dataclass
from media.rtp.feedback import Feedback, parse_feedback
from media.rtp.xr import ExtendedReport, parse_extended

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE = 200, 201, 202, 203


class NotRtcp(ValueError):
    """The bytes are no RTCP compound packet."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    ssrc: int
    fraction: int = 0
    lost: int = 0
    highest: int = 0
    jitter: int = 0
    last_report: int = 0
    delay: int = 0

    def encode(self) -> bytes:
        lost = (self.lost & 0xFFFFFF) | self.fraction << 24
        return struct.pack("!6I", self.ssrc, lost, self.highest, self.jitter, self.last_report, self.delay)


@dataclass(frozen=True, slots=True)
class SenderInfo:
    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Report:
    """SR with `sender`, else RR."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()

    def encode(self) -> bytes:
        sender = self.sender
        info = struct.pack("!QIII", sender.ntp, sender.timestamp, sender.packets, sender.octets) if sender else b""
        body = struct.pack("!I", self.ssrc) + info + b"".join(block.encode() for block in self.blocks)
        return _packet(SENDER_REPORT if sender else RECEIVER_REPORT, len(self.blocks), body)


@dataclass(frozen=True, slots=True)
class Description:
    ssrc: int
    cname: str

    def encode(self) -> bytes:
        item = struct.pack("!IBB", self.ssrc, 1, len(self.cname)) + self.cname.encode()
        return _packet(DESCRIPTION, 1, item + bytes(4 - len(item) % 4))


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]

    def encode(self) -> bytes:
        return _packet(GOODBYE, len(self.ssrcs), b"".join(struct.pack("!I", ssrc) for ssrc in self.ssrcs))


RtcpPacket = Report | Description | Goodbye | Feedback | ExtendedReport


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Every packet of known type; raises `NotRtcp` (appendix A.2)."""
    if len(data) < 8 or data[0] & 0x20 or data[1] not in (SENDER_REPORT, RECEIVER_REPORT):
        raise NotRtcp("does not begin with a report")
    packets: list[RtcpPacket] = []
    while data:
        if len(data) < 4 or data[0] >> 6 != 2:
            raise NotRtcp("bad version")
        size = 4 * (int.from_bytes(data[2:4], "big") + 1)
        if size > len(data):
            raise NotRtcp("bad length")
        packets.extend(_parse_one(data[:size]))
        data = data[size:]
    return packets


def _parse_one(data: bytes) -> list[RtcpPacket]:
    try:
        match data[1]:
            case 200 | 201:
                return [_parse_report(data)]
            case 202:
                return [_parse_description(data)] if data[0] & 0x1F and len(data) >= 12 else []
            case 203:
                return [Goodbye(struct.unpack_from(f"!{data[0] & 0x1F}I", data, 4))]
            case 205 | 206:
                return list(parse_feedback(data))
            case 207:
                return [parse_extended(data)]
    except (struct.error, IndexError) as error:
        raise NotRtcp("bad length") from error
    return []


def _parse_report(data: bytes) -> Report:
    (ssrc,) = struct.unpack_from("!I", data, 4)
    sender = SenderInfo(*struct.unpack_from("!QIII", data, 8)) if data[1] == SENDER_REPORT else None
    start = 28 if sender else 8
    blocks = tuple(_parse_block(data, start + 24 * i) for i in range(data[0] & 0x1F))
    return Report(ssrc, sender, blocks)


def _parse_block(data: bytes, at: int) -> ReportBlock:
    ssrc, lost, highest, jitter, last_report, delay = struct.unpack_from("!6I", data, at)
    signed = (lost & 0xFFFFFF) - (1 << 24 if lost & 0x800000 else 0)
    return ReportBlock(ssrc, lost >> 24, signed, highest, jitter, last_report, delay)


def _parse_description(data: bytes) -> Description:
    (ssrc,) = struct.unpack_from("!I", data, 4)
    return Description(ssrc, data[10 : 10 + data[9]].decode(errors="replace"))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
