# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Periods for the concealment and the pace. Reference, with the reasons: `media/jitter/period_ref.py`."""

from libc.math cimport sqrt
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy, memmove

cdef double NEVER_ALIKE = -2.0


cdef double likeness(const int16_t *sound, const int16_t *other, int step, int count, int64_t power) noexcept nogil:
    """Of every `step`-th sample, the first of which have the power `power`."""
    cdef int64_t both = 0, theirs = 0
    cdef int i
    for i in range(count):
        both += <int>sound[i * step] * other[i * step]
        theirs += <int>other[i * step] * other[i * step]
    return <double>both / sqrt((power + 1.0) * (theirs + 1.0))


cdef Period best(const int16_t *sound, int step, int window, int first, int last, int stride) noexcept nogil:
    cdef Period found
    cdef int i, count = (window + stride - 1) // stride
    cdef int64_t power = 0
    cdef double alike
    found.lag, found.alike = first, NEVER_ALIKE
    for i in range(count):
        power += <int>sound[i * step * stride] * sound[i * step * stride]
    while first <= last:
        alike = likeness(sound, sound + first * step, step * stride, count, power)
        if alike > found.alike:
            found.lag, found.alike = first, alike
        first += stride
    return found


cdef Period find_period(const int16_t *sound, int step, int window, int most, int rate) noexcept nogil:
    """The lag at which the first `window` samples come again most alike; `step` is 1, or -1 to look towards the front.

    There are `window + most` samples or more.
    """
    cdef int least = samples_of(LEAST_US, rate)
    cdef int stride = rate // 8000 if rate > 8000 else 1
    cdef Period found = best(sound, step, window, least, most, stride)
    cdef int first = found.lag - stride + 1, last = found.lag + stride - 1
    if stride == 1:
        return found
    return best(sound, step, window, first if first > least else least, last if last < most else most, 1)


cdef int period_for(const int16_t *sound, int count, int rate, double alike, int most) noexcept nogil:
    """The period by which `sound` may change its length, at most `most`; 0 when it does not come again so `alike`."""
    cdef int mix = samples_of(MIX_US, rate), longest = samples_of(MOST_US, rate)
    cdef Period found
    longest = most if most < longest else longest
    longest = count - mix if count - mix < longest else longest
    if longest < samples_of(LEAST_US, rate):
        return 0
    found = find_period(sound, 1, mix, longest, rate)
    return found.lag if found.alike >= alike else 0


cdef int shorten(int16_t *sound, int count, int lag, int rate) noexcept nogil:
    """Leave out `lag` of `count` samples; how many are left."""
    cdef int mix = samples_of(MIX_US, rate), i
    for i in range(mix):
        sound[i] = mixed(sound[i], sound[lag + i], i, mix)
    memmove(sound + mix, sound + lag + mix, sizeof(int16_t) * (count - lag - mix))
    return count - lag


cdef int lengthen(int16_t *sound, int count, int lag, int rate) noexcept nogil:
    """Repeat `lag` of `count` samples, behind which there is room for them; how many there are then."""
    cdef int16_t again[MOST_MIX]
    cdef int mix = samples_of(MIX_US, rate), i
    for i in range(mix):
        again[i] = mixed(sound[lag + i], sound[i], i, mix)
    memmove(sound + lag + mix, sound + mix, sizeof(int16_t) * (count - mix))
    memcpy(sound + lag, again, sizeof(int16_t) * mix)
    return count + lag


def period_of(const int16_t[::1] sound not None, int window, int most, int rate):
    """(lag, how alike); None when `sound` is too short."""
    cdef Period found
    if rate < 8000 or most < samples_of(LEAST_US, rate) or sound.shape[0] < window + most or window < 1:
        return None
    found = find_period(&sound[0], 1, window, most, rate)
    return found.lag, found.alike


def lag_for(const int16_t[::1] sound not None, int rate, double alike, int most):
    return period_for(&sound[0], <int>sound.shape[0], rate, alike, most) if sound.shape[0] else 0


def changed(const int16_t[::1] sound not None, int lag, int rate, bint longer):
    """`sound` shorter or `longer` by `lag`, which is one that `lag_for` gave."""
    cdef int count = <int>sound.shape[0]
    cdef bytearray out = bytearray(2 * (count + lag))
    cdef int16_t *line = <int16_t *><char *>out
    memcpy(line, &sound[0], 2 * count)
    count = lengthen(line, count, lag, rate) if longer else shorten(line, count, lag, rate)
    return bytes(out[: 2 * count])
