"""Digits that a party sends as tones in its audio: they are told, and who is told of them otherwise does not hear them."""

from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.string cimport memset

from media.dsp.dtmf cimport MOST_PRESSES, Detector, TonePress, detector_feed, detector_open
from media.engine.busy cimport add_busy
from media.engine.outbox cimport released, tell
from media.engine.slots cimport COMFORT, DIGIT, Ear, Shard, Slot
from media.jitter.playout cimport playout_pull, playout_put
from media.rtp.header cimport Header

cdef enum:
    FADE_MS = 2


cdef inline void set_ear(Shard *shard, Slot *slot, Ear *ear) noexcept nogil:
    """Listen to what the party sends from now on; NULL: not any more."""
    released(shard, slot.ear)
    slot.ear = ear
    if ear != NULL:
        add_busy(shard, slot)


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


cdef inline void silence_tones(Ear *ear, int16_t *pcm, int count, int rate) noexcept nogil:
    """What sounds like a digit fades out of what was just heard."""
    cdef int fade = 0 if ear.silenced else rate * FADE_MS // 1000, i
    for i in range(fade):
        pcm[i] = <int16_t>(pcm[i] * (fade - i) // fade)
    memset(pcm + fade, 0, (count - fade) * sizeof(int16_t))


cdef inline bint listens(const Slot *slot) noexcept nogil:
    """By itself: nobody else decodes what comes."""
    return slot.ear != NULL and (slot.voice == NULL or slot.echo)


cdef inline void receive_tones(Slot *slot, const Header *h, int kind, const uint8_t *payload, int64_t now_ns) noexcept nogil:
    cdef Ear *ear = slot.ear
    if kind == COMFORT or h.payload_type == ear.payload_type:
        playout_put(ear.playout, h.sequence, h.timestamp, h.marker, payload, h.length, kind == COMFORT, now_ns)


cdef inline void tick_ear(Shard *shard, Slot *slot) noexcept nogil:
    cdef Ear *ear = slot.ear
    if listens(slot):
        playout_pull(ear.playout, shard.made, ear.count, shard.tick_ns)
        hear(shard, slot, shard.made, ear.count, ear.playout.rate)
