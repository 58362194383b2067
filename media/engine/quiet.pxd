"""When nothing comes, it is told; when nothing goes, something is sent that keeps the way through NAT open."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from media.engine.outbox cimport send_packet, tell
from media.engine.slots cimport SILENT, Shard, Slot
from media.rtp.header cimport HEADER_SIZE
from media.rtp.outgoing cimport Stamp, outgoing_stamp

cdef enum:
    IDLE_MOST = 1
    FAINTEST = 127          # comfort noise of -127 dBov (RFC 3389 §3)


cdef inline void visit_silence(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """Told again after the same time."""
    cdef int64_t since_ns = max(slot.heard_ns, slot.silence_told_ns)
    if slot.config.silence_ns and now_ns - since_ns >= slot.config.silence_ns:
        slot.silence_told_ns = now_ns
        tell(shard, slot, SILENT, now_ns - slot.heard_ns, 0)


cdef inline void send_idle(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """Comfort noise where it was negotiated, else a payload type that was not, which receivers ignore (RFC 6263 §4.5,
    RFC 3550 §5.1). A feed of its own: what is relayed next goes on with the number after it."""
    cdef uint8_t packet[HEADER_SIZE + IDLE_MOST]
    cdef Stamp stamp
    memset(packet, FAINTEST, sizeof(packet))
    shard.feeds += 1
    outgoing_stamp(&slot.out, shard.feeds, 0, 0, slot.out.rate if slot.out.rate else 8000, now_ns, &stamp)
    stamp.marker = False
    send_packet(shard, slot, packet, slot.config.idle_size, slot.config.idle_type, &stamp)


cdef inline void visit_idle(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """Also to a party on hold. With RTCP on the same port its reports do it."""
    if (
        slot.config.reachable and not slot.config.mux
        and now_ns - max(slot.out.sent_ns, slot.configured_ns) >= shard.idle_ns
    ):
        send_idle(shard, slot, now_ns)
