"""Packets that wait for their turn. Reference, with the reasons: `media/jitter/packets_ref.py`.

Their payloads lie in a store that is written in a circle: what is overwritten before its turn is lost.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    SLOTS = 64                  # packets that wait at most

cdef enum Put:
    PUT_TAKEN = 0
    PUT_LATE                    # after its turn
    PUT_DUPLICATE
    PUT_STRANGE                 # far from the others, and alone
    PUT_UNDECODABLE


cdef struct Packet:
    bint waiting
    bint comfort_noise
    int size
    int64_t sequence            # unrolled
    int64_t time                # of its first sample, in samples
    uint64_t place              # in the store


cdef struct Packets:
    int rate
    int clock_rate
    uint64_t reordered
    uint64_t resets
    bint started
    bint fresh                  # the last one was the first
    bint taken                  # has any been played?
    int gap                     # packets that were missing when the last one came
    int waiting
    int suspect                 # sequence number that would prove a new beginning, -1: none
    int64_t next                # sequence number whose turn it is
    int64_t highest
    int64_t clock               # of the highest: unrolled timestamp
    uint32_t timestamp
    int64_t arrival             # in samples
    int64_t seen[SLOTS]
    Packet slots[SLOTS]
    uint8_t *store
    int store_size
    uint64_t stored


cdef inline const uint8_t *payload_of(const Packets *p, const Packet *packet) noexcept nogil:
    return p.store + packet.place % <uint64_t>p.store_size


cdef void packets_open(Packets *p, int rate, int clock_rate, uint8_t *store, int store_size) noexcept nogil
cdef void packets_forget(Packets *p) noexcept nogil
cdef int packets_put(
    Packets *p, uint16_t sequence, uint32_t timestamp, const uint8_t *payload, int size, bint comfort_noise,
    int64_t now, int64_t *time
) noexcept nogil
cdef Packet *packets_first(Packets *p) noexcept nogil
cdef int packets_take(Packets *p, Packet *packet) noexcept nogil
