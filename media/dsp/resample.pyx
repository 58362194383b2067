# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Resampler of the engine. Reference: `media/dsp/resample_ref.py`."""

from libc.stdint cimport int16_t, int32_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memmove, memset

from media.dsp.polyphase import RATES, ratio, weights

cdef enum:
    PAIRS = 16
    WEIGHT_BITS = 14

cdef struct Pair:
    int from_rate
    int to_rate
    int up
    int down
    int taps
    int16_t *weights

cdef Pair pairs[PAIRS]
cdef int pair_count = 0


cdef void learn_pair(int from_rate, int to_rate) except *:
    """Tables live as long as the process."""
    global pair_count
    cdef const int16_t[:, ::1] table = weights(from_rate, to_rate)
    cdef Pair *pair = &pairs[pair_count]
    cdef size_t size = sizeof(int16_t) * table.shape[0] * table.shape[1]
    if table.shape[1] > RESAMPLE_TAPS or pair_count == PAIRS:
        raise ValueError("the filter is longer than the resampler's line")
    pair.from_rate, pair.to_rate = from_rate, to_rate
    pair.up, pair.down = ratio(from_rate, to_rate)
    pair.taps = <int>table.shape[1]
    pair.weights = <int16_t *>malloc(size)
    if pair.weights == NULL:
        raise MemoryError
    memcpy(pair.weights, &table[0, 0], size)
    pair_count += 1


for one in RATES:
    for other in RATES:
        if one != other:
            learn_pair(one, other)


cdef bint resampler_open(Resampler *r, int from_rate, int to_rate) noexcept nogil:
    """Ready, with silence before the first sample; False for rates that are not done. Nothing to give back."""
    cdef int i
    memset(r, 0, sizeof(Resampler))
    r.from_rate, r.to_rate = from_rate, to_rate
    if from_rate == to_rate:
        return from_rate > 0
    for i in range(pair_count):
        if pairs[i].from_rate == from_rate and pairs[i].to_rate == to_rate:
            r.up, r.down, r.taps = pairs[i].up, pairs[i].down, pairs[i].taps
            r.weights = pairs[i].weights
            return True
    return False


cdef inline int16_t weighted(const int16_t *samples, const int16_t *weights, int taps) noexcept nogil:
    cdef int32_t total = 1 << (WEIGHT_BITS - 1)
    cdef int i
    for i in range(taps):
        total += <int32_t>samples[i] * weights[i]
    total >>= WEIGHT_BITS
    return <int16_t>(-32768 if total < -32768 else 32767 if total > 32767 else total)


cdef int resample_chunk(Resampler *r, const int16_t *samples, int count, int16_t *out) noexcept nogil:
    cdef int before = r.taps - 1, made = 0
    cdef int at = r.phase // r.up, branch = r.phase % r.up
    cdef int step = r.down // r.up, rest = r.down % r.up   # no division a sample: it takes longer than the filter
    memcpy(r.line + before, samples, sizeof(int16_t) * count)
    while at < count:
        out[made] = weighted(r.line + at, r.weights + branch * r.taps, r.taps)
        made += 1
        at += step
        branch += rest
        if branch >= r.up:
            branch -= r.up
            at += 1
    r.phase = (at - count) * r.up + branch
    memmove(r.line, r.line + count, sizeof(int16_t) * before)
    return made


cdef int resample(Resampler *r, const int16_t *samples, int count, int16_t *out) noexcept nogil:
    """Samples written to `out`: count * to / from exactly when that is whole, as for every frame of whole ms.

    `out` is not `samples` and has room for count * to / from + 1.
    """
    cdef int done = 0, made = 0, part
    if r.taps == 0:
        memcpy(out, samples, sizeof(int16_t) * count)
        return count
    while done < count:
        part = count - done if count - done < RESAMPLE_CHUNK else RESAMPLE_CHUNK
        made += resample_chunk(r, samples + done, part, out + made)
        done += part
    return made


cdef class Rate:
    """One resampler for Python: tests, measurements, files. The engine uses the struct."""

    cdef Resampler state

    def __init__(self, int from_rate, int to_rate):
        if not resampler_open(&self.state, from_rate, to_rate):
            raise ValueError(f"{from_rate} Hz cannot become {to_rate} Hz.")

    def convert(self, const int16_t[::1] samples not None):
        cdef int count = <int>samples.shape[0]
        cdef long long most = <long long>count * self.state.to_rate // self.state.from_rate + 2
        cdef bytearray out = bytearray(2 * most)
        cdef int16_t *target = <int16_t *><char *>out
        cdef int made = 0
        if count:
            with nogil:
                made = resample(&self.state, &samples[0], count, target)
        return bytes(out[: 2 * made])
