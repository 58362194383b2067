"""RTCP of a slot: its own reports, and what the peer reports."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from media.engine.measuring cimport fill_metrics
from media.engine.outbox cimport drop, seal_packet, send_datagram
from media.engine.posix cimport Address, ntp_time
from media.engine.reasons cimport RTCP_MALFORMED, RTCP_STRANGER, UNCONFIGURED
from media.engine.slots cimport Shard, Slot
from media.rtp.address cimport same_address
from media.rtp.control cimport (
    Block, Received, SenderInfo, read_compound, round_trip, write_description, write_goodbye, write_report,
)
from media.rtp.extended cimport Metrics, write_extended
from media.rtp.latching cimport is_allowed, latch_target
from media.rtp.reception cimport reception_fraction, reception_lost

cdef enum:
    RTCP_QUIET_S = 15
    MAX_COMPOUND = 160   # all that `write_compound` can write


cdef inline double random_part(Shard *shard) noexcept nogil:
    """xorshift64: uniform in [0, 1)."""
    shard.random ^= shard.random << 13
    shard.random ^= shard.random >> 7
    shard.random ^= shard.random << 17
    return <double>(shard.random >> 11) / 9007199254740992.0


cdef inline int64_t report_interval(Shard *shard, double seconds) noexcept nogil:
    """RFC 3550 §6.3.1: uniform in half to one and a half of `seconds`, divided by e - 3/2."""
    return <int64_t>(seconds * (0.5 + random_part(shard)) / 1.21828 * 1e9)


cdef inline void fill_sender(const Slot *slot, SenderInfo *info, int64_t now_ns) noexcept nogil:
    cdef int64_t passed = (now_ns - slot.out.sent_ns) // 1000 * slot.out.rate // 1000000
    info.ntp = ntp_time(now_ns)
    info.timestamp = slot.out.timestamp + <uint32_t>passed
    info.packets = <uint32_t>(slot.out.packets - slot.out.packets_before)
    info.octets = <uint32_t>(slot.out.octets - slot.out.octets_before)


cdef inline void fill_block(Slot *slot, Block *block, int64_t now_ns) noexcept nogil:
    cdef int64_t lost = reception_lost(&slot.reception)
    block.ssrc = slot.reception.ssrc
    block.fraction = reception_fraction(&slot.reception)
    block.lost = <int32_t>max(-0x800000, min(lost, 0x7FFFFF))
    block.highest = slot.reception.cycles + slot.reception.max_seq
    block.jitter = <uint32_t>slot.reception.jitter
    block.last_report = slot.last_report
    block.delay = 0
    if slot.last_report:
        block.delay = <uint32_t>((now_ns - slot.last_report_ns) * 65536 // 1000000000)


cdef inline int write_compound(Slot *slot, uint8_t *p, bint goodbye, int64_t now_ns) noexcept nogil:
    """SR while we have sent since the report before the last (§6.4), else RR; then SDES, where it is wanted VoIP
    Metrics, at the end BYE."""
    cdef SenderInfo info
    cdef Block block
    cdef Metrics metrics
    cdef bint sender = slot.out.packets > slot.rtcp_packets_before
    cdef bint heard = slot.reception.active and not slot.source_gone
    cdef int size
    if sender:
        fill_sender(slot, &info, now_ns)
    if heard:
        fill_block(slot, &block, now_ns)
    size = write_report(p, slot.out.ssrc, &info if sender else NULL, &block if heard else NULL)
    size += write_description(p + size, slot.out.ssrc, slot.cname)
    if heard and slot.config.extended:
        fill_metrics(slot, &metrics)
        size += write_extended(p + size, slot.out.ssrc, &metrics)
    if goodbye:
        size += write_goodbye(p + size, slot.out.ssrc)
    return size


cdef inline void send_control(Shard *shard, Slot *slot, const uint8_t *compound, int size) noexcept nogil:
    cdef const uint8_t *data = compound
    cdef int fd = slot.rtp_fd if slot.config.mux else slot.rtcp_fd
    cdef const Address *to = &slot.config.rtcp
    if slot.config.mux:
        to = latch_target(&slot.latch)
    elif slot.rtcp_learned:
        to = &slot.rtcp_source
    if to.v4.sin_port == 0:
        return
    slot.rtcp_sent = True
    if slot.config.secured:
        data = seal_packet(shard, slot, compound, &size, True)
        if data == NULL:
            return
    send_datagram(shard, slot, fd, data, size, to)


cdef inline void send_report(Shard *shard, Slot *slot, bint goodbye, int64_t now_ns) noexcept nogil:
    cdef uint8_t compound[MAX_COMPOUND]
    send_control(shard, slot, compound, write_compound(slot, compound, goodbye, now_ns))
    slot.rtcp_packets_before = slot.rtcp_packets
    slot.rtcp_packets = slot.out.packets


cdef inline void visit_report(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    if slot.rtcp_due_ns == 0:
        if slot.out.packets or slot.received:
            slot.rtcp_due_ns = now_ns + report_interval(shard, 1.0)
    elif now_ns >= slot.rtcp_due_ns:
        send_report(shard, slot, False, now_ns)
        slot.rtcp_due_ns = now_ns + report_interval(shard, 5.0)


cdef inline bint rtcp_source_accepted(Slot *slot, const Address *source, int64_t now_ns) noexcept nogil:
    """As for RTP: permitted addresses only; the address of the SDP always, another one after a long silence."""
    if not is_allowed(&slot.latch, source):
        return False
    if slot.config.mux or (slot.rtcp_learned and same_address(&slot.rtcp_source, source)):
        slot.rtcp_heard_ns = now_ns
        return True
    if (
        slot.rtcp_learned and not same_address(&slot.config.rtcp, source)
        and now_ns - slot.rtcp_heard_ns < RTCP_QUIET_S * <int64_t>1000000000
    ):
        return False
    slot.rtcp_learned = True
    slot.rtcp_source = source[0]
    slot.rtcp_heard_ns = now_ns
    return True


cdef inline void apply_received(Slot *slot, const Received *r, int64_t now_ns) noexcept nogil:
    cdef int64_t trip
    if r.has_sender:
        slot.last_report = r.last_report
        slot.last_report_ns = now_ns
    if r.has_block:
        slot.remote_lost = r.block.lost
        slot.measures.has_remote = True
        slot.measures.remote_fraction = r.block.fraction
        slot.measures.remote_jitter = r.block.jitter
        slot.has_remote_lost = True
        trip = round_trip(<uint32_t>(ntp_time(now_ns) >> 16), &r.block)
        if trip >= 0:
            slot.trip = trip
    if r.has_metrics:
        slot.measures.has_metrics = True
        slot.measures.metrics = r.metrics
    if r.goodbye and r.ssrc == slot.reception.ssrc:
        slot.source_gone = True


cdef inline bint receive_rtcp(
    Shard *shard, Slot *slot, const Address *source, int size, Received *r, int64_t now_ns
) noexcept nogil:
    """Whether it was a report that counts; `r` is what it said."""
    if not slot.configured:
        drop(shard, slot, UNCONFIGURED)
    elif not is_allowed(&slot.latch, source):
        drop(shard, slot, RTCP_STRANGER)
    elif not read_compound(shard.buffer, size, slot.out.ssrc, r):
        drop(shard, slot, RTCP_MALFORMED)
    elif not rtcp_source_accepted(slot, source, now_ns):
        drop(shard, slot, RTCP_STRANGER)
    else:
        apply_received(slot, r, now_ns)
        return True
    return False
