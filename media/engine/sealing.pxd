"""What arrives encrypted or belongs to a handshake: SRTP opened before anything is read, STUN and DTLS set apart."""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

from media.engine.outbox cimport drop, post, released
from media.engine.posix cimport Address
from media.engine.reasons cimport EVENTS_FULL, HANDSHAKE_FLOOD, KEPT, SRTP_AUTH, SRTP_WAITING
from media.engine.slots cimport HANDSHAKE, MAX_EVENTS, Event, Shard, Slot
from media.srtp.cipher cimport Cipher, cipher_open

cdef enum:
    MAX_HANDSHAKES = 64        # packets in 200 ms; a browser's checks and handshake are a dozen
    OLD_KEYS_NS = 2000000000   # after a change of keys, what was sent before it may still be on the way


cdef inline bint is_handshake(const uint8_t *packet, int size) noexcept nogil:
    """STUN or DTLS by the first byte (RFC 7983 §7)."""
    return size > 0 and (packet[0] < 4 or 20 <= packet[0] <= 63)


cdef inline void tell_handshake(Shard *shard, Slot *slot, const Address *source, int size) noexcept nogil:
    """For the control thread. Anybody can send these, so their number is bounded."""
    cdef Event *event
    slot.handshakes += 1
    if slot.handshakes > MAX_HANDSHAKES:
        drop(shard, slot, HANDSHAKE_FLOOD)
        return
    if shard.event_count >= MAX_EVENTS:
        drop(shard, slot, EVENTS_FULL)
        return
    event = <Event *>calloc(1, sizeof(Event) + size)
    if event == NULL:
        return
    event.kind = HANDSHAKE
    event.serial = slot.serial
    event.address = source[0]
    event.size = size
    memcpy(<uint8_t *>event + sizeof(Event), shard.buffer, size)
    post(shard, event)


cdef inline int open_before(Shard *shard, Slot *slot, int *size, bint control) noexcept nogil:
    """Under the new keys, else under those of before; a failed try may have spoilt its copy of the packet."""
    cdef int reason, whole = size[0]
    memcpy(shard.sealed, shard.buffer, whole)
    reason = cipher_open(slot.opener, shard.buffer, size, control)
    if reason == SRTP_AUTH:
        memcpy(shard.buffer, shard.sealed, whole)
        size[0] = whole
        reason = cipher_open(slot.opener_before, shard.buffer, size, control)
    return reason


cdef inline int open_packet(Shard *shard, Slot *slot, int size, bint control, int64_t now_ns) noexcept nogil:
    """The plain packet in the shard's buffer; its size, -1 when it was dropped."""
    cdef int reason
    if slot.opener == NULL:
        drop(shard, slot, SRTP_WAITING)
        return -1
    if slot.opener_before != NULL and now_ns < slot.opener_before_until_ns:
        reason = open_before(shard, slot, &size, control)
    else:
        reason = cipher_open(slot.opener, shard.buffer, &size, control)
    if reason == KEPT:
        return size
    drop(shard, slot, reason)
    return -1


cdef inline void set_opener(Shard *shard, Slot *slot, Cipher *cipher, int64_t now_ns) noexcept nogil:
    released(shard, slot.opener_before)
    slot.opener_before = slot.opener
    slot.opener_before_until_ns = now_ns + OLD_KEYS_NS
    slot.opener = cipher


cdef inline void set_sealer(Shard *shard, Slot *slot, Cipher *cipher) noexcept nogil:
    released(shard, slot.sealer)
    slot.sealer = cipher


cdef inline void stop_ciphers(Shard *shard, Slot *slot) noexcept nogil:
    """The slot goes."""
    released(shard, slot.opener)
    released(shard, slot.opener_before)
    released(shard, slot.sealer)
    slot.opener = slot.opener_before = slot.sealer = NULL
