"""Extended reports of RTCP for the engine (RFC 3611 §4.7); reference: `media/rtp/xr.py`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from media.rtp.header cimport get16, get32, put16, put32

cdef enum:
    EXTENDED_REPORT = 207
    VOIP_METRICS = 7
    UNAVAILABLE = 127
    EXTENDED_SIZE = 44


cdef struct Metrics:                # rates and densities in 1/256; R, MOS in tenths or UNAVAILABLE
    uint32_t ssrc
    uint8_t loss_rate
    uint8_t discard_rate
    uint8_t burst_density
    uint8_t gap_density
    uint16_t burst_ms
    uint16_t gap_ms
    uint16_t round_trip_ms
    uint16_t end_system_ms
    uint8_t r_factor
    uint8_t mos_lq
    uint8_t mos_cq
    uint8_t receiver                # how loss is concealed and what the jitter buffer is
    uint16_t buffer_ms
    uint16_t buffer_most_ms
    uint16_t buffer_limit_ms


cdef inline int write_extended(uint8_t *p, uint32_t ssrc, const Metrics *m) noexcept nogil:
    """A packet with one VoIP Metrics block. Levels of signal, noise and echo are not measured."""
    p[0] = 0x80
    p[1] = EXTENDED_REPORT
    put16(p + 2, EXTENDED_SIZE // 4 - 1)
    put32(p + 4, ssrc)
    p[8] = VOIP_METRICS
    p[9] = 0
    put16(p + 10, 8)
    put32(p + 12, m.ssrc)
    p[16], p[17], p[18], p[19] = m.loss_rate, m.discard_rate, m.burst_density, m.gap_density
    put16(p + 20, m.burst_ms)
    put16(p + 22, m.gap_ms)
    put16(p + 24, m.round_trip_ms)
    put16(p + 26, m.end_system_ms)
    p[28] = p[29] = p[30] = UNAVAILABLE
    p[31] = 16      # Gmin
    p[32], p[33], p[34], p[35] = m.r_factor, UNAVAILABLE, m.mos_lq, m.mos_cq
    p[36] = m.receiver
    p[37] = 0
    put16(p + 38, m.buffer_ms)
    put16(p + 40, m.buffer_most_ms)
    put16(p + 42, m.buffer_limit_ms)
    return EXTENDED_SIZE


cdef inline void read_metrics(const uint8_t *p, Metrics *m) noexcept nogil:
    """The 32 octets behind the header of a block."""
    m.ssrc = get32(p)
    m.loss_rate, m.discard_rate, m.burst_density, m.gap_density = p[4], p[5], p[6], p[7]
    m.burst_ms, m.gap_ms = get16(p + 8), get16(p + 10)
    m.round_trip_ms, m.end_system_ms = get16(p + 12), get16(p + 14)
    m.r_factor, m.mos_lq, m.mos_cq = p[20], p[22], p[23]
    m.receiver = p[24]
    m.buffer_ms, m.buffer_most_ms, m.buffer_limit_ms = get16(p + 26), get16(p + 28), get16(p + 30)


cdef inline bint read_extended(const uint8_t *p, int size, uint32_t own, Metrics *m, bint *found) noexcept nogil:
    """One packet of a compound: what it says of `own`. False when its blocks do not fit into it."""
    cdef int at = 8, length
    if size < 8:
        return False
    while at < size:
        if at + 4 > size:
            return False
        length = 4 * get16(p + at + 2)
        if at + 4 + length > size:
            return False
        if p[at] == VOIP_METRICS and length == 32 and get32(p + at + 4) == own:
            read_metrics(p + at + 4, m)
            found[0] = True
        at += 4 + length
    return True
