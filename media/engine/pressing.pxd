"""Digits that we send (RFC 4733): those that were asked for, and those that the other party presses."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from media.engine.busy cimport add_busy
from media.engine.outbox cimport send_packet, tell
from media.engine.slots cimport (
    CARRIED_DIGITS, DIGITS_SENT, ENDING, GAP, IDLE, MAX_DIGITS, PRESSED, TICKS_A_SECOND, DigitJob, DigitSender, Shard,
    Slot,
)
from media.rtp.header cimport HEADER_SIZE, put16
from media.rtp.outgoing cimport Stamp, outgoing_stamp

cdef enum:
    END_PACKETS = 3        # RFC 4733 §2.5.1.4
    SEGMENT = 0xFFFF       # of a long event (RFC 4733 §2.5.1.3)
    SHORTEST_MS = 40
    LONGEST_HELD_S = 20    # who holds a key for longer has gone
    QUEUE = MAX_DIGITS + CARRIED_DIGITS


cdef inline DigitJob *next_job(DigitSender *s) noexcept nogil:
    """The place behind those that wait."""
    cdef DigitJob *job = &s.queue[(s.first + s.count) % QUEUE]
    s.count += 1
    return job


cdef inline void queue_digits(
    Slot *slot, const uint8_t *events, int count, uint16_t duration_ms, uint16_t gap_ms
) noexcept nogil:
    """The control thread has seen to it that they fit."""
    cdef DigitJob *job
    cdef int i
    for i in range(count):
        job = next_job(&slot.sender)
        job.event, job.duration_ms, job.gap_ms = events[i], duration_ms, gap_ms
        job.carried = job.held = False


cdef inline int carried(const DigitSender *s) noexcept nogil:
    cdef int i, found = 0
    for i in range(s.count):
        found += s.queue[(s.first + i) % QUEUE].carried
    return found


cdef inline bint press(Shard *shard, Slot *slot, uint8_t event) noexcept nogil:
    """Begin a digit that lasts until `let_go`; False when it cannot be sent."""
    cdef DigitJob *job
    if slot.config.event_type < 0 or not slot.config.sends or carried(&slot.sender) == CARRIED_DIGITS:
        return False
    job = next_job(&slot.sender)
    job.event, job.duration_ms, job.gap_ms = event, SHORTEST_MS, 0
    job.carried = job.held = True
    add_busy(shard, slot)
    return True


cdef inline void let_go(Slot *slot, uint32_t duration_ms) noexcept nogil:
    """The digit that is held lasted so long, or as long as it has been sent already."""
    cdef DigitSender *s
    cdef DigitJob *job
    cdef int i
    if slot == NULL:
        return
    s = &slot.sender
    for i in range(s.count):
        job = &s.queue[(s.first + i) % QUEUE]
        if job.held:
            job.held = False
            job.duration_ms = <uint16_t>max(<uint32_t>SHORTEST_MS, min(duration_ms, <uint32_t>0xFFFF))


cdef inline void send_event(
    Shard *shard, Slot *slot, uint8_t event, uint32_t duration, bint end, int64_t now_ns
) noexcept nogil:
    cdef DigitSender *s = &slot.sender
    cdef Stamp stamp
    cdef uint8_t *payload = shard.buffer + HEADER_SIZE
    if duration - s.segment > SEGMENT:
        s.segment += SEGMENT
    payload[0] = event
    payload[1] = (0x80 if end else 0) | 10   # volume -10 dBm0
    put16(payload + 2, <uint16_t>(duration - s.segment))
    if outgoing_stamp(&slot.out, s.feed, s.sequence, s.segment, slot.config.event_rate, now_ns, &stamp):
        send_packet(shard, slot, shard.buffer, 4, <uint8_t>slot.config.event_type, &stamp)
    s.sequence += 1


cdef inline void begin_digit(Shard *shard, DigitSender *s) noexcept nogil:
    s.phase = PRESSED
    s.elapsed = s.segment = 0
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
    cdef uint32_t rate = slot.config.event_rate
    cdef uint32_t duration = max(s.elapsed, job.duration_ms * (rate // 1000))
    cdef uint32_t elapsed = s.elapsed + rate // TICKS_A_SECOND
    if elapsed > LONGEST_HELD_S * rate:
        job.held = False
    s.elapsed = elapsed if job.held else min(duration, elapsed)
    if not job.held and s.elapsed == duration:
        s.phase = ENDING
        s.ends += 1
    send_event(shard, slot, job.event, s.elapsed, s.phase == ENDING, now_ns)
    if s.ends == END_PACKETS:
        pass_time(slot, s.elapsed - s.segment, now_ns)
        s.phase = GAP
        s.elapsed = 0


cdef inline void tick_gap(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    cdef DigitSender *s = &slot.sender
    cdef DigitJob *job = &s.queue[s.first]
    s.elapsed += 1000 // TICKS_A_SECOND
    if s.elapsed < job.gap_ms:
        return
    pass_time(slot, job.gap_ms * (slot.config.event_rate // 1000), now_ns)
    s.first = (s.first + 1) % QUEUE
    s.count -= 1
    s.phase = IDLE
    if not job.carried:
        tell(shard, slot, DIGITS_SENT, 1, 0)


cdef inline void give_up_digits(Shard *shard, Slot *slot) noexcept nogil:
    cdef int waiting = slot.sender.count - carried(&slot.sender)
    if waiting:
        tell(shard, slot, DIGITS_SENT, waiting, 0)
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
