"""Reception statistics for the engine (RFC 3550 appendix A.1, A.3, A.8); reference: `media/rtp/stats.py`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    MAX_DROPOUT = 3000
    MAX_MISORDER = 100
    SEQ_MOD = 65536


cdef struct Reception:
    bint active
    bint has_transit
    uint32_t ssrc
    uint16_t max_seq
    uint32_t cycles
    uint32_t base_seq
    uint32_t bad_seq
    uint32_t received           # of this source
    uint32_t expected_prior
    uint32_t received_prior
    uint32_t transit
    double jitter               # timestamp units
    uint32_t rate               # of `jitter`
    int64_t lost_before         # of earlier sources


cdef inline void reception_restart(Reception *r, uint16_t sequence) noexcept nogil:
    r.base_seq = sequence
    r.max_seq = sequence
    r.bad_seq = SEQ_MOD + 1
    r.cycles = 0
    r.received = 0
    r.expected_prior = 0
    r.received_prior = 0
    r.has_transit = False


cdef inline int64_t reception_lost(const Reception *r) noexcept nogil:
    """A.3, of this source: negative when duplicates outnumber what is missing."""
    if not r.active:
        return 0
    return <int64_t>r.cycles + r.max_seq - r.base_seq + 1 - r.received


cdef inline int64_t reception_total_lost(const Reception *r) noexcept nogil:
    cdef int64_t lost = reception_lost(r)
    return r.lost_before + (lost if lost > 0 else 0)


cdef inline void reception_source(Reception *r, uint32_t ssrc, uint16_t sequence) noexcept nogil:
    """A new source begins; what the earlier one lost stays in the sum."""
    r.lost_before = reception_total_lost(r)
    r.active = True
    r.ssrc = ssrc
    r.jitter = 0
    reception_restart(r, sequence)


cdef inline void reception_sequence(Reception *r, uint16_t sequence) noexcept nogil:
    """A.1 update_seq for a source that is already valid."""
    cdef uint16_t delta = <uint16_t>(sequence - r.max_seq)
    if delta < MAX_DROPOUT:
        if sequence < r.max_seq:
            r.cycles += SEQ_MOD
        r.max_seq = sequence
    elif delta <= SEQ_MOD - MAX_MISORDER:
        if sequence != r.bad_seq:
            r.bad_seq = (sequence + 1) & (SEQ_MOD - 1)
            return
        r.lost_before = reception_total_lost(r)
        reception_restart(r, sequence)
    r.received += 1


cdef inline void reception_jitter(Reception *r, uint32_t timestamp, uint32_t rate, int64_t now_ns) noexcept nogil:
    """A.8; another clock rate starts the estimate again."""
    cdef uint32_t arrival = <uint32_t>(<uint64_t>(now_ns // 1000) * rate // 1000000)
    cdef uint32_t transit = arrival - timestamp
    cdef int32_t delta
    if rate != r.rate:
        r.rate = rate
        r.jitter = 0
        r.has_transit = False
    if r.has_transit:
        delta = <int32_t>(transit - r.transit)
        r.jitter += ((delta if delta >= 0 else -<double>delta) - r.jitter) / 16.0
    r.has_transit = True
    r.transit = transit


cdef inline void reception_packet(Reception *r, uint32_t ssrc, uint16_t sequence) noexcept nogil:
    if not r.active or r.ssrc != ssrc:
        reception_source(r, ssrc, sequence)
    reception_sequence(r, sequence)


cdef inline uint8_t reception_fraction(Reception *r) noexcept nogil:
    """A.3: fraction lost since the report before, in 1/256; begins the next interval."""
    cdef uint32_t expected = r.cycles + r.max_seq - r.base_seq + 1
    cdef int64_t wanted = <int64_t>expected - r.expected_prior
    cdef int64_t lost = wanted - (<int64_t>r.received - r.received_prior)
    r.expected_prior = expected
    r.received_prior = r.received
    if wanted <= 0 or lost <= 0:
        return 0
    return <uint8_t>((lost << 8) // wanted if lost < wanted else 255)
