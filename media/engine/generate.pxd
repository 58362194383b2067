"""What the tick makes: audio of players and tones, and RFC 4733 digits."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from media.engine.outbox cimport new_event, post, send_packet, tell
from media.engine.slots cimport (
    DIGITS_SENT, ENCODED_KEPT, ENDING, FINISHED, GAP, IDLE, MAX_DIGITS, NO_ENCODER, PCM, PLAY_ENDED, PRESSED,
    SHARED, Adjustment, DigitJob, DigitSender, Encoded, Event, Player, Shard, Slot, ToneStep,
)
from media.rtp.header cimport HEADER_SIZE, put16
from media.rtp.outgoing cimport Stamp, outgoing_stamp

cdef enum:
    TICK_SAMPLES = 160     # at 8000 Hz
    TICKS_A_SECOND = 50
    END_PACKETS = 3        # RFC 4733 §2.5.1.4


cdef inline float sine(const Shard *shard, uint32_t phase) noexcept nogil:
    """Linear interpolation in a table of 1024 steps: errors below -100 dB."""
    cdef uint32_t at = phase >> 22
    cdef float part = <float>(phase & 0x3FFFFF) * <float>(1.0 / 4194304.0)
    return shard.sine[at] + part * (shard.sine[at + 1] - shard.sine[at])


cdef inline void fill_tone(Shard *shard, Player *p, const ToneStep *step, int16_t *out, int count) noexcept nogil:
    """Phases go on from step to step, so a change of frequency does not click."""
    cdef int i, k
    cdef float value
    for i in range(count):
        value = 0
        for k in range(step.count):
            value += sine(shard, p.phase[k])
            p.phase[k] += step.increment[k]
        out[i] = <int16_t>(value * step.amplitude)


cdef inline int fill_tones(Shard *shard, Player *p, int16_t *out, int wanted) noexcept nogil:
    """How many samples were made: fewer than wanted at the end of a cadence that does not repeat."""
    cdef int made = 0, count
    cdef ToneStep *step
    while made < wanted and p.step < p.step_count:
        step = &p.steps[p.step]
        count = min(wanted - made, <int>(step.samples - p.step_position))
        fill_tone(shard, p, step, out + made, count)
        made += count
        p.step_position += count
        if p.step_position >= step.samples:
            p.step_position = 0
            p.step += 1
            if p.loop and p.step == p.step_count:
                p.step = 0
    return made


cdef inline int fill_pcm(Player *p, int16_t *out, int wanted) noexcept nogil:
    cdef int made = 0, count
    while made < wanted and p.position < p.length:
        count = <int>min(<size_t>(wanted - made), p.length - p.position)
        memcpy(out + made, p.pcm + p.position, count * sizeof(int16_t))
        made += count
        p.position += count
        if p.loop and p.position == p.length:
            p.position = 0
    return made


cdef inline void fill_at(const Player *p, size_t position, int16_t *out, int wanted) noexcept nogil:
    """Samples from there on, again from the beginning behind the end."""
    cdef int made = 0, count
    while made < wanted:
        count = <int>min(<size_t>(wanted - made), p.length - position)
        memcpy(out + made, p.pcm + position, count * sizeof(int16_t))
        made += count
        position = 0


cdef inline void amplify(int16_t *samples, int count, float gain) noexcept nogil:
    cdef int i
    for i in range(count):
        samples[i] = <int16_t>max(-32768.0, min(32767.0, samples[i] * gain))


cdef inline int fill(Shard *shard, Player *p, int16_t *out, int wanted) noexcept nogil:
    """What the player says next; fewer than wanted at its end, which a paused one does not reach."""
    cdef int made
    if p.paused:
        memset(out, 0, wanted * sizeof(int16_t))
        return wanted
    if p.kind == PCM:
        made = fill_pcm(p, out, wanted)
    else:
        made = fill_tones(shard, p, out, wanted)
    if p.gain != 1:
        amplify(out, made, p.gain)
    return made


cdef inline void adjust_player(Player *p, const Adjustment *change) noexcept nogil:
    if change.set_paused:
        p.paused = change.paused
    if change.set_gain:
        p.gain = change.gain
    if change.set_position and p.kind == PCM:
        p.position = min(change.position, p.length)


cdef inline void end_player(Shard *shard, Slot *slot, int how) noexcept nogil:
    """Hand the player back to the control thread."""
    cdef Event *event = new_event(slot, PLAY_ENDED, <int64_t>slot.player.number, how)
    if event != NULL:
        event.player = slot.player
    slot.player = NULL
    post(shard, event)


cdef inline void encode(Shard *shard, int law, const int16_t *samples, int count, uint8_t *out) noexcept nogil:
    cdef const uint8_t *code = shard.g711.code[law]
    cdef int i
    for i in range(count):
        out[i] = code[<int>samples[i] + 32768]


cdef inline void send_made(Shard *shard, Slot *slot, int count, int64_t now_ns) noexcept nogil:
    """Send the payload that lies in the shard's buffer."""
    cdef Stamp stamp
    if outgoing_stamp(
        &slot.out, slot.generated_feed, slot.generated_sequence, slot.generated_timestamp, 8000, now_ns, &stamp
    ):
        send_packet(shard, slot, shard.buffer, count, slot.config.play_type, &stamp)
    slot.generated_sequence += 1


