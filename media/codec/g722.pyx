# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""ITU-T G.722 at 64 kbit/s, compiled. Reference with the names of the recommendation's blocks: `g722_ref.py`."""

from libc.stdint cimport int16_t, int32_t, uint8_t
from libc.string cimport memmove, memset

from media.codec import g722_tables as known

cdef int32_t q6[31]
cdef uint8_t low_code[2][31]        # [negative][interval]
cdef int32_t qm6[64]
cdef int32_t qm4[16]
cdef int32_t qm2[4]
cdef int32_t low_step[16]           # WL[RL42[code]]
cdef int32_t high_step[4]
cdef int32_t antilog[32]
cdef int16_t even[QMF_HALF]    # the coefficients at even places of the mirror filter, and at odd ones
cdef int16_t odd[QMF_HALF]


cdef void make_tables() except *:
    cdef int i
    line = [*known.QMF, *reversed(known.QMF)]
    for i in range(30):
        q6[i] = known.Q6[i]
    q6[30] = 0x7FFF
    for i in range(31):
        low_code[0][i], low_code[1][i] = known.ILP[i], known.ILN[i]
    for i in range(64):
        qm6[i] = known.QM6[i]
    for i in range(16):
        qm4[i], low_step[i] = known.QM4[i], known.WL[known.RL42[i]]
    for i in range(4):
        qm2[i], high_step[i] = known.QM2[i], known.WH[known.RH2[i]]
    for i in range(32):
        antilog[i] = known.ILB[i]
    for i in range(QMF_HALF):
        even[i], odd[i] = line[2 * i], line[2 * i + 1]


make_tables()


cdef inline int32_t sat(int32_t value) noexcept nogil:
    return -32768 if value < -32768 else 32767 if value > 32767 else value


cdef inline int32_t within(int32_t value, int32_t least, int32_t most) noexcept nogil:
    return least if value < least else most if value > most else value


cdef inline int32_t doubled(int32_t coefficient, int32_t value) noexcept nogil:
    return (coefficient * sat(2 * value)) >> 15


cdef void predict(Band *band, int32_t difference) noexcept nogil:
    """The predictor after one more quantized difference: zeros and poles adapt, then the next sample is foretold."""
    cdef int32_t recons = sat(band.predicted + difference)
    cdef int32_t partial = sat(band.zeros + difference)
    cdef bint likely = (partial ^ band.p[0]) >= 0
    cdef int32_t turned, second, first, most, step, i
    turned = sat(4 * band.a[0])
    turned = sat(-turned if likely else turned)
    second = (turned >> 7) + (128 if (partial ^ band.p[1]) >= 0 else -128) + ((band.a[1] * 32512) >> 15)
    second = within(second, -12288, 12288)
    first = sat((192 if likely else -192) + ((band.a[0] * 32640) >> 15))
    most = 15360 - second
    band.a[0], band.a[1] = within(first, -most, most), second
    step = 0 if difference == 0 else 128
    for i in range(6):
        band.b[i] = sat((step if (difference ^ band.d[i]) >= 0 else -step) + ((band.b[i] * 32640) >> 15))
    for i in range(5, 0, -1):
        band.d[i] = band.d[i - 1]
    band.d[0] = difference
    band.r[1], band.r[0] = band.r[0], recons
    band.p[1], band.p[0] = band.p[0], partial
    band.zeros = 0
    for i in range(6):
        band.zeros += doubled(band.b[i], band.d[i])
    band.zeros = sat(band.zeros)
    band.predicted = sat(sat(doubled(band.a[0], recons) + doubled(band.a[1], band.r[1])) + band.zeros)


cdef inline void rescale(Band *band, int32_t step, int32_t most, int shift) noexcept nogil:
    cdef int places
    band.log_scale = within(((band.log_scale * 127) >> 7) + step, 0, most)
    places = shift - (band.log_scale >> 11)
    step = antilog[(band.log_scale >> 6) & 31]
    band.scale = (step >> places if places >= 0 else step << -places) << 2


cdef inline void adapt_low(Band *band, int code) noexcept nogil:
    cdef int32_t difference = (band.scale * qm4[code]) >> 15
    rescale(band, low_step[code], 18432, 8)
    predict(band, difference)


