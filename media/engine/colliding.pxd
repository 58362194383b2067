"""A peer that uses the SSRC of our own stream (RFC 3550 §8.2)."""

from libc.stdint cimport int16_t, int64_t, uint16_t, uint32_t

from media.engine.reporting cimport random_part, send_report
from media.engine.slots cimport Shard, Slot
from media.rtp.header cimport Header

cdef enum:
    REFLECTED = 3000    # an echo of our packets is not far behind them


cdef inline bint is_reflection(const Slot *slot, const Header *h) noexcept nogil:
    """Our own packets come back, as some test devices send them: no other SSRC would help."""
    cdef int behind = <int16_t>(<uint16_t>(slot.out.sequence - h.sequence))
    return slot.out.packets > 0 and -REFLECTED <= behind <= REFLECTED


cdef inline bint collides(Shard *shard, Slot *slot, const Header *h, int64_t now_ns) noexcept nogil:
    """By chance the peer has chosen our number: we say goodbye and take another one."""
    if h.ssrc != slot.out.ssrc or is_reflection(slot, h):
        return False
    if slot.out.packets or slot.rtcp_sent:
        send_report(shard, slot, True, now_ns)
    while slot.out.ssrc == h.ssrc:
        slot.out.ssrc = <uint32_t>(random_part(shard) * 4294967296.0)
    slot.out.packets_before = slot.out.packets
    slot.out.octets_before = slot.out.octets
    return True
