"""Streams that nothing here understands: pictures, text and fax go over to the other party as they come.

RTP gets our numbering and payload types, as sound does, and what the receiver asks of the sender goes back the other
way. Other datagrams (UDPTL) only get other addresses.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from media.engine.colliding cimport collides
from media.engine.outbox cimport drop, send_datagram, send_packet, tell_learned
from media.engine.posix cimport Address
from media.engine.reasons cimport FEEDBACK_FLOOD, HELD, KEPT, NO_CODEC, SSRC_COLLISION, STALE, UNCONFIGURED
from media.engine.relay cimport judge, relay_feed
from media.engine.reporting cimport MAX_COMPOUND, send_control, write_compound
from media.engine.slots cimport NOT_CARRIED, TAKES_LOST, TAKES_PICTURE_LOST, TAKES_WHOLE_PICTURE, Shard, Slot
from media.rtp.asking cimport MAX_ASKED, Asked, write_lost, write_picture_lost, write_whole_picture
from media.rtp.bursts cimport bursts_packet, bursts_restart
from media.rtp.header cimport HEADER_SIZE, Header, parse_header
from media.rtp.latching cimport latch_receive, latch_target
from media.rtp.outgoing cimport Stamp, outgoing_stamp
from media.rtp.reception cimport reception_jitter, reception_packet

cdef enum:
    MOST_ASKED = 32             # in 200 ms: bad networks ask often, for packets that were lost
    PICTURE_NS = 200000000      # whole pictures are large: not more often


cdef inline bint takes_passed(const Slot *sink) noexcept nogil:
    return sink != NULL and sink.configured and sink.config.sends


cdef inline void note_source(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    slot.received += 1
    slot.heard_ns = shard.urgent_ns = now_ns
    if slot.latch.news:
        slot.latch.news = False
        tell_learned(shard, slot)


cdef inline void pass_datagram(Shard *shard, Slot *slot, const Address *source, int size, int64_t now_ns) noexcept nogil:
    """One that is no RTP. It has no number, so each follows the one before."""
    cdef Slot *sink = slot.peer
    cdef int reason = UNCONFIGURED
    if slot.configured:
        reason = latch_receive(&slot.latch, source, 0, <uint16_t>(slot.latch.candidate_sequence + 1), now_ns)
    if reason != KEPT:
        drop(shard, slot, reason)
        return
    note_source(shard, slot, now_ns)
    if not slot.config.receives:
        drop(shard, slot, HELD)
    elif takes_passed(sink) and send_datagram(
        shard, sink, sink.rtp_fd, shard.buffer, size, latch_target(&sink.latch)
    ):
        sink.out.packets += 1
        sink.out.octets += size
        sink.out.sent_ns = now_ns
        shard.packets_out += 1


cdef inline void pass_on(Shard *shard, Slot *slot, const Header *h, uint32_t rate, int64_t now_ns) noexcept nogil:
    cdef Slot *sink = slot.peer
    cdef Stamp stamp
    if not takes_passed(sink):
        return
    if slot.route.action[h.payload_type] == NOT_CARRIED:
        slot.not_carried[h.payload_type] += 1
        drop(shard, slot, NO_CODEC)
    elif outgoing_stamp(&sink.out, relay_feed(slot, h.ssrc), h.sequence, h.timestamp, rate, now_ns, &stamp):
        stamp.marker = h.marker     # the end of a picture, whatever else has changed
        send_packet(
            shard, sink, shard.buffer + h.offset - HEADER_SIZE, h.length, slot.route.payload_type[h.payload_type],
            &stamp,
        )
    else:
        drop(shard, sink, STALE)


cdef inline void pass_rtp(Shard *shard, Slot *slot, const Address *source, int size, int64_t now_ns) noexcept nogil:
    cdef Header h
    cdef uint32_t rate
    cdef int reason = parse_header(shard.buffer, size, &h)
    if reason == KEPT:
        reason = judge(shard, slot, source, &h, now_ns)
    if reason == KEPT and collides(shard, slot, &h, now_ns):
        reason = SSRC_COLLISION
    if reason != KEPT:
        drop(shard, slot, reason)
        return
    note_source(shard, slot, now_ns)
    if slot.reception.ssrc != h.ssrc:
        slot.source_gone = False
        bursts_restart(&slot.measures.bursts)
    reception_packet(&slot.reception, h.ssrc, h.sequence)
    bursts_packet(&slot.measures.bursts, h.sequence)
    if not slot.config.receives:
        drop(shard, slot, HELD)
        return
    rate = slot.config.rate[slot.config.entry[h.payload_type] - 1]
    reception_jitter(&slot.reception, h.timestamp, rate, now_ns)
    pass_on(shard, slot, &h, rate, now_ns)


# --- what the receiver asks of the sender --------------------------------------------------------------------------


cdef inline int write_picture(Slot *to, uint8_t *p, int64_t now_ns) noexcept nogil:
    """A whole picture is wanted, asked for as the sender understands it."""
    if now_ns - to.picture_asked_ns < PICTURE_NS:
        return 0
    to.picture_asked_ns = now_ns
    if to.config.takes & TAKES_PICTURE_LOST:
        return write_picture_lost(p, to.out.ssrc, to.reception.ssrc)
    if to.config.takes & TAKES_WHOLE_PICTURE:
        to.pictures_asked += 1
        return write_whole_picture(p, to.out.ssrc, to.reception.ssrc, to.pictures_asked)
    return 0


cdef inline int write_missing(const Slot *slot, const Slot *to, uint8_t *p, const Asked *asked) noexcept nogil:
    """Packets of ours that did not arrive, by the numbers that their sender has given them."""
    cdef Asked theirs
    cdef int i
    theirs.count = 0
    if not to.config.takes & TAKES_LOST or slot.out.feed != relay_feed(to, to.reception.ssrc):
        return 0
    for i in range(asked.count):
        theirs.first[theirs.count] = <uint16_t>(asked.first[i] - slot.out.sequence_shift)
        theirs.others[theirs.count] = asked.others[i]
        theirs.count += 1
    return write_lost(p, to.out.ssrc, to.reception.ssrc, &theirs) if theirs.count else 0


cdef inline void pass_asked(Shard *shard, Slot *slot, const Asked *asked, int64_t now_ns) noexcept nogil:
    """To the other party, behind a report of ours (RFC 4585 §3.1)."""
    cdef uint8_t compound[MAX_COMPOUND + MAX_ASKED + 20]
    cdef Slot *to = slot.peer
    cdef int reports, size
    if to == NULL or not to.configured or not to.reception.active:
        return
    slot.asked += 1
    if slot.asked > MOST_ASKED:
        drop(shard, slot, FEEDBACK_FLOOD)
        return
    reports = size = write_compound(to, compound, False, now_ns)
    if asked.picture:
        size += write_picture(to, compound + size, now_ns)
    if asked.count:
        size += write_missing(slot, to, compound + size, asked)
    if size > reports:
        send_control(shard, to, compound, size)
