"""Digits that we send (RFC 4733)."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from media.engine.outbox cimport send_packet, tell
from media.engine.slots cimport (
    DIGITS_SENT, ENDING, GAP, IDLE, MAX_DIGITS, PRESSED, TICKS_A_SECOND, DigitJob, DigitSender, Shard, Slot,
)
from media.rtp.header cimport HEADER_SIZE, put16
from media.rtp.outgoing cimport Stamp, outgoing_stamp

cdef enum:
    END_PACKETS = 3        # RFC 4733 §2.5.1.4


cdef inline void queue_digits(
    Slot *slot, const uint8_t *events, int count, uint16_t duration_ms, uint16_t gap_ms
) noexcept nogil:
    """The control thread has seen to it that they fit."""
    cdef DigitSender *s = &slot.sender
    cdef DigitJob *job
    cdef int i
    for i in range(count):
        job = &s.queue[(s.first + s.count) % MAX_DIGITS]
        job.event = events[i]
        job.duration_ms = duration_ms
        job.gap_ms = gap_ms
        s.count += 1


cdef inline void send_event(
    Shard *shard, Slot *slot, uint8_t event, uint32_t duration, bint end, int64_t now_ns
) noexcept nogil:
    cdef Stamp stamp
    cdef uint8_t *payload = shard.buffer + HEADER_SIZE
    payload[0] = event
    payload[1] = (0x80 if end else 0) | 10   # volume -10 dBm0
    put16(payload + 2, <uint16_t>duration)
    if outgoing_stamp(&slot.out, slot.sender.feed, slot.sender.sequence, 0, slot.config.event_rate, now_ns, &stamp):
        send_packet(shard, slot, shard.buffer, 4, <uint8_t>slot.config.event_type, &stamp)
    slot.sender.sequence += 1


cdef inline void begin_digit(Shard *shard, DigitSender *s) noexcept nogil:
    s.phase = PRESSED
    s.elapsed = 0
    s.ends = 0
    s.sequence = 0
    shard.feeds += 1
    s.feed = shard.feeds


cdef inline void pass_time(Slot *slot, uint32_t units, int64_t now_ns) noexcept nogil:
    """What follows our digit lies behind it in the timestamps too, however late the ticks are."""
    if slot.out.feed == slot.sender.feed:
        slot.out.timestamp += units
        slot.out.sent_ns = now_ns


cdef inline void tick_pressed(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    cdef DigitSender *s = &slot.sender
    cdef DigitJob *job = &s.queue[s.first]
    cdef uint32_t duration = job.duration_ms * (slot.config.event_rate // 1000)
    s.elapsed = min(duration, s.elapsed + slot.config.event_rate // TICKS_A_SECOND)
    if s.elapsed == duration:
        s.phase = ENDING
        s.ends += 1
    send_event(shard, slot, job.event, s.elapsed, s.phase == ENDING, now_ns)
    if s.ends == END_PACKETS:
        s.phase = GAP
        s.elapsed = 0
        pass_time(slot, duration, now_ns)


cdef inline void tick_gap(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    cdef DigitSender *s = &slot.sender
    s.elapsed += 1000 // TICKS_A_SECOND
    if s.elapsed < s.queue[s.first].gap_ms:
        return
    pass_time(slot, s.queue[s.first].gap_ms * (slot.config.event_rate // 1000), now_ns)
    s.first = (s.first + 1) % MAX_DIGITS
    s.count -= 1
    s.phase = IDLE
    tell(shard, slot, DIGITS_SENT, 1, 0)


cdef inline void give_up_digits(Shard *shard, Slot *slot) noexcept nogil:
    tell(shard, slot, DIGITS_SENT, slot.sender.count, 0)
    slot.sender.count = 0
    slot.sender.phase = IDLE


cdef inline void tick_digits(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    cdef DigitSender *s = &slot.sender
    if slot.config.event_type < 0 or not slot.config.sends:
        give_up_digits(shard, slot)   # a re-INVITE took the possibility away
        return
    if s.phase == IDLE:
        begin_digit(shard, s)
    if s.phase == GAP:
        tick_gap(shard, slot, now_ns)
    else:
        tick_pressed(shard, slot, now_ns)
