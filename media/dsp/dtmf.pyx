# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Pairs of tones. Reference, with the reasons: `media/dsp/dtmf_ref.py`."""

from libc.math cimport atan2, cos, fabs, floor, sin
from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.string cimport memcpy, memset

cdef extern from "<math.h>" nogil:
    double remainder(double, double)

cdef enum:
    HALF_US = 6375
    BEGINS_AFTER = 4
    ENDS_AFTER = 5
    RAMP_MS = 2

cdef double PI = 3.141592653589793
cdef double LEAST_POWER = 135000.0
cdef double QUIET = 67500.0
cdef double ROW_LOUDER = 11.5
cdef double COLUMN_LOUDER = 5.0
cdef double STANDS_OUT = 4.0
cdef double PURE = 0.6
cdef double OFF = 0.025
cdef double ROW_PEAK = 7344.0
cdef double COLUMN_PEAK = 9246.0
cdef double[TONES] TONE_HZ = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0]
cdef uint8_t[16] EVENT_OF = [1, 2, 3, 12, 4, 5, 6, 13, 7, 8, 9, 14, 10, 0, 11, 15]    # 123A 456B 789C *0#D
cdef uint8_t[16] KEY_OF = [13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15]


cdef void detector_open(Detector *d, int rate) noexcept nogil:
    """For PCM of 8 to 48 kHz."""
    cdef int i
    memset(d, 0, sizeof(Detector))
    d.rate, d.half = rate, rate // 1000 * HALF_US // 1000
    d.on = d.block.key = -1
    for i in range(TONES):
        d.step[i] = 2 * PI * TONE_HZ[i] / rate
        d.turn[i] = d.step[i] * d.half
        d.step_cos[i], d.step_sin[i] = cos(d.step[i]), sin(d.step[i])
        d.turn_cos[i], d.turn_sin[i] = cos(d.turn[i]), sin(d.turn[i])


cdef int detector_feed(Detector *d, const int16_t *pcm, int count, TonePress *presses) noexcept nogil:
    """Digits that begin or end within `pcm`, at most 20 ms: so many are written to `presses`."""
    cdef int found = 0, part
    cdef ToneBlock block
    while count:
        part = count if count < d.half - d.filled else d.half - d.filled
        memcpy(d.samples + d.filled, pcm, part * sizeof(int16_t))
        pcm, count = pcm + part, count - part
        d.filled += part
        if d.filled == d.half:
            block = end_half(d)
            found += judge(d, &block, presses + found)
    d.suspects = d.block.key >= 0 or d.on >= 0
    return found


cdef void run_filters(const Detector *d, double *real, double *imaginary) noexcept nogil:
    """Amplitude and phase of each tone at the end of this half."""
    cdef double last[TONES]
    cdef double before[TONES]
    cdef double coefficient[TONES]
    cdef double next
    cdef int i, at
    for i in range(TONES):
        last[i], before[i], coefficient[i] = 0.0, 0.0, 2.0 * d.step_cos[i]
    for at in range(d.half):
        for i in range(TONES):
            next = d.samples[at] + coefficient[i] * last[i] - before[i]
            before[i] = last[i]
            last[i] = next
    for i in range(TONES):
        real[i] = last[i] - before[i] * d.step_cos[i]
        imaginary[i] = before[i] * d.step_sin[i]


cdef inline double energy_of(const int16_t *samples, int count) noexcept nogil:
    cdef int64_t energy = 0
    cdef int i
    for i in range(count):
        energy += <int>samples[i] * samples[i]
    return <double>energy


cdef inline int loudest(const double *powers, int first) noexcept nogil:
    cdef int i, best = first
    for i in range(first + 1, first + 4):
        if powers[i] > powers[best]:
            best = i
    return best


cdef ToneBlock end_half(Detector *d) noexcept nogil:
    """What this half and the one before sound like."""
    cdef double energy = energy_of(d.samples, d.half), power = (energy + d.energy_before) / (2 * d.half)
    cdef double now_real[TONES]
    cdef double now_imaginary[TONES]
    cdef double real[TONES]
    cdef double imaginary[TONES]
    cdef double powers[TONES]
    cdef double scale = 2.0 / (2 * d.half * 2 * d.half)
    cdef bint sounds = energy >= QUIET * d.half
    cdef int i, row, column
    cdef ToneBlock block
    block.key, block.row, block.column = -1, 0.0, 0.0
    d.energy_before, d.filled = energy, 0
    if sounds:
        run_filters(d, now_real, now_imaginary)
    else:
        memset(now_real, 0, sizeof(now_real))
        memset(now_imaginary, 0, sizeof(now_imaginary))
    if sounds or d.sounded:
        for i in range(TONES):
            real[i] = now_real[i] + (d.real[i] * d.turn_cos[i] - d.imaginary[i] * d.turn_sin[i])
            imaginary[i] = now_imaginary[i] + (d.real[i] * d.turn_sin[i] + d.imaginary[i] * d.turn_cos[i])
            powers[i] = scale * (real[i] * real[i] + imaginary[i] * imaginary[i])
            d.real[i], d.imaginary[i] = now_real[i], now_imaginary[i]
        row, column = loudest(powers, 0), loudest(powers, 4)
        if is_digit(powers, row, column, power):
            block.key = 4 * row + column - 4
            block.row = atan2(imaginary[row], real[row])
            block.column = atan2(imaginary[column], real[column])
    d.sounded = sounds
    return block


