# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Comfort noise (RFC 3389), compiled. Reference, with the reasons: `media/codec/comfort_ref.py`."""

from libc.math cimport cos, floor, log10, pow, sqrt
from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

cdef enum:
    MOST_SAMPLES = 2880     # described at once: 60 ms at 48 kHz
    GLIDE = 160             # samples for about two thirds of a change of level
    LEAST_DB = -127
    LOUDEST_DB = -45
    ABOVE_FLOOR_DB = 8
    RISE_DB_S = 4
    HANGOVER_MS = 240
    CHANGE_DB = 3
    REPEAT_MS = 1000

cdef double PI = 3.141592653589793


cdef void comfort_reset(Comfort *noise, uint32_t random) noexcept nogil:
    """Silent until something is known of the peer's background."""
    memset(noise, 0, sizeof(Comfort))
    noise.random = random


cdef bint comfort_update(Comfort *noise, const uint8_t *payload, int length, bint spectrum) noexcept nogil:
    """Take over what a CN payload says; its spectrum only on demand (it must be that of our PCM's rate)."""
    cdef int i
    cdef double k
    if length < 1:
        return False
    noise.target = 0.0 if payload[0] & 0x7F == 127 else 32768.0 * pow(10.0, -(payload[0] & 0x7F) / 20.0)
    noise.order = 0
    noise.gain = 1.7320508075688772
    if spectrum:
        noise.order = length - 1 if length - 1 < COMFORT_ORDER else COMFORT_ORDER
    for i in range(noise.order):
        k = 258.0 * (payload[1 + i] - 127) / 32768.0
        k = -0.98 if k < -0.98 else 0.98 if k > 0.98 else k
        noise.reflection[i] = k
        noise.gain *= sqrt(1.0 - k * k)
    for i in range(noise.order, COMFORT_ORDER):
        noise.state[i] = 0.0
    return True


cdef inline double excitation(Comfort *noise) noexcept nogil:
    """-1 to 1, evenly."""
    noise.random = noise.random * <uint32_t>1664525 + <uint32_t>1013904223
    return noise.random / 2147483648.0 - 1.0


cdef inline double filtered(Comfort *noise, double value) noexcept nogil:
    """The all-pole lattice of the reflection coefficients."""
    cdef int i
    for i in range(noise.order - 1, -1, -1):
        value -= noise.reflection[i] * noise.state[i]
        if i + 1 < noise.order:
            noise.state[i + 1] = noise.state[i] + noise.reflection[i] * value
    if noise.order:
        noise.state[0] = value
    return value


cdef void comfort_make(Comfort *noise, int16_t *pcm, int samples) noexcept nogil:
    cdef int i
    cdef double value
    for i in range(samples):
        noise.level += (noise.target - noise.level) / GLIDE
        value = floor(noise.level * filtered(noise, noise.gain * excitation(noise)) + 0.5)
        pcm[i] = <int16_t>(-32768.0 if value < -32768.0 else 32767.0 if value > 32767.0 else value)


cdef double level_db(const int16_t *pcm, int samples) noexcept nogil:
    cdef int64_t power = 0
    cdef int i
    for i in range(samples):
        power += <int64_t>pcm[i] * pcm[i]
    if power == 0:
        return LEAST_DB
    return 10.0 * log10(<double>power / samples / 1073741824.0)


cdef inline uint8_t level_octet(double db) noexcept nogil:
    cdef double value = floor(0.5 - db)
    return <uint8_t>(0.0 if value < 0.0 else 127.0 if value > 127.0 else value)


cdef void correlate(const int16_t *pcm, int samples, int order, double *r) noexcept nogil:
    """Autocorrelation under a Hann window, with a little white noise for a filter that is not too sharp."""
    cdef double windowed[MOST_SAMPLES]
    cdef int i, lag
    for i in range(samples):
        windowed[i] = pcm[i] * (0.5 - 0.5 * cos(2.0 * PI * (i + 0.5) / samples))
    for lag in range(order + 1):
        r[lag] = 0.0
        for i in range(lag, samples):
            r[lag] += windowed[i] * windowed[i - lag]
    r[0] = r[0] * 1.001 + 1.0


