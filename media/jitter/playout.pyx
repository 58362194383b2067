# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Packets wait by sequence number for a fixed time, are decoded in their order, and what is missing is silence."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from media.codec.coder cimport (
    CODER_L16, CODER_OPUS, MAX_FRAME_SAMPLES, coder_close, coder_decode, coder_duration, coder_open,
)
from media.codec.coder import KINDS
from media.codec.comfort cimport comfort_reset, comfort_update

cdef enum:
    FIXED_MS = 60
    STORED_MS = 640             # payloads that are kept, at least
    OPUS_OCTETS_MS = 16         # 128 kbit/s; more waits for less long


cdef int octets_ms(int kind, int rate) noexcept nogil:
    if kind == CODER_L16:
        return 2 * rate // 1000
    return OPUS_OCTETS_MS if kind == CODER_OPUS else 8


cdef Playout *playout_open(int coder_kind, int rate, const OpusSettings *settings) noexcept:
    """NULL when it cannot be made: see `coder_open`. `rate` is that of the codec's PCM."""
    cdef Playout *p = <Playout *>calloc(1, sizeof(Playout))
    if p == NULL:
        return NULL
    p.store_size = STORED_MS * octets_ms(coder_kind, rate)
    p.store = <uint8_t *>calloc(p.store_size, 1)
    p.pcm = <int16_t *>calloc(MAX_FRAME_SAMPLES, sizeof(int16_t))
    if p.store == NULL or p.pcm == NULL or not coder_open(&p.coder, coder_kind, rate, settings):
        playout_close(p)
        return NULL
    p.rate, p.target_ms = rate, FIXED_MS
    comfort_reset(&p.comfort, 1)
    return p


cdef void playout_close(Playout *p) noexcept:
    """Harmless for NULL."""
    if p == NULL:
        return
    coder_close(&p.coder)
    free(p.store)
    free(p.pcm)
    free(p)


cdef void playout_reset(Playout *p) noexcept nogil:
    """Another source (SSRC), or the same one anew: what waits is forgotten, the next packet is the first."""
    memset(p.packets, 0, sizeof(p.packets))
    p.resets += p.started
    p.started = p.playing = False
    p.waiting = p.pcm_count = 0


cdef inline void keep(Playout *p, Packet *packet, const uint8_t *payload, int size) noexcept nogil:
    """Payloads lie in one piece: what does not fit before the end of the store goes to its beginning."""
    cdef int at = <int>(p.stored % <uint64_t>p.store_size)
    if at + size > p.store_size:
        p.stored += p.store_size - at
        at = 0
    memcpy(p.store + at, payload, size)
    packet.place, packet.size = p.stored, size
    p.stored += size


cdef inline bint kept(const Playout *p, const Packet *packet) noexcept nogil:
    return packet.waiting and packet.place + p.store_size >= p.stored


cdef int playout_put(
    Playout *p, uint16_t sequence, uint32_t timestamp, bint marker, const uint8_t *payload, int size,
    bint comfort_noise, int64_t arrival_ns
) noexcept nogil:
    """One packet as it arrives; `comfort_noise` for a payload of RFC 3389. Says what became of it."""
    cdef int samples = 0
    cdef int ahead
    cdef Packet *packet = &p.packets[sequence % PLAYOUT_SLOTS]
    if not comfort_noise:
        samples = coder_duration(&p.coder, payload, size)
        if samples <= 0 or samples > MAX_FRAME_SAMPLES or size > p.store_size // 2:
            p.undecodable += 1
            return PUT_UNDECODABLE
    if p.started and not -PLAYOUT_SLOTS < <int16_t>(sequence - p.next) < PLAYOUT_SLOTS:
        playout_reset(p)
    if not p.started:
        p.started, p.next, p.highest, p.first_ns = True, sequence, sequence - 1, arrival_ns
    ahead = <int16_t>(sequence - p.next)
    if ahead < 0 and not p.playing and <int16_t>(p.highest - sequence) < PLAYOUT_SLOTS:
        p.next, ahead = sequence, 0
    if ahead < 0:
        p.late += 1
        return PUT_LATE
    if packet.waiting:
        p.duplicate += 1
        return PUT_DUPLICATE
    if <int16_t>(sequence - p.highest) < 0:
        p.reordered += 1
    else:
        p.highest = sequence
    packet.waiting, packet.comfort_noise, packet.marker = True, comfort_noise, marker
    packet.sequence, packet.timestamp = sequence, timestamp
    keep(p, packet, payload, size)
    p.waiting += 1
    p.received += 1
    return PUT_TAKEN


