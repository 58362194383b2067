# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Packets in order. Reference, with the reasons: `media/jitter/packets_ref.py`."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef enum:
    DROPOUT = 3000
    JUMP_MS = 500
    OLDEST_MS = 4000

cdef int64_t FIRST_CLOCK = <int64_t>1 << 32    # so that no time is negative


cdef void packets_open(Packets *p, int rate, int clock_rate, uint8_t *store, int store_size) noexcept nogil:
    """`store` stays the caller's; no payload may be longer than half of it."""
    memset(p, 0, sizeof(Packets))
    p.rate, p.clock_rate = rate, clock_rate
    p.store, p.store_size = store, store_size
    packets_forget(p)


cdef void packets_forget(Packets *p) noexcept nogil:
    """The next packet is the first."""
    cdef int i
    p.started = p.taken = False
    p.gap = p.waiting = 0
    p.suspect = -1
    for i in range(SLOTS):
        p.seen[i] = -1
        p.slots[i].waiting = False


cdef inline int64_t in_samples(const Packets *p, int64_t clock) noexcept nogil:
    return clock * p.rate // p.clock_rate


cdef bint timed(Packets *p, int64_t number, uint32_t timestamp, int ahead, int64_t now, int64_t *time) noexcept nogil:
    """Find its time; False for one between others whose timestamp does not lie near theirs."""
    cdef int64_t clock = p.clock + <int32_t>(timestamp - p.timestamp)
    cdef int64_t further = in_samples(p, clock) - in_samples(p, p.clock)
    cdef int64_t hurry = further - (now - p.arrival)
    cdef int64_t most = <int64_t>JUMP_MS * p.rate // 1000
    if ahead < 0 and not -(<int64_t>OLDEST_MS * p.rate // 1000) < further <= 0:
        return False
    if ahead > 0 and not -most <= hurry <= most:
        clock = p.clock + (now - p.arrival) * p.clock_rate // p.rate
        p.resets += 1
    if ahead >= 0:
        p.highest, p.clock, p.timestamp, p.arrival = number, clock, timestamp, now
    time[0] = in_samples(p, clock)
    return True


cdef void drop_old(Packets *p, int64_t number) noexcept nogil:
    """What is so old that `number` takes its place, or that of one before."""
    cdef int i
    for i in range(SLOTS):
        if p.slots[i].waiting and p.slots[i].sequence <= number - SLOTS:
            p.slots[i].waiting = False
            p.waiting -= 1


cdef void keep(Packets *p, Packet *packet, const uint8_t *payload, int size) noexcept nogil:
    """Payloads lie in one piece: what does not fit before the end of the store goes to its beginning."""
    cdef int at = <int>(p.stored % <uint64_t>p.store_size)
    if at + size > p.store_size:
        p.stored += p.store_size - at
        at = 0
    memcpy(p.store + at, payload, size)
    packet.place, packet.size = p.stored, size
    p.stored += size


cdef int packets_put(
    Packets *p, uint16_t sequence, uint32_t timestamp, const uint8_t *payload, int size, bint comfort_noise,
    int64_t now, int64_t *time
) noexcept nogil:
    """What becomes of a packet that came at `now` (samples); `time` is set for what is taken or late."""
    cdef int ahead = <int16_t>(sequence - <uint16_t>p.highest) if p.started else 0
    cdef int64_t number
    cdef Packet *packet
    if not -SLOTS < ahead < DROPOUT:
        if sequence != p.suspect:
            p.suspect = <uint16_t>(sequence + 1)
            return PUT_STRANGE
        p.resets += 1
        packets_forget(p)
    p.fresh = not p.started
    if p.fresh:
        p.started, ahead = True, 0
        p.next = p.highest = 65536 + sequence
        p.clock, p.timestamp, p.arrival = FIRST_CLOCK, timestamp, now
    number = p.highest + ahead
    if p.seen[number % SLOTS] == number:
        return PUT_DUPLICATE
    if not timed(p, number, timestamp, ahead, now, time):
        return PUT_STRANGE
    p.gap = ahead - 1 if ahead > 1 else 0
    p.seen[number % SLOTS] = number
    if number < p.next:
        if p.taken:
            return PUT_LATE
        p.next = number
    p.reordered += ahead < 0
    if ahead > 0 and p.waiting:
        drop_old(p, number)
    packet = &p.slots[number % SLOTS]
    packet.waiting, packet.comfort_noise = True, comfort_noise
    packet.sequence, packet.time = number, time[0]
    keep(p, packet, payload, size)
    p.waiting += 1
    return PUT_TAKEN


cdef Packet *packets_first(Packets *p) noexcept nogil:
    """The one to be played next; NULL when none waits."""
    cdef int64_t number = p.next if p.next > p.highest - SLOTS else p.highest - SLOTS + 1
    cdef Packet *packet
    while p.waiting:
        packet = &p.slots[number % SLOTS]
        number += 1
        if packet.waiting and packet.place + p.store_size >= p.stored:
            return packet
        p.waiting -= packet.waiting
        packet.waiting = False
    return NULL


cdef int packets_take(Packets *p, Packet *packet) noexcept nogil:
    """`packet`, which is the first, is played; how many before it never came."""
    cdef int lost = <int>(packet.sequence - p.next)
    packet.waiting = False
    p.waiting -= 1
    p.next, p.taken = packet.sequence + 1, True
    return lost


PUTS = {
    PUT_TAKEN: "taken", PUT_LATE: "late", PUT_DUPLICATE: "duplicate", PUT_STRANGE: "strange",
    PUT_UNDECODABLE: "undecodable",
}


cdef class Queue:
    """Packets for Python: tests. The engine uses the struct."""

    cdef Packets packets

    def __init__(self, int rate, int clock_rate, int store_size=10000):
        cdef uint8_t *store = <uint8_t *>calloc(store_size, 1)
        if store == NULL:
            raise MemoryError
        free(self.packets.store)
        packets_open(&self.packets, rate, clock_rate, store, store_size)

    def __dealloc__(self):
        free(self.packets.store)

    def put(self, int sequence, uint32_t timestamp, const uint8_t[::1] payload not None, bint comfort_noise, int64_t now):
        cdef int64_t time = 0
        cdef int found
        if not 0 < payload.shape[0] <= self.packets.store_size // 2:
            return PUTS[PUT_UNDECODABLE], 0
        found = packets_put(
            &self.packets, <uint16_t>sequence, timestamp, &payload[0], <int>payload.shape[0], comfort_noise, now, &time
        )
        return PUTS[found], time

    def take(self):
        """(sequence, time, payload, how many before it never came) of the first; None when none waits."""
        cdef Packet *packet = packets_first(&self.packets)
        cdef int lost
        if packet == NULL:
            return None
        lost = packets_take(&self.packets, packet)
        return packet.sequence, packet.time, payload_of(&self.packets, packet)[:packet.size], lost

    def counters(self):
        return {"reordered": self.packets.reordered, "resets": self.packets.resets, "gap": self.packets.gap}
