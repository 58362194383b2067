"""What the tick sends to an endpoint: samples become packets of the codec that was negotiated."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from media.codec.coder cimport coder_encode
from media.dsp.resample cimport resample, resampler_open
from media.engine.outbox cimport new_event, post, send_packet
from media.engine.playing cimport amplify, at_rate, fill_at, next_samples
from media.engine.slots cimport (
    FINISHED, IDLE, MAX_PACKET_SAMPLES, MAX_PAYLOAD, NO_ENCODER, PLAY_ENDED, SHARED, TICKS_A_SECOND, Broadcast, Event,
    Player, Shard, Slot, Speaker,
)
from media.rtp.header cimport HEADER_SIZE
from media.rtp.outgoing cimport Stamp, outgoing_stamp


cdef inline void begin_feed(Shard *shard, Slot *slot) noexcept nogil:
    """What is made from now on follows what was sent before, whatever that was."""
    shard.feeds += 1
    slot.generated_feed = shard.feeds
    slot.generated_sequence = 0
    slot.generated_timestamp = 0
    if slot.speaker != NULL:
        slot.speaker.credit = slot.speaker.packet_samples - slot.speaker.tick_samples


cdef inline void send_made(Shard *shard, Slot *slot, int size, int64_t now_ns) noexcept nogil:
    """Send the payload of `size` octets in the shard's buffer; 0: the encoder has nothing to say."""
    cdef Speaker *s = slot.speaker
    cdef Stamp stamp
    if size <= 0:
        s.paused = True
        return
    if outgoing_stamp(
        &slot.out, slot.generated_feed, slot.generated_sequence, slot.generated_timestamp, s.coder.clock_rate, now_ns,
        &stamp,
    ):
        stamp.marker |= s.paused
        send_packet(shard, slot, shard.buffer, size, s.payload_type, &stamp)
    s.paused = False
    slot.generated_sequence += 1


cdef inline void speak(Shard *shard, Slot *slot, const int16_t *samples, int64_t now_ns) noexcept nogil:
    """One packet."""
    cdef Speaker *s = slot.speaker
    send_made(
        shard, slot, coder_encode(&s.coder, samples, s.packet_samples, shard.buffer + HEADER_SIZE, MAX_PAYLOAD), now_ns
    )


cdef inline bint is_heard(const Slot *slot) noexcept nogil:
    """Held or covered by a digit, what is made passes unheard."""
    return slot.config.sends and slot.sender.phase == IDLE


cdef inline void end_player(Shard *shard, Slot *slot, int how) noexcept nogil:
    """Hand the player back to the control thread."""
    cdef Event *event = new_event(slot.serial, PLAY_ENDED, <int64_t>slot.player.number, how)
    if event != NULL:
        event.memory = slot.player
    slot.player = NULL
    if slot.voice != NULL:
        begin_feed(shard, slot)
    post(shard, event)


cdef inline void play_packet(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """The next packet of a player that has a position of its own."""
    cdef Speaker *s = slot.speaker
    cdef int made = 0
    cdef const int16_t *samples = next_samples(shard, slot.player, s.packet_samples, s.coder.rate, &made)
    if made > 0 and is_heard(slot) and not slot.player.paused:
        speak(shard, slot, samples, now_ns)
    slot.generated_timestamp += s.packet_clock
    if made < s.packet_samples:
        end_player(shard, slot, FINISHED)


cdef inline void make_packet(Shard *shard, Broadcast *b, uint64_t number) noexcept nogil:
    cdef int count = b.packet_samples * b.rate // b.coder.rate
    cdef int16_t *samples = shard.made
    fill_at(b.pcm, b.length, number * count % b.length, shard.made, count)
    if b.gain != 1:
        amplify(shard.made, count, b.gain)
    if b.rate != b.coder.rate:
        resample(&b.resampler, shard.made, count, shard.spoken)
        samples = shard.spoken
    b.size[number % 2] = coder_encode(&b.coder, samples, b.packet_samples, b.payload[number % 2], MAX_PAYLOAD)
    b.next = number + 1


cdef inline int shared_packet(Shard *shard, Broadcast *b, uint64_t number) noexcept nogil:
    """That packet into the shard's buffer; the first listener of a tick pays for all others."""
    if number >= b.next:
        make_packet(shard, b, number)
    elif number + 2 < b.next:
        return 0
    memcpy(shard.buffer + HEADER_SIZE, b.payload[number % 2], b.size[number % 2])
    return b.size[number % 2]


cdef inline bint suits(const Broadcast *b, const Speaker *s) noexcept nogil:
    """A re-INVITE may have brought another codec or packet time."""
    return (
        b != NULL and b.coder.kind == s.coder.kind and b.coder.clock_rate == s.coder.clock_rate
        and b.packet_samples * s.coder.rate == s.packet_samples * b.coder.rate
    )


cdef inline void speak_shared(Shard *shard, Slot *slot, uint64_t number, int64_t now_ns) noexcept nogil:
    cdef Player *p = slot.player
    cdef Speaker *s = slot.speaker
    cdef int count = s.packet_samples * p.rate // s.coder.rate
    if suits(p.broadcast, s):
        send_made(shard, slot, shared_packet(shard, p.broadcast, number), now_ns)
        return
    fill_at(p.pcm, p.length, number * count % p.length, shard.made, count)
    if p.gain != 1:
        amplify(shard.made, count, p.gain)
    speak(shard, slot, at_rate(shard, p, s.packet_samples, s.coder.rate), now_ns)


cdef inline void play_shared(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """The packets that end within this tick: they are numbered from the beginning of the clock, for everybody alike."""
    cdef Speaker *s = slot.speaker
    cdef uint64_t start = (shard.first_tick + shard.ticks) * s.tick_samples
    cdef uint64_t number = start // s.packet_samples
    cdef uint64_t end = (start + s.tick_samples) // s.packet_samples
    while number < end:
        if is_heard(slot) and not slot.player.paused:
            speak_shared(shard, slot, number, now_ns)
        slot.generated_timestamp += s.packet_clock
        number += 1


cdef inline void tick_player(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    cdef Speaker *s = slot.speaker
    if not slot.configured:
        return
    if s == NULL:
        end_player(shard, slot, NO_ENCODER)
    elif slot.player.kind == SHARED:
        play_shared(shard, slot, now_ns)
    else:
        s.credit += s.tick_samples
        while slot.player != NULL and s.credit >= s.packet_samples:
            s.credit -= s.packet_samples
            play_packet(shard, slot, now_ns)
