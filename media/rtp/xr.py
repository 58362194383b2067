"""Extended reports of RTCP (RFC 3611) in plain Python: the VoIP Metrics block. Reference of `extended.pxd`."""

import struct
from typing import Self

from frozen import dataclass

EXTENDED_REPORT = 207
VOIP_METRICS = 7
UNAVAILABLE = 127
_BLOCK = struct.Struct("!I4B4H4B4B2B3H")


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """§4.7. Rates and densities in 1/256, times in ms, R factors 0 to 100, MOS in tenths; 127 is unavailable."""

    ssrc: int  # of whom it speaks
    loss_rate: int = 0
    discard_rate: int = 0
    burst_density: int = 0
    gap_density: int = 0
    burst_ms: int = 0
    gap_ms: int = 0
    round_trip_ms: int = 0
    end_system_ms: int = 0
    signal_level: int = UNAVAILABLE
    noise_level: int = UNAVAILABLE
    echo_loss: int = UNAVAILABLE
    gmin: int = 16
    r_factor: int = UNAVAILABLE
    external_r: int = UNAVAILABLE
    mos_lq: int = UNAVAILABLE
    mos_cq: int = UNAVAILABLE
    receiver: int = 0
    reserved: int = 0
    buffer_ms: int = 0
    buffer_most_ms: int = 0
    buffer_limit_ms: int = 0

    def encode(self) -> bytes:
        values = [getattr(self, name) for name in self.__slots__]
        return struct.pack("!BBH", VOIP_METRICS, 0, 8) + _BLOCK.pack(*values)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """`body` is what follows the header of the block: 32 octets."""
        return cls(*_BLOCK.unpack(body))


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """What `ssrc` says of those it hears; blocks of other types are left out."""

    ssrc: int
    metrics: tuple[VoipMetrics, ...] = ()

    def encode(self) -> bytes:
        body = struct.pack("!I", self.ssrc) + b"".join(each.encode() for each in self.metrics)
        return struct.pack("!BBH", 0x80, EXTENDED_REPORT, len(body) // 4) + body


def parse_extended(data: bytes) -> ExtendedReport:
    """One packet of a compound, header included; raises struct.error when it is cut off."""
    (ssrc,) = struct.unpack_from("!I", data, 4)
    found, at = [], 8
    while at < len(data):
        kind, _, words = struct.unpack_from("!BBH", data, at)
        body = data[at + 4 : at + 4 + 4 * words]
        if len(body) < 4 * words:
            raise struct.error("bad length")
        if kind == VOIP_METRICS and words == 8:
            found.append(VoipMetrics.parse(body))
        at += 4 + 4 * words
    return ExtendedReport(ssrc, tuple(found))
