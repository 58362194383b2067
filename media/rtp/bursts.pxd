"""Lost packets and bursts of them for the engine (RFC 3611 §4.7.2); reference: `media/rtp/losses.py`."""

from libc.stdint cimport int16_t, uint16_t, uint32_t

cdef enum:
    WINDOW = 16
    GMIN = 16
    MAX_DROPOUT = 3000
    MAX_MISORDER = 100


cdef struct Bursts:
    uint16_t highest
    uint16_t arrived        # bit n: the packet n before the highest has come
    int known
    uint32_t received
    uint32_t lost
    uint32_t runs           # of losses with no packet between
    uint32_t duplicates
    uint32_t bursts
    uint32_t burst_packets
    uint32_t burst_lost
    uint32_t good           # came since the last loss
    uint32_t group_lost     # of the burst that may be going on
    uint32_t group_packets


cdef inline void bursts_close(Bursts *b) noexcept nogil:
    if b.group_lost > 1:
        b.bursts += 1
        b.burst_packets += b.group_packets
        b.burst_lost += b.group_lost
    b.group_lost = b.group_packets = 0


cdef inline void bursts_came(Bursts *b) noexcept nogil:
    b.received += 1
    b.good += 1
    if b.good == GMIN:
        bursts_close(b)


cdef inline void bursts_lose(Bursts *b, uint32_t count) noexcept nogil:
    """So many in a row."""
    b.lost += count
    b.runs += b.good > 0 or b.group_lost == 0
    b.group_packets += b.good + count if b.group_lost else count
    b.group_lost += count
    b.good = 0


cdef inline void bursts_advance(Bursts *b, int step) noexcept nogil:
    cdef int i
    for i in range(min(step, <int>WINDOW)):
        if b.known < WINDOW:
            b.known += 1
        elif b.arrived >> (WINDOW - 1):
            bursts_came(b)
        else:
            bursts_lose(b, 1)
        b.arrived = <uint16_t>(b.arrived << 1)
    if step > WINDOW:
        bursts_lose(b, step - WINDOW)
    b.arrived |= 1


cdef inline void bursts_restart(Bursts *b) noexcept nogil:
    """The stream is over; another one may begin."""
    while b.known:
        b.known -= 1
        if b.arrived >> b.known & 1:
            bursts_came(b)
        else:
            bursts_lose(b, 1)
    bursts_close(b)
    b.good = 0


cdef inline void bursts_packet(Bursts *b, uint16_t sequence) noexcept nogil:
    cdef int step = <int16_t>(<uint16_t>(sequence - b.highest))
    if b.known and not -MAX_MISORDER < step < MAX_DROPOUT:
        bursts_restart(b)
    if b.known == 0:
        b.highest = sequence
        b.arrived = 1
        b.known = 1
    elif step > 0:
        bursts_advance(b, step)
        b.highest = sequence
    elif -step < b.known:
        b.duplicates += b.arrived >> -step & 1
        b.arrived |= <uint16_t>(1 << -step)
