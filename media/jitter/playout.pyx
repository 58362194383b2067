# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The receiving side of a stream. Reference, with the reasons: `media/jitter/playout_ref.py`."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from media.codec.coder cimport (
    CODER_G729, CODER_L16, CODER_OPUS, coder_close, coder_decode, coder_duration, coder_open_decoder, coder_recover,
)
from media.codec.coder import KINDS
from media.codec.comfort cimport comfort_make, comfort_reset, comfort_update
from media.jitter.packets cimport (
    PUT_DUPLICATE, PUT_LATE, PUT_STRANGE, PUT_TAKEN, PUT_UNDECODABLE, Packet, packets_first, packets_forget,
    packets_open, packets_put, packets_take, payload_of,
)
from media.jitter.packets import PUTS
from media.jitter.period cimport lengthen, mixed, period_for, shorten
from media.jitter.plc cimport (
    plc_begin, plc_bridge, plc_can_bridge, plc_history, plc_hold, plc_join, plc_make,
)
from media.jitter.policy cimport policy_arrived, policy_open, policy_restart

cdef enum:
    TICK_MS = 20
    PAUSE_MS = 5
    MOST_WAIT_MS = 500
    BRIDGED_MS = 120
    FADED_MS = 60
    OWN_FADED_MS = 500
    JOIN_MS = 5
    OWN_STEP_MS = 10
    JUDGED_MS = 100
    LACK_MS = 10
    OVER_MS = 40
    STEADY_MS = 5
    SPARE_MS = 10
    QUIET_MS = 100
    MAX_FRAME_MS = 120
    MAX_JOIN = 240              # JOIN_MS at 48 kHz
    LINE_MS = 360               # history, what is pulled at once, a gap with the frame behind it, a period
    STORED_MS = 640             # payloads that are kept, at least
    OPUS_OCTETS_MS = 16         # 128 kbit/s; more waits for less long

cdef double ALIKE = 0.8
cdef double OVER_ALIKE = 0.4
cdef double NEVER_ALIKE = -2.0
cdef double QUIET_POWER = 1000.0   # speech is so much above a pause: 30 dB
cdef double LEVEL_FALLS = 0.995
cdef int64_t UNKNOWN = <int64_t>1 << 40


cdef int octets_ms(int kind, int rate) noexcept nogil:
    if kind == CODER_L16:
        return 2 * rate // 1000
    return OPUS_OCTETS_MS if kind == CODER_OPUS else 8