cdef inline void adapt_high(Band *band, int code) noexcept nogil:
    cdef int32_t difference = (band.scale * qm2[code]) >> 15
    rescale(band, high_step[code], 22528, 10)
    predict(band, difference)


cdef inline int quantize_low(int32_t error, int32_t scale) noexcept nogil:
    """Decision levels rise, so the interval is found by halving."""
    cdef int32_t size = error if error >= 0 else -(error + 1)
    cdef int lowest = 1, highest = 30, middle
    while lowest < highest:
        middle = (lowest + highest) // 2
        if size < (q6[middle] * scale) >> 12:
            highest = middle
        else:
            lowest = middle + 1
    return low_code[error < 0][lowest]


cdef inline int quantize_high(int32_t error, int32_t scale) noexcept nogil:
    cdef int32_t size = error if error >= 0 else -(error + 1)
    cdef bint outer = size >= (564 * scale) >> 12
    return (0 if outer else 1) if error < 0 else (2 if outer else 3)


cdef inline void filtered(const int16_t *line, const int16_t *at_even, const int16_t *at_odd, int32_t *sums) noexcept nogil:
    cdef int i
    sums[0], sums[1] = 0, 0
    for i in range(QMF_HALF):
        sums[0] += <int32_t>line[2 * i] * at_even[i]
        sums[1] += <int32_t>line[2 * i + 1] * at_odd[i]


cdef inline void push(int16_t *line, int32_t first, int32_t second) noexcept nogil:
    memmove(line, line + 2, sizeof(int16_t) * (QMF_LINE - 2))
    line[QMF_LINE - 2], line[QMF_LINE - 1] = <int16_t>first, <int16_t>second


cdef void g722_reset(G722 *state) noexcept nogil:
    memset(state, 0, sizeof(G722))
    state.low.scale, state.high.scale = 32, 8


cdef int g722_encode(G722 *state, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil:
    """Octets written: one for each two samples (a last odd one is left)."""
    cdef int32_t sums[2]
    cdef int i, low, high
    for i in range(samples // 2):
        push(state.line, pcm[2 * i], pcm[2 * i + 1])
        filtered(state.line, even, odd, sums)
        low = quantize_low(sat(((sums[0] + sums[1]) >> 14) - state.low.predicted), state.low.scale)
        adapt_low(&state.low, low >> 2)
        high = quantize_high(sat(((sums[1] - sums[0]) >> 14) - state.high.predicted), state.high.scale)
        adapt_high(&state.high, high)
        payload[i] = <uint8_t>(high << 6 | low)
    return samples // 2


cdef int g722_decode(G722 *state, const uint8_t *payload, int length, int16_t *pcm) noexcept nogil:
    """Samples written: two for each octet. Every octet can be decoded."""
    cdef int32_t sums[2]
    cdef int32_t rlow, rhigh
    cdef int i, low, high
    for i in range(length):
        low, high = payload[i] & 0x3F, payload[i] >> 6
        rlow = within(state.low.predicted + ((state.low.scale * qm6[low]) >> 15), -16384, 16383)
        adapt_low(&state.low, low >> 2)
        rhigh = within(state.high.predicted + ((state.high.scale * qm2[high]) >> 15), -16384, 16383)
        adapt_high(&state.high, high)
        push(state.line, rlow + rhigh, rlow - rhigh)
        filtered(state.line, even, odd, sums)
        pcm[2 * i] = <int16_t>sat(sums[1] >> 11)
        pcm[2 * i + 1] = <int16_t>sat(sums[0] >> 11)
    return 2 * length


cdef class Encoder:
    """One direction for tests; the engine has its own state."""

    cdef G722 state

    def __cinit__(self):
        g722_reset(&self.state)

    def encode(self, const int16_t[::1] samples not None):
        cdef bytearray out = bytearray(samples.shape[0] // 2)
        if samples.shape[0]:
            g722_encode(&self.state, &samples[0], <int>samples.shape[0], <uint8_t *><char *>out)
        return bytes(out)


cdef class Decoder:
    """One direction for tests; the engine has its own state."""

    cdef G722 state

    def __cinit__(self):
        g722_reset(&self.state)

    def decode(self, const uint8_t[::1] payload not None):
        cdef bytearray out = bytearray(4 * payload.shape[0])
        if payload.shape[0]:
            g722_decode(&self.state, &payload[0], <int>payload.shape[0], <int16_t *><char *>out)
        return bytes(out)