cdef inline size_t shared_position(const Shard *shard, const Slot *slot, int count) noexcept nogil:
    """Where a shared source is by the clock; what the slot has not yet sent of this tick lies behind the packet."""
    cdef uint64_t end = (shard.first_tick + shard.ticks + 1) * TICK_SAMPLES - slot.credit
    return (end - count) % slot.player.length


cdef inline void encode_shared(Shard *shard, const Slot *slot, int count) noexcept nogil:
    """Into the shard's buffer; the first listener of a tick pays for all others with the same law and packet time."""
    cdef const Player *p = slot.player
    cdef int law = slot.config.play_law
    cdef size_t position = shared_position(shard, slot, count)
    cdef Encoded *kept = &shard.encoded[((<size_t>p.pcm >> 6) + position + 2 * count + law) % ENCODED_KEPT]
    if not (
        kept.tick == shard.ticks and kept.pcm == p.pcm and kept.position == position and kept.count == count
        and kept.law == law and kept.gain == p.gain
    ):
        fill_at(p, position, shard.samples, count)
        if p.gain != 1:
            amplify(shard.samples, count, p.gain)
        encode(shard, law, shard.samples, count, kept.payload)
        kept.tick, kept.pcm, kept.position, kept.count = shard.ticks, p.pcm, position, count
        kept.law, kept.gain = law, p.gain
    memcpy(shard.buffer + HEADER_SIZE, kept.payload, count)


cdef inline bint is_heard(const Slot *slot) noexcept nogil:
    """Held or covered by a digit, what plays passes unheard."""
    return slot.config.sends and slot.sender.phase == IDLE and not slot.player.paused


cdef inline void play_packet(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """The next packet of the player."""
    cdef Player *p = slot.player
    cdef int wanted = slot.config.ptime_samples, made = wanted
    cdef bint heard = is_heard(slot)
    if p.kind == SHARED:
        if heard:
            encode_shared(shard, slot, wanted)
    else:
        made = fill(shard, p, shard.samples, wanted)
        memset(shard.samples + made, 0, (wanted - made) * sizeof(int16_t))
        encode(shard, slot.config.play_law, shard.samples, wanted, shard.buffer + HEADER_SIZE)
    if made > 0 and heard:
        send_made(shard, slot, wanted, now_ns)
    slot.generated_timestamp += wanted
    if made < wanted:
        end_player(shard, slot, FINISHED)


cdef inline void tick_player(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    if not slot.configured:
        return
    if slot.config.play_law < 0:
        end_player(shard, slot, NO_ENCODER)
        return
    slot.credit += TICK_SAMPLES
    while slot.player != NULL and slot.credit >= slot.config.ptime_samples:
        slot.credit -= slot.config.ptime_samples
        play_packet(shard, slot, now_ns)


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
