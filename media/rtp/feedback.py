"""What the receiver of pictures asks of their sender (RFC 4585, RFC 5104): reference of `feedback.pxd`."""

import struct
from collections.abc import Sequence

from frozen import dataclass

TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK = 205, 206
LOST, PICTURE_LOST, WHOLE_PICTURE = 1, 1, 4  # formats: NACK of 205; PLI and FIR of 206


@dataclass(frozen=True, slots=True)
class Feedback:
    """`wants_picture`: a whole one, by PLI or FIR. `lost`: (sequence number, bits of the 16 after it), as NACK has
    them. `sequence`: of a FIR, by which repetitions are known; None for a PLI."""

    ssrc: int
    of: int
    wants_picture: bool = False
    sequence: int | None = None
    lost: tuple[tuple[int, int], ...] = ()

    def encode(self) -> bytes:
        if self.lost:
            return _packet(LOST, TRANSPORT_FEEDBACK, self.ssrc, self.of, _pairs(self.lost))
        if self.sequence is None:
            return _packet(PICTURE_LOST, PAYLOAD_FEEDBACK, self.ssrc, self.of, b"")
        entry = struct.pack("!IB3x", self.of, self.sequence)
        return _packet(WHOLE_PICTURE, PAYLOAD_FEEDBACK, self.ssrc, 0, entry)


def parse_feedback(data: bytes) -> tuple[Feedback, ...]:
    """One packet of a compound, header included; nothing of formats that are not passed on. Raises struct.error."""
    kind, form = data[1], data[0] & 0x1F
    ssrc, of = struct.unpack_from("!II", data, 4)
    if kind == TRANSPORT_FEEDBACK and form == LOST:
        return (Feedback(ssrc, of, lost=tuple(struct.iter_unpack("!HH", data[12:]))),)
    if kind == PAYLOAD_FEEDBACK and form == PICTURE_LOST:
        return (Feedback(ssrc, of, wants_picture=True),)
    if kind == PAYLOAD_FEEDBACK and form == WHOLE_PICTURE:
        count = (len(data) - 12) // 8
        entries = [struct.unpack_from("!IB", data, 12 + 8 * index) for index in range(count)]
        return tuple(Feedback(ssrc, wanted, wants_picture=True, sequence=number) for wanted, number in entries)
    return ()


def _pairs(lost: Sequence[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack("!HH", *pair) for pair in lost)


def _packet(form: int, kind: int, ssrc: int, of: int, entries: bytes) -> bytes:
    return struct.pack("!BBHII", 0x80 | form, kind, 2 + len(entries) // 4, ssrc, of) + entries
