"""Packets of the media path: the engine's readers and their plain references are of one opinion about any octets."""

from media.engine import kernels
from media.rtp.feedback import Feedback
from media.rtp.packet import NotRtp, RtpPacket, parse_packet
from media.rtp.rtcp import Description, Goodbye, NotRtcp, Report, ReportBlock, SenderInfo, parse_compound
from media.rtp.xr import ExtendedReport, VoipMetrics

OWN = 0x5A17


def rtp(data: bytes) -> object:
    """A header, and a payload that lies inside the packet."""
    found, wanted = kernels.parse(data), _packet(data)
    if isinstance(found, str) or isinstance(wanted, str):
        assert found == wanted
        return None
    kind, marker, sequence, timestamp, ssrc, offset, length = found
    assert 12 <= offset <= offset + length <= len(data)
    assert RtpPacket(kind, sequence, timestamp, ssrc, data[offset : offset + length], marker) == wanted
    return wanted


def _packet(data: bytes) -> RtpPacket | str:
    try:
        return parse_packet(data)
    except NotRtp as error:
        return str(error)


def rtcp(data: bytes) -> object:
    """A compound packet, and what it says of us."""
    found, metrics = kernels.read_rtcp(data, OWN), kernels.read_xr(data, OWN)
    try:
        wanted = parse_compound(data)
    except NotRtcp:
        assert found is None
        assert metrics is None
        return None
    assert found is not None
    asked = [packet for packet in wanted if isinstance(packet, Feedback) and packet.of == OWN]
    assert kernels.read_asked(data, OWN) == (
        any(packet.wants_picture for packet in asked),
        [pair for packet in asked for pair in packet.lost][:16],
    )
    blocks = [block for packet in wanted if isinstance(packet, Report) for block in packet.blocks if block.ssrc == OWN]
    assert found[2] == (blocks[-1].lost if blocks else None)
    told = [
        each for packet in wanted if isinstance(packet, ExtendedReport) for each in packet.metrics if each.ssrc == OWN
    ]
    assert (metrics is None) == (not told)
    return wanted


def rtp_seeds() -> list[bytes]:
    plain = RtpPacket(8, 65535, 160, 0x1234, b"\xd5" * 20)
    return [
        plain.encode(),
        bytes([0xB2]) + plain.encode()[1:12] + bytes(8) + b"\xbe\xde\0\1abcd" + b"payload" + b"\0\0\3",
        bytes([0x90]) + plain.encode()[1:12] + b"\xbe\xde\xff\xff",
    ]


def rtcp_seeds() -> list[bytes]:
    block = ReportBlock(OWN, 10, -3, 77, 8, 9, 10)
    sender = Report(1, SenderInfo(2, 3, 4, 5), (ReportBlock(9), block)).encode()
    return [
        sender + Description(1, "someone").encode() + Goodbye((1, 2)).encode(),
        sender
        + b"".join(
            Feedback(1, OWN, wants_picture=not lost, sequence=sequence, lost=lost).encode()
            for sequence, lost in ((None, ()), (3, ()), (None, ((65535, 3), (7, 0))))
        ),
        sender + ExtendedReport(1, (VoipMetrics(OWN, 20, mos_cq=41), VoipMetrics(7))).encode(),
        Report(1).encode() + bytes((0x81, 202, 0, 1)) + bytes(4) + bytes((0x80, 204, 0, 0)),
    ]
