"""One RTP packet from arrival to departure: check, source, statistics, digits, payload type, numbering, send."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media.codec.g711 cimport ALAW, ULAW
from media.engine.colliding cimport collides
from media.engine.hearing cimport listens, receive_tones
from media.engine.mixed cimport receive_voice
from media.engine.outbox cimport drop, send_packet, tell, tell_learned
from media.engine.pressed cimport goes_over, receive_event
from media.engine.reasons cimport (
    HELD, KEPT, NO_CODEC, RECORDER_BEHIND, SSRC_COLLISION, STALE, STRANGER, UNCONFIGURED, UNKNOWN_PAYLOAD,
)
from media.engine.slots cimport AUDIO, EVENT, NOT_CARRIED, SENDS, TO_ALAW, TO_ULAW, Shard, Slot
from media.engine.posix cimport Address
from media.jitter.playout cimport playout_reset
from media.record.ring cimport Taken, ring_put
from media.rtp.bursts cimport bursts_packet, bursts_restart
from media.rtp.header cimport HEADER_SIZE, Header, parse_header
from media.rtp.latching cimport is_allowed, latch_receive
from media.rtp.outgoing cimport Stamp, outgoing_stamp
from media.rtp.reception cimport reception_jitter, reception_packet

cdef enum:
    PATIENCE_NS = 200000000     # who changes the payload type more often is told of later


cdef inline uint64_t relay_feed(const Slot *source, uint32_t ssrc) noexcept nogil:
    """The feed of a relayed source: two parties may have chosen the same SSRC. Generated feeds have no highest bit."""
    return (<uint64_t>1 << 63) | (source.serial << 32) | ssrc


cdef inline bint takes_relayed(const Slot *sink) noexcept nogil:
    """May the room's audio go out here now?"""
    return sink.configured and sink.config.sends and sink.player == NULL and sink.sender.phase == 0


cdef inline void transcode(Shard *shard, int action, uint8_t *payload, int length) noexcept nogil:
    cdef const uint8_t *table = shard.g711.other[ULAW if action == TO_ALAW else ALAW]
    cdef int i
    for i in range(length):
        payload[i] = table[payload[i]]


cdef inline void forward(
    Shard *shard, const Slot *source, Slot *sink, const Header *h, uint8_t payload_type, uint32_t rate, int64_t now_ns
) noexcept nogil:
    """Send the payload in the shard's buffer as part of `sink`'s stream; the header is written just before it."""
    cdef Stamp stamp
    shard.urgent_ns = now_ns
    if not outgoing_stamp(
        &sink.out, relay_feed(source, h.ssrc), h.sequence, h.timestamp, rate, now_ns, &stamp
    ):
        drop(shard, sink, STALE)
        return
    stamp.marker |= h.marker
    send_packet(shard, sink, shard.buffer + h.offset - HEADER_SIZE, h.length, payload_type, &stamp)


cdef inline void deliver(Shard *shard, Slot *slot, const Header *h, uint32_t rate, int64_t now_ns) noexcept nogil:
    """To where the packet goes: back, to the other member of the room, or nowhere."""
    cdef Slot *sink = slot.peer
    cdef int action
    if slot.echo:
        if takes_relayed(slot):
            forward(shard, slot, slot, h, h.payload_type, rate, now_ns)
        return
    if sink == NULL or sink.echo or not takes_relayed(sink):
        return
    action = slot.route.action[h.payload_type]
    if action == NOT_CARRIED:
        slot.not_carried[h.payload_type] += 1
        drop(shard, slot, NO_CODEC)
        return
    if action == TO_ALAW or action == TO_ULAW:
        transcode(shard, action, shard.buffer + h.offset, h.length)
    forward(shard, slot, sink, h, slot.route.payload_type[h.payload_type], rate, now_ns)


cdef inline void take(Shard *shard, Slot *slot, const Header *h, int64_t now_ns) noexcept nogil:
    """A copy for the recorder."""
    cdef Taken taken
    taken.tap, taken.serial, taken.arrived_ns = slot.tap - 1, slot.serial, now_ns
    taken.ssrc, taken.timestamp = h.ssrc, h.timestamp
    taken.length, taken.payload_type = <uint16_t>h.length, h.payload_type
    if not ring_put(shard.ring, &taken, shard.buffer + h.offset):
        drop(shard, slot, RECORDER_BEHIND)


cdef inline int judge(Shard *shard, Slot *slot, const Address *source, const Header *h, int64_t now_ns) noexcept nogil:
    """KEPT when the packet comes from whom it should and carries what was negotiated."""
    if not slot.configured:
        return UNCONFIGURED
    if slot.config.entry[h.payload_type] == 0:
        return UNKNOWN_PAYLOAD if is_allowed(&slot.latch, source) else STRANGER
    return latch_receive(&slot.latch, source, h.ssrc, h.sequence, now_ns)


cdef inline void new_source(Slot *slot) noexcept nogil:
    slot.digits.seen = False
    slot.source_gone = False
    bursts_restart(&slot.measures.bursts)
    if slot.voice != NULL and slot.voice.playout != NULL:
        playout_reset(slot.voice.playout)
    if slot.ear != NULL:
        slot.ear.started = False


cdef inline void tell_type(Shard *shard, Slot *slot, int payload_type, int64_t now_ns) noexcept nogil:
    """The control thread may want to do otherwise with what comes now."""
    if now_ns - slot.audio_told_ns >= PATIENCE_NS:
        slot.audio_type, slot.audio_told_ns = payload_type, now_ns
        tell(shard, slot, SENDS, payload_type, 0)


cdef inline void receive_rtp(Shard *shard, Slot *slot, const Address *source, int size, int64_t now_ns) noexcept nogil:
    cdef Header h
    cdef int entry, kind, reason = parse_header(shard.buffer, size, &h)
    cdef uint32_t rate
    if reason == KEPT:
        reason = judge(shard, slot, source, &h, now_ns)
    if reason == KEPT and collides(shard, slot, &h, now_ns):
        reason = SSRC_COLLISION
    if reason != KEPT:
        drop(shard, slot, reason)
        return
    if slot.latch.news:
        slot.latch.news = False
        tell_learned(shard, slot)
    slot.received += 1
    slot.heard_ns = now_ns
    if slot.reception.ssrc != h.ssrc:
        new_source(slot)
    reception_packet(&slot.reception, h.ssrc, h.sequence)
    bursts_packet(&slot.measures.bursts, h.sequence)
    if not slot.config.receives:
        drop(shard, slot, HELD)
        return
    entry = slot.config.entry[h.payload_type] - 1
    rate, kind = slot.config.rate[entry], slot.config.kind[entry]
    if kind == EVENT:
        receive_event(shard, slot, &h, rate, now_ns)
        if goes_over(slot, &h):
            deliver(shard, slot, &h, rate, now_ns)
        return
    if kind == AUDIO and h.payload_type != slot.audio_type:
        tell_type(shard, slot, h.payload_type, now_ns)
    reception_jitter(&slot.reception, h.timestamp, rate, now_ns)
    if slot.tap:
        take(shard, slot, &h, now_ns)
    if slot.voice != NULL and not slot.echo:
        receive_voice(shard, slot, &h, kind, shard.buffer + h.offset, now_ns)
        return
    if listens(slot):
        receive_tones(shard, slot, &h, kind, shard.buffer + h.offset, now_ns)
    deliver(shard, slot, &h, rate, now_ns)
