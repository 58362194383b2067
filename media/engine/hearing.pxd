"""Digits that a party sends as tones in its audio: they are told, and who is told of them otherwise does not hear them.

Where nobody decodes what comes, a packet is listened to as it arrives, while it is at hand anyway. Nothing is put in
order and nothing made up for this: what comes late is left out, and after a few lost packets a tone goes on.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from media.codec.coder cimport coder_decode
from media.dsp.dtmf cimport MOST_PRESSES, Detector, TonePress, detector_feed, detector_open
from media.engine.busy cimport add_busy
from media.engine.outbox cimport released, tell
from media.engine.slots cimport COMFORT, DIGIT, MAX_PACKET_SAMPLES, TICKS_A_SECOND, Ear, Shard, Slot
from media.rtp.header cimport Header

cdef enum:
    FADE_MS = 2
    MOST_LOST = 3               # packets in a row that a digit survives
    MOST_BEHIND = 100           # of a packet that is late; one further behind begins a new stream
    PAUSE_TICKS = 3             # of silence end any digit
    QUIET_NS = 100000000        # nothing comes: it is silent


cdef inline void set_ear(Shard *shard, Slot *slot, Ear *ear) noexcept nogil:
    """Listen to what the party sends from now on; NULL: not any more."""
    released(shard, slot.ear)
    slot.ear = ear


cdef inline bint hears_digit(const Slot *slot) noexcept nogil:
    """One that has begun and whose end has to be told."""
    return slot.ear != NULL and slot.ear.detector.on >= 0


cdef inline void hear(Shard *shard, Slot *slot, const int16_t *pcm, int count, int rate) noexcept nogil:
    """20 ms of it; each digit is told when it is over."""
    cdef Detector *detector = &slot.ear.detector
    cdef TonePress presses[MOST_PRESSES]
    cdef int found, i
    if detector.rate != rate:
        detector_open(detector, rate)
    found = detector_feed(detector, pcm, count, presses)
    for i in range(found):
        if presses[i].duration_ms:
            tell(shard, slot, DIGIT, presses[i].event, presses[i].duration_ms)
    if hears_digit(slot):
        add_busy(shard, slot)


cdef inline void silence_tones(Ear *ear, int16_t *pcm, int count, int rate) noexcept nogil:
    """What sounds like a digit fades out of what was just heard."""
    cdef int fade = 0 if ear.silenced else rate * FADE_MS // 1000, i
    for i in range(fade):
        pcm[i] = <int16_t>(pcm[i] * (fade - i) // fade)
    memset(pcm + fade, 0, (count - fade) * sizeof(int16_t))


cdef inline bint listens(const Slot *slot) noexcept nogil:
    """By itself: nobody else decodes what comes."""
    return slot.ear != NULL and (slot.voice == NULL or slot.echo)


cdef inline void hear_pause(Shard *shard, Slot *slot) noexcept nogil:
    cdef int count = slot.ear.coder.rate // TICKS_A_SECOND, i
    memset(shard.made, 0, count * sizeof(int16_t))
    for i in range(PAUSE_TICKS):
        hear(shard, slot, shard.made, count, slot.ear.coder.rate)


cdef inline void hear_packet(Shard *shard, Slot *slot, const uint8_t *payload, int length) noexcept nogil:
    cdef Ear *ear = slot.ear
    cdef int rate = ear.coder.rate, count = rate // TICKS_A_SECOND, at = 0
    cdef int samples = coder_decode(&ear.coder, payload, length, shard.made, MAX_PACKET_SAMPLES)
    if samples > 0:
        ear.next_timestamp += <uint32_t>(<int64_t>samples * ear.coder.clock_rate // rate)
    while at < samples:
        hear(shard, slot, shard.made + at, min(count, samples - at), rate)
        at += count


cdef inline void receive_tones(
    Shard *shard, Slot *slot, const Header *h, int kind, const uint8_t *payload, int64_t now_ns
) noexcept nogil:
    cdef Ear *ear = slot.ear
    cdef int lost = <int16_t>(<uint16_t>(h.sequence - ear.next_sequence)) if ear.started else 0
    if -MOST_BEHIND < lost < 0:
        return
    if ear.detector.on >= 0 and (
        kind == COMFORT or not 0 <= lost <= MOST_LOST or (lost == 0 and h.timestamp != ear.next_timestamp)
    ):
        hear_pause(shard, slot)
    ear.started = True
    ear.heard_ns = now_ns
    ear.next_sequence = <uint16_t>(h.sequence + 1)
    ear.next_timestamp = h.timestamp
    if kind != COMFORT and h.payload_type == ear.payload_type:
        hear_packet(shard, slot, payload, h.length)


cdef inline void tick_ear(Shard *shard, Slot *slot) noexcept nogil:
    """The party has fallen silent with a digit."""
    if listens(slot) and hears_digit(slot) and shard.tick_ns - slot.ear.heard_ns > QUIET_NS:
        hear_pause(shard, slot)