cdef bint is_digit(const double *powers, int row, int column, double power) noexcept nogil:
    cdef double one = powers[row], other = powers[column]
    cdef int i
    if one < LEAST_POWER or other < LEAST_POWER or one > other * ROW_LOUDER or other > one * COLUMN_LOUDER:
        return False
    if one + other < PURE * power:
        return False
    for i in range(TONES):
        if i != row and i != column and powers[i] * STANDS_OUT > (one if i < 4 else other):
            return False
    return True


cdef bint advances(const Detector *d, int tone, double now, double then) noexcept nogil:
    return fabs(remainder(now - then - d.turn[tone], 2 * PI)) <= OFF * d.turn[tone]


cdef bint is_steady(const Detector *d, const ToneBlock *block) noexcept nogil:
    """Do the phases advance by what half a block makes?"""
    return advances(d, block.key // 4, block.row, d.block.row) and advances(
        d, 4 + block.key % 4, block.column, d.block.column
    )


cdef int judge(Detector *d, const ToneBlock *block, TonePress *presses) noexcept nogil:
    """How many presses were written."""
    cdef bint follows = block.key >= 0 and block.key == d.block.key
    cdef int found = 0
    d.alike = d.alike + 1 if follows and is_steady(d, block) else block.key >= 0
    d.block = block[0]
    if d.on >= 0:
        found = go_on(d, block.key, presses)
    if d.alike >= BEGINS_AFTER and d.on < 0:
        d.on, d.lasted, d.missed = block.key, BEGINS_AFTER + 1, 0
        presses[found].event, presses[found].duration_ms = EVENT_OF[d.on], 0
        found += 1
    return found


cdef int go_on(Detector *d, int key, TonePress *presses) noexcept nogil:
    d.lasted += 1
    d.missed = 0 if key == d.on else d.missed + 1
    if d.missed < ENDS_AFTER:
        return 0
    presses[0].event = EVENT_OF[d.on]
    presses[0].duration_ms = (d.lasted - d.missed) * HALF_US // 1000
    d.on = -1
    return 1


cdef void tone_make(uint8_t event, int rate, int start, int total, int16_t *pcm, int count) noexcept nogil:
    """`count` samples from `start` on of a digit (0 to 15) that lasts `total`."""
    cdef int key = KEY_OF[event], at
    cdef double ramp = RAMP_MS * rate // 1000, gain, end
    for at in range(start, start + count):
        gain, end = (at + 0.5) / ramp, (total - at - 0.5) / ramp
        gain = end if end < gain else gain
        gain = 0.0 if gain < 0.0 else 1.0 if gain > 1.0 else gain
        pcm[at - start] = <int16_t>floor(gain * (
            ROW_PEAK * sin(2 * PI * TONE_HZ[key // 4] * at / rate)
            + COLUMN_PEAK * sin(2 * PI * TONE_HZ[4 + key % 4] * at / rate)
        ) + 0.5)


cdef class Tones:
    """A detector for Python: tests and measurements. The engine uses the struct."""

    cdef Detector detector

    def __init__(self, int rate):
        if not 8000 <= rate <= 48000:
            raise ValueError(f"{rate} Hz")
        detector_open(&self.detector, rate)

    def feed(self, const int16_t[::1] pcm not None):
        cdef TonePress presses[MOST_PRESSES]
        cdef int count = <int>pcm.shape[0], most = self.detector.rate // 50, at = 0, found, i
        result = []
        while at < count:
            found = detector_feed(&self.detector, &pcm[at], most if most < count - at else count - at, presses)
            result += [(presses[i].event, presses[i].duration_ms) for i in range(found)]
            at += most
        return result

    @property
    def suspects(self):
        return bool(self.detector.suspects)


def tone(int event, int rate, int count, int total, int start=0):
    cdef bytearray out = bytearray(2 * count)
    if not 0 <= event < 16:
        raise ValueError(event)
    tone_make(<uint8_t>event, rate, start, total, <int16_t *><char *>out, count)
    return bytes(out)
