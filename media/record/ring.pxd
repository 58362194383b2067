"""Packets on their way from the engine thread to the recorder's thread: a ring with one writer and one reader.

The engine never waits: when the recorder is behind, packets are lost to the recording and counted, the call goes on.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #define ring_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define ring_store(p, value) __atomic_store_n((p), (value), __ATOMIC_RELEASE)
    """
    uint64_t ring_load(const uint64_t *p) noexcept nogil
    void ring_store(uint64_t *p, uint64_t value) noexcept nogil

cdef enum:
    RING_BYTES = 16777216       # 0.9 s of 1,000 calls recorded at once; touched only where it is used


cdef struct Taken:              # a packet as it lies in the ring, its payload behind it
    uint32_t size               # of everything, a multiple of 8; 0: the rest of the ring is not used
    uint32_t tap
    uint64_t serial             # of the slot: numbers of taps are used again
    int64_t arrived_ns
    uint32_t ssrc
    uint32_t timestamp
    uint16_t length
    uint8_t payload_type


cdef struct Ring:
    uint64_t written            # octets, by the engine thread only
    uint64_t lost               # packets
    uint8_t gap[48]             # the two counters on lines of their own
    uint64_t read               # octets, by the recorder's thread only
    uint8_t *data


cdef inline bint ring_put(Ring *ring, const Taken *head, const uint8_t *payload) noexcept nogil:
    """False when there is no room."""
    cdef uint32_t size = (<uint32_t>sizeof(Taken) + head.length + 7) & ~<uint32_t>7
    cdef uint64_t at = ring.written % RING_BYTES
    cdef uint64_t skipped = RING_BYTES - at if at + size > RING_BYTES else 0
    cdef Taken *place
    if ring.written + skipped + size - ring_load(&ring.read) > RING_BYTES:
        ring.lost += 1
        return False
    if skipped:
        (<uint32_t *>(ring.data + at))[0] = 0
        at = 0
    place = <Taken *>(ring.data + at)
    place[0] = head[0]
    place.size = size
    memcpy(<uint8_t *>place + sizeof(Taken), payload, head.length)
    ring_store(&ring.written, ring.written + skipped + size)
    return True


cdef inline const Taken *ring_next(Ring *ring) noexcept nogil:
    """The oldest packet, NULL when there is none; `ring_done` lets go of it."""
    cdef const Taken *found
    if ring.read == ring_load(&ring.written):
        return NULL
    found = <const Taken *>(ring.data + ring.read % RING_BYTES)
    if found.size == 0:
        ring_store(&ring.read, ring.read + RING_BYTES - ring.read % RING_BYTES)
        return ring_next(ring)
    return found


cdef inline void ring_done(Ring *ring, const Taken *taken) noexcept nogil:
    ring_store(&ring.read, ring.read + taken.size)