cdef int take(Playout *p) noexcept nogil:
    """Decode what has its turn to `pcm`, which is empty; says what it is. Nothing when nobody sends."""
    cdef Packet *packet = &p.packets[p.next % PLAYOUT_SLOTS]
    cdef int decoded
    if not p.waiting:
        p.playing = False
        return PLAYOUT_SILENT
    p.next += 1
    p.pcm_first, p.pcm_count = 0, p.frame if p.frame else p.rate // 50
    if kept(p, packet):
        packet.waiting = False
        p.waiting -= 1
        if packet.comfort_noise:
            comfort_update(&p.comfort, p.store + packet.place % <uint64_t>p.store_size, packet.size, False)
            memset(p.pcm, 0, sizeof(int16_t) * p.pcm_count)
            return PLAYOUT_SILENT
        decoded = coder_decode(
            &p.coder, p.store + packet.place % <uint64_t>p.store_size, packet.size, p.pcm, MAX_FRAME_SAMPLES
        )
        if decoded > 0:
            p.frame = p.pcm_count = decoded
            return PLAYOUT_VOICE
        p.undecodable += 1
    else:
        p.waiting -= packet.waiting
        packet.waiting = False
        p.lost += 1
    memset(p.pcm, 0, sizeof(int16_t) * p.pcm_count)
    p.concealed_samples += p.pcm_count
    return PLAYOUT_CONCEALED


cdef inline int most(int one, int other) noexcept nogil:
    return one if one > other else other


cdef int playout_pull(Playout *p, int16_t *pcm, int samples, int64_t now_ns) noexcept nogil:
    """Exactly `samples`, whatever has arrived; says what they are (the best of it)."""
    cdef int done = 0, part
    cdef int sound = PLAYOUT_SILENT
    p.played_samples += samples
    if p.started and not p.playing and p.waiting:
        p.playing = now_ns - p.first_ns >= <int64_t>p.target_ms * 1000000
    if p.pcm_count:
        sound = PLAYOUT_VOICE
    while done < samples:
        if not p.pcm_count:
            if not p.playing:
                break
            sound = most(sound, take(p))
            if not p.pcm_count:
                p.first_ns = now_ns
                break
        part = p.pcm_count if p.pcm_count < samples - done else samples - done
        memcpy(pcm + done, p.pcm + p.pcm_first, sizeof(int16_t) * part)
        p.pcm_first += part
        p.pcm_count -= part
        done += part
    memset(pcm + done, 0, sizeof(int16_t) * (samples - done))
    return sound


SOUNDS = {PLAYOUT_SILENT: "silent", PLAYOUT_CONCEALED: "concealed", PLAYOUT_VOICE: "voice"}
PUTS = {PUT_TAKEN: "taken", PUT_LATE: "late", PUT_DUPLICATE: "duplicate", PUT_UNDECODABLE: "undecodable"}


cdef class Stream:
    """One received stream for Python: tests and measurements. The engine uses the struct."""

    cdef Playout *playout

    def __init__(self, str name not None, int rate):
        playout_close(self.playout)
        self.playout = playout_open(KINDS.get(name.upper(), 0), rate, NULL)
        if self.playout == NULL:
            raise ValueError(f"{name} cannot be played at {rate} Hz.")

    def __dealloc__(self):
        playout_close(self.playout)

    def reset(self):
        playout_reset(self.playout)

    def put(
        self, int sequence, unsigned int timestamp, const uint8_t[::1] payload not None, int64_t arrival_ns, *,
        bint marker=False, bint comfort_noise=False
    ):
        cdef const uint8_t *data = &payload[0] if payload.shape[0] else NULL
        return PUTS[playout_put(
            self.playout, <uint16_t>sequence, timestamp, marker, data, <int>payload.shape[0], comfort_noise, arrival_ns
        )]

    def pull(self, int samples, int64_t now_ns):
        cdef bytearray out = bytearray(2 * samples)
        cdef int sound = playout_pull(self.playout, <int16_t *><char *>out, samples, now_ns)
        return bytes(out), SOUNDS[sound]

    def counters(self):
        cdef Playout *p = self.playout
        return {
            "received": p.received, "late": p.late, "duplicate": p.duplicate, "reordered": p.reordered,
            "lost": p.lost, "undecodable": p.undecodable, "resets": p.resets, "played_samples": p.played_samples,
            "concealed_samples": p.concealed_samples, "target_ms": p.target_ms,
        }
