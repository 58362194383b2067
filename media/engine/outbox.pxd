"""Events out of the engine thread and packets out of its sockets."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

from media.engine.posix cimport (
    EAGAIN, ECONNREFUSED, MSG_DONTWAIT, MSG_NOSIGNAL, Address, errno, pthread_mutex_lock, pthread_mutex_unlock, sendto,
    write,
)
from media.engine.reasons cimport EVENTS_FULL, SEND_FAILED, SEND_FULL, SEND_REFUSED, SRTP_UNSEALED, SRTP_WAITING
from media.engine.slots cimport DIGIT, LEARNED, MAX_EVENTS, RELEASED, SENDS, SILENT, TALKS, Event, Shard, Slot
from media.rtp.address cimport address_size
from media.rtp.header cimport HEADER_SIZE, build_header
from media.rtp.latching cimport latch_target
from media.rtp.outgoing cimport Stamp
from media.srtp.cipher cimport cipher_seal


cdef inline void drop(Shard *shard, Slot *slot, int reason) noexcept nogil:
    shard.dropped[reason] += 1
    slot.dropped[reason] += 1


cdef inline Event *new_event(uint64_t serial, int kind, int64_t first, int64_t second) noexcept nogil:
    cdef Event *event = <Event *>calloc(1, sizeof(Event))
    if event != NULL:
        event.kind = kind
        event.serial = serial
        event.first = first
        event.second = second
    return event


cdef inline void post(Shard *shard, Event *event) noexcept nogil:
    """Queue for Python. A peer can cause the informative ones at will, so their number is bounded."""
    if event == NULL:
        return
    pthread_mutex_lock(&shard.lock)
    shard.events_end[0] = event
    shard.events_end = &event.next
    shard.event_count += 1
    shard.notified = True
    pthread_mutex_unlock(&shard.lock)


cdef inline void tell(Shard *shard, Slot *slot, int kind, int64_t first, int64_t second) noexcept nogil:
    if shard.event_count >= MAX_EVENTS and kind in (DIGIT, LEARNED, SENDS, SILENT, TALKS):
        drop(shard, slot, EVENTS_FULL)
        return
    post(shard, new_event(slot.serial, kind, first, second))


cdef inline void tell_learned(Shard *shard, Slot *slot) noexcept nogil:
    cdef Event *event
    if shard.event_count >= MAX_EVENTS:
        drop(shard, slot, EVENTS_FULL)
        return
    event = new_event(slot.serial, LEARNED, 0, 0)
    if event != NULL:
        event.address = slot.latch.source
    post(shard, event)


cdef inline void released(Shard *shard, const void *memory) noexcept nogil:
    """Nothing here points to it any more: the control thread may have it back."""
    cdef Event *event
    if memory == NULL:
        return
    event = new_event(0, RELEASED, 0, 0)
    if event != NULL:
        event.memory = memory
    post(shard, event)


cdef inline void post_freed(Shard *shard) noexcept nogil:
    """Give slots back that were removed in this turn, after everything else that was said about them."""
    cdef Event *event
    while shard.freed != NULL:
        event = shard.freed
        shard.freed = event.next
        event.next = NULL
        post(shard, event)


cdef inline void notify(Shard *shard) noexcept nogil:
    """Wake Python once for everything that was posted in this turn."""
    cdef uint64_t one = 1
    if shard.notified:
        shard.notified = False
        write(shard.notify, &one, sizeof(one))


cdef inline const uint8_t *seal_packet(
    Shard *shard, Slot *slot, const uint8_t *packet, int *size, bint control
) noexcept nogil:
    """The packet as SRTP or SRTCP; NULL when that is not possible, and then it must not be sent at all."""
    if slot.sealer == NULL or slot.latch.aimless:
        drop(shard, slot, SRTP_WAITING)
        return NULL
    memcpy(shard.sealed, packet, size[0])
    if cipher_seal(slot.sealer, shard.sealed, size, control):
        return shard.sealed
    drop(shard, slot, SRTP_UNSEALED)
    return NULL


cdef inline bint send_datagram(
    Shard *shard, Slot *slot, int fd, const uint8_t *data, int size, const Address *to
) noexcept nogil:
    cdef int reason
    if sendto(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, address_size(to)) == size:
        return True
    reason = SEND_FULL if errno == EAGAIN else SEND_REFUSED if errno == ECONNREFUSED else SEND_FAILED
    drop(shard, slot, reason)
    return False


cdef inline void send_packet(
    Shard *shard, Slot *slot, uint8_t *packet, int length, uint8_t payload_type, const Stamp *stamp
) noexcept nogil:
    """Send `length` bytes of payload that lie behind 12 free bytes at `packet`."""
    cdef const uint8_t *data = packet
    cdef int size = HEADER_SIZE + length
    build_header(packet, payload_type, stamp.marker, stamp.sequence, stamp.timestamp, slot.out.ssrc)
    if slot.config.secured:
        data = seal_packet(shard, slot, packet, &size, False)
        if data == NULL:
            return
    if send_datagram(shard, slot, slot.rtp_fd, data, size, latch_target(&slot.latch)):
        slot.out.packets += 1
        slot.out.octets += length
        shard.packets_out += 1