cdef void reflect(const double *r, int order, double *k) noexcept nogil:
    """Levinson and Durbin."""
    cdef double a[COMFORT_ORDER + 1]
    cdef double before[COMFORT_ORDER + 1]
    cdef double error = r[0], total
    cdef int i, j
    a[0] = 1.0
    for i in range(1, order + 1):
        total = r[i]
        for j in range(1, i):
            total += a[j] * r[i - j]
        k[i - 1] = -total / error
        for j in range(1, i):
            before[j] = a[j]
        for j in range(1, i):
            a[j] = before[j] + k[i - 1] * before[i - j]
        a[i] = k[i - 1]
        error *= 1.0 - k[i - 1] * k[i - 1]


cdef int comfort_describe(const int16_t *pcm, int samples, int order, uint8_t *payload) noexcept nogil:
    """Octets of a CN payload that says what `samples` (at most 60 ms) sound like."""
    cdef double r[COMFORT_ORDER + 1]
    cdef double k[COMFORT_ORDER]
    cdef double code
    cdef int i
    payload[0] = level_octet(level_db(pcm, samples))
    if order > COMFORT_ORDER or samples > MOST_SAMPLES or payload[0] == 127:
        order = 0
    correlate(pcm, samples if order else 0, order, r)
    reflect(r, order, k)
    for i in range(order):
        code = floor(k[i] * 32768.0 / 258.0 + 127.5)
        payload[1 + i] = <uint8_t>(0.0 if code < 0.0 else 254.0 if code > 254.0 else code)
    return 1 + order


cdef void silence_reset(Silence *silence, int rate, int order) noexcept nogil:
    silence.rate, silence.order = rate, order
    silence.floor_db = LOUDEST_DB
    silence.told_db = 1.0
    silence.since_speech_ms = silence.since_told_ms = 0


cdef int silence_frame(Silence *silence, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil:
    """One frame that we could send: SPEECH, 0 (send nothing) or the octets of a CN payload to send instead."""
    cdef double db = level_db(pcm, samples)
    cdef int ms = samples * 1000 // silence.rate
    silence.floor_db += RISE_DB_S * ms / 1000.0
    if db < silence.floor_db:
        silence.floor_db = db
    if db > LOUDEST_DB or (db > silence.floor_db + ABOVE_FLOOR_DB and db > -65.0):
        silence.since_speech_ms = 0
    else:
        silence.since_speech_ms += ms
    if silence.since_speech_ms < HANGOVER_MS:
        silence.told_db = 1.0
        return SPEECH
    silence.since_told_ms += ms
    if silence.told_db <= 0.0 and silence.since_told_ms < REPEAT_MS and -CHANGE_DB < db - silence.told_db < CHANGE_DB:
        return 0
    silence.told_db, silence.since_told_ms = db, 0
    return comfort_describe(pcm, samples, silence.order, payload)


cdef class Noise:
    """Comfort noise for tests; the engine uses the struct."""

    cdef Comfort state

    def __init__(self, unsigned int random=1):
        comfort_reset(&self.state, random)

    def update(self, const uint8_t[::1] payload not None, bint spectrum=True):
        cdef const uint8_t *data = &payload[0] if payload.shape[0] else NULL
        return bool(comfort_update(&self.state, data, <int>payload.shape[0], spectrum))

    def make(self, int samples):
        cdef bytearray out = bytearray(2 * samples)
        comfort_make(&self.state, <int16_t *><char *>out, samples)
        return bytes(out)


cdef class Quiet:
    """What is sent of frames, for tests; the engine uses the struct."""

    cdef Silence state

    def __init__(self, int rate, int order):
        silence_reset(&self.state, rate, order)

    def frame(self, const int16_t[::1] samples not None):
        """None for speech, else the CN payload, empty for nothing."""
        cdef uint8_t payload[COMFORT_OCTETS]
        cdef int found = silence_frame(&self.state, &samples[0], <int>samples.shape[0], payload)
        return None if found == SPEECH else payload[:found]


def describe(const int16_t[::1] samples not None, int order):
    cdef uint8_t payload[COMFORT_OCTETS]
    cdef int found = comfort_describe(&samples[0], <int>samples.shape[0], order, payload)
    return payload[:found]