cdef Playout *playout_open(int coder_kind, int rate) noexcept:
    """NULL when it cannot be made: see `coder_open_decoder`. `rate` is that of the codec's PCM."""
    cdef Playout *p = <Playout *>calloc(1, sizeof(Playout))
    cdef int store_size = STORED_MS * octets_ms(coder_kind, rate)
    cdef uint8_t *store
    if p == NULL:
        return NULL
    if not coder_open_decoder(&p.coder, coder_kind, rate):
        free(p)
        return NULL
    store = <uint8_t *>calloc(store_size, 1)
    packets_open(&p.packets, rate, p.coder.clock_rate, store, store_size)
    p.line = <int16_t *>calloc(LINE_MS * rate // 1000, sizeof(int16_t))
    if store == NULL or p.line == NULL:
        playout_close(p)
        return NULL
    begin(p, rate)
    return p


cdef void begin(Playout *p, int rate) noexcept:
    p.rate = p.hiding.rate = rate
    policy_open(&p.policy, rate)
    comfort_reset(&p.noise, 1)
    p.own = p.coder.kind == CODER_OPUS or p.coder.kind == CODER_G729
    p.hold = p.count = plc_hold(rate)
    p.first = plc_history(rate) - p.hold
    p.paused = True
    p.still = faded(p)
    p.waited = p.spare = UNKNOWN
    p.target_ms = <int>(p.policy.target * 1000 // rate)


cdef void playout_close(Playout *p) noexcept:
    """Harmless for NULL."""
    if p == NULL:
        return
    coder_close(&p.coder)
    free(p.packets.store)
    free(p.line)
    free(p)


cdef void playout_reset(Playout *p) noexcept nogil:
    """Another source (SSRC): what waits is forgotten, the next packet is the first."""
    p.packets.resets += p.packets.started
    packets_forget(&p.packets)
    p.paused = True


cdef inline int64_t ms(const Playout *p, int64_t count) noexcept nogil:
    return count * p.rate // 1000


cdef inline int64_t clock_of(const Playout *p, int64_t ns) noexcept nogil:
    return ns // 1000 * p.rate // 1000000


cdef inline int64_t faded(const Playout *p) noexcept nogil:
    return ms(p, OWN_FADED_MS if p.own else FADED_MS)


cdef inline int64_t least(int64_t one, int64_t other) noexcept nogil:
    return one if one < other else other


cdef int playout_put(
    Playout *p, uint16_t sequence, uint32_t timestamp, bint marker, const uint8_t *payload, int size,
    bint comfort_noise, int64_t arrival_ns
) noexcept nogil:
    """One packet as it arrives; `comfort_noise` for a payload of RFC 3389. Says what became of it."""
    cdef int64_t now = clock_of(p, arrival_ns), time = 0
    cdef int samples = 1 if comfort_noise and size > 0 else coder_duration(&p.coder, payload, size)
    cdef int found
    if samples <= 0 or samples > ms(p, MAX_FRAME_MS) or size > p.packets.store_size // 2:
        p.undecodable += 1
        return PUT_UNDECODABLE
    found = packets_put(&p.packets, sequence, timestamp, payload, size, comfort_noise, now, &time)
    if found == PUT_TAKEN or found == PUT_LATE:
        if p.packets.fresh:
            policy_restart(&p.policy)
        policy_arrived(&p.policy, now - time, now, p.packets.gap)
        p.target_ms = <int>(p.policy.target * 1000 // p.rate)
    p.received += found == PUT_TAKEN
    p.late += found == PUT_LATE
    p.duplicate += found == PUT_DUPLICATE
    p.strange += found == PUT_STRANGE
    return found


# --- what comes next ------------------------------------------------------------------------------------------------


cdef int playout_pull(Playout *p, int16_t *pcm, int samples, int64_t now_ns) noexcept nogil:
    """Exactly `samples`, whatever has arrived; says what they are."""
    cdef int64_t now = clock_of(p, now_ns)
    cdef int done = 0, part, sound = PLAYOUT_SILENT
    while done < samples:
        part = <int>least(samples - done, ms(p, TICK_MS))
        pull(p, pcm + done, part, now + done)
        sound = p.sound if p.sound > sound else sound
        done += part
    p.played_samples += samples
    p.delay_ms = <int>((now - p.policy.fastest - p.end + p.count + samples) * 1000 // p.rate)
    return sound


cdef void pull(Playout *p, int16_t *pcm, int samples, int64_t now) noexcept nogil:
    cdef int need = samples + p.hold
    p.sound = p.tail if p.count > p.hold else PLAYOUT_SILENT
    fill(p, need, now)
    if p.sound == PLAYOUT_VOICE and p.waited != UNKNOWN and keep_pace(p, now):
        fill(p, need, now)
    memcpy(pcm, p.line + p.first, sizeof(int16_t) * samples)
    p.count -= samples
    memmove(p.line, p.line + samples, sizeof(int16_t) * (p.first + p.count))


cdef void fill(Playout *p, int need, int64_t now) noexcept nogil:
    while p.count < need:
        more(p, need - p.count, now)


cdef inline int64_t waited(const Playout *p, const Packet *packet, int64_t now) noexcept nogil:
    return now - p.policy.fastest - packet.time


cdef void more(Playout *p, int short, int64_t now) noexcept nogil:
    """Add samples to the line, or find out that there is a pause."""
    cdef Packet *packet = due(p, now)
    if p.paused:
        if packet == NULL or waited(p, packet, now) < p.policy.target:
            substitute(p, short)
            said(p, PLAYOUT_SILENT)
        else:
            take(p, packet, now)
    elif packet == NULL:
        stand(p, short)
    else:
        follow(p, packet, packet.time - p.end - p.still, short, now)


cdef Packet *due(Playout *p, int64_t now) noexcept nogil:
    """The first packet that has not waited for too long."""
    cdef Packet *packet = packets_first(&p.packets)
    while packet != NULL and waited(p, packet, now) > ms(p, MOST_WAIT_MS):
        p.lost += packets_take(&p.packets, packet)
        p.late += 1
        packet = packets_first(&p.packets)
    return packet


cdef void follow(Playout *p, Packet *packet, int64_t gap, int short, int64_t now) noexcept nogil:
    """A packet waits; `gap` are the samples before it that are neither here nor made up for."""
    cdef bint missing = packet.sequence > p.packets.next
    if not missing and gap > ms(p, PAUSE_MS):
        p.paused = True
        p.concealed_samples -= p.standing
        p.standing = 0
    elif not missing or packet.comfort_noise or gap <= 0:
        take(p, packet, now)
    elif gap <= ms(p, BRIDGED_MS):
        bridge(p, packet, <int>gap, now)
    else:
        stand(p, short)


cdef void stand(Playout *p, int count) noexcept nogil:
    """Nothing to play: the time stands still."""
    cdef int made = substitute(p, count)
    said(p, PLAYOUT_CONCEALED)
    p.standing += made
    p.concealed_samples += made
    p.paused = p.still >= ms(p, FADED_MS)


cdef inline void said(Playout *p, int sound) noexcept nogil:
    p.tail = sound
    p.sound = sound if sound > p.sound else p.sound


cdef inline int16_t *room(Playout *p) noexcept nogil:
    return p.line + p.first + p.count


cdef int substitute(Playout *p, int count) noexcept nogil:
    """Add at least `count` samples of noise, of concealment, or of silence after it."""
    cdef int step = <int>ms(p, OWN_STEP_MS)
    if p.comforted:
        comfort_make(&p.noise, room(p), count)
    elif p.still >= faded(p):
        memset(room(p), 0, sizeof(int16_t) * count)
    elif p.own:
        count = (count + step - 1) // step * step
        recover(p, count, NULL)
    else:
        begin_hiding(p)
        plc_make(&p.hiding, room(p), count)
    p.count += count
    p.still += count
    return count


# --- packets --------------------------------------------------------------------------------------------------------


cdef void take(Playout *p, Packet *packet, int64_t now) noexcept nogil:
    """Decode what has its turn, or change to the noise that it describes."""
    cdef int samples
    p.lost += packets_take(&p.packets, packet)
    if packet.comfort_noise:
        comfort_update(&p.noise, payload_of(&p.packets, packet), packet.size, p.rate == 8000)
        p.comforted = p.paused = True
        p.end = packet.time
        return
    samples = decode(p, packet, room(p))
    if samples > 0:
        if p.still:
            join(p, room(p), samples)
        play(p, packet, samples, now)


cdef int decode(Playout *p, const Packet *packet, int16_t *pcm) noexcept nogil:
    cdef int samples = coder_decode(
        &p.coder, payload_of(&p.packets, packet), packet.size, pcm, <int>ms(p, MAX_FRAME_MS)
    )
    p.undecodable += samples <= 0
    return samples


cdef void join(Playout *p, int16_t *frame, int samples) noexcept nogil:
    """`frame` follows something that was made up."""
    cdef bint silent = p.still >= faded(p)
    cdef int16_t before[MAX_JOIN]
    cdef int i, overlap = <int>least(ms(p, JOIN_MS), samples)
    if not p.comforted and not silent:
        if p.hiding.active and not p.own:
            plc_join(&p.hiding, frame, samples)
        return
    memset(before, 0, sizeof(int16_t) * overlap)
    if p.comforted:
        comfort_make(&p.noise, before, overlap)
    for i in range(overlap):
        frame[i] = mixed(before[i], frame[i], i, overlap)


cdef void begin_hiding(Playout *p) noexcept nogil:
    if not p.hiding.active:
        plc_begin(&p.hiding, room(p))


cdef void bridge(Playout *p, Packet *packet, int gap, int64_t now) noexcept nogil:
    """Fill what is missing before a packet that is here, and decode it."""
    cdef int samples
    p.lost += packets_take(&p.packets, packet)
    if p.own:
        gap = recover_before(p, packet, gap)
        samples = decode(p, packet, room(p))
    else:
        samples = decode(p, packet, room(p) + gap)
        if samples > 0:
            fill_gap(p, gap, samples)
    if samples > 0:
        p.still += gap
        p.concealed_samples += gap
        play(p, packet, samples, now)


cdef void fill_gap(Playout *p, int gap, int samples) noexcept nogil:
    """`samples` follow the gap in the line already."""
    begin_hiding(p)
    if plc_can_bridge(&p.hiding, samples):
        plc_bridge(&p.hiding, room(p), gap, room(p) + gap, samples)
    else:
        plc_make(&p.hiding, room(p), gap)
        plc_join(&p.hiding, room(p) + gap, samples)
    p.count += gap
    said(p, PLAYOUT_CONCEALED)


cdef int recover_before(Playout *p, const Packet *packet, int gap) noexcept nogil:
    """The codec's own substitute for about `gap` samples; the last frame perhaps from what `packet` says of it."""
    cdef int step = <int>ms(p, OWN_STEP_MS)
    cdef int last = coder_duration(&p.coder, payload_of(&p.packets, packet), packet.size)
    gap = gap // step * step if gap > step else step
    if gap > last:
        recover(p, gap - last, NULL)
        p.count += gap - last
    recover(p, gap if gap < last else last, packet if gap >= last else NULL)
    p.count += gap if gap < last else last
    said(p, PLAYOUT_CONCEALED)
    return gap


cdef void recover(Playout *p, int count, const Packet *following) noexcept nogil:
    cdef const uint8_t *next = payload_of(&p.packets, following) if following != NULL else NULL
    cdef int made = coder_recover(&p.coder, next, following.size if following != NULL else 0, room(p), count)
    memset(room(p) + made, 0, sizeof(int16_t) * (count - made))


cdef void play(Playout *p, const Packet *packet, int samples, int64_t now) noexcept nogil:
    """`samples` of the packet lie behind the line."""
    cdef const int16_t *frame = room(p)
    cdef int64_t total = 0
    cdef double power
    cdef int i
    if not p.still:
        p.waited = least(p.waited, waited(p, packet, now))
        p.spare = least(p.spare, p.count - p.hold)
    for i in range(samples):
        total += <int>frame[i] * frame[i]
    power = <double>total / samples
    p.level = power if power > p.level * LEVEL_FALLS else p.level * LEVEL_FALLS
    p.quiet = p.quiet + samples if power * QUIET_POWER < p.level else 0
    p.end = packet.time + samples
    p.still = p.standing = 0
    p.paused = p.comforted = p.hiding.active = False
    p.count += samples
    said(p, PLAYOUT_VOICE)


# --- pace -----------------------------------------------------------------------------------------------------------


cdef bint keep_pace(Playout *p, int64_t now) noexcept nogil:
    """One step of the delay towards its target; True when samples were left out."""
    cdef int64_t over = p.waited - p.policy.target - ms(p, TICK_MS + STEADY_MS)
    cdef int64_t spare = p.spare
    cdef int64_t lack = p.policy.target - p.waited - spare
    cdef bint quiet = p.quiet >= ms(p, QUIET_MS)
    cdef int lag
    if now - p.judged < ms(p, JUDGED_MS) and over <= ms(p, OVER_MS):
        return False
    p.judged, p.waited, p.spare = now, UNKNOWN, UNKNOWN
    if lack > (0 if quiet else ms(p, LACK_MS)):
        lag = period_for(p.line + p.first, p.count, p.rate, NEVER_ALIKE if quiet else ALIKE, p.rate)
        if lag:
            p.count = lengthen(p.line + p.first, p.count, lag, p.rate)
            p.lengthened += 1
        return False
    if over <= ms(p, OVER_MS) and not (quiet and (over > 0 or spare > ms(p, SPARE_MS))):
        return False
    lag = period_for(
        p.line + p.first, p.count, p.rate, NEVER_ALIKE if quiet else OVER_ALIKE, p.rate if over > 0 else <int>spare
    )
    if lag:
        p.count = shorten(p.line + p.first, p.count, lag, p.rate)
        p.shortened += 1
    return lag > 0


SOUNDS = {PLAYOUT_SILENT: "silent", PLAYOUT_VOICE: "voice", PLAYOUT_CONCEALED: "concealed"}


cdef class Stream:
    """One received stream for Python: tests and measurements. The engine uses the struct."""

    cdef Playout *playout

    def __init__(self, str name not None, int rate):
        playout_close(self.playout)
        self.playout = playout_open(KINDS.get(name.upper(), 0), rate)
        if self.playout == NULL:
            raise ValueError(f"{name} cannot be played at {rate} Hz.")

    def __dealloc__(self):
        playout_close(self.playout)

    def reset(self):
        playout_reset(self.playout)

    def put(
        self, int sequence, uint32_t timestamp, const uint8_t[::1] payload not None, int64_t arrival_ns, *,
        bint marker=False, bint comfort_noise=False
    ):
        cdef const uint8_t *data = &payload[0] if payload.shape[0] else NULL
        return PUTS[playout_put(
            self.playout, <uint16_t>sequence, timestamp, marker, data, <int>payload.shape[0], comfort_noise, arrival_ns
        )]

    def pull(self, int samples, int64_t now_ns):
        cdef bytearray out = bytearray(2 * samples)
        cdef int16_t *pcm = <int16_t *><char *>out
        cdef int sound
        with nogil:
            sound = playout_pull(self.playout, pcm, samples, now_ns)
        return bytes(out), SOUNDS[sound]

    def counters(self):
        cdef Playout *p = self.playout
        return {
            "received": p.received, "late": p.late, "duplicate": p.duplicate, "strange": p.strange,
            "reordered": p.packets.reordered, "lost": p.lost, "undecodable": p.undecodable,
            "resets": p.packets.resets, "played_samples": p.played_samples, "concealed_samples": p.concealed_samples,
            "shortened": p.shortened, "lengthened": p.lengthened, "target_ms": p.target_ms, "delay_ms": p.delay_ms,
        }
