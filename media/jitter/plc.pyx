# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Concealment by periods. Reference, with the reasons: `media/jitter/plc_ref.py`."""

from libc.stdint cimport int16_t
from libc.string cimport memcpy, memset

from media.jitter.period cimport LEAST_US, find_period, mixed, rounded

cdef enum:
    FULL_MS = 10
    FADE_MS = 50
    JOIN_MS = 10
    LOOK_MS = 20


cdef int smooth(int16_t *sound, int step, int window, int most, int rate) noexcept nogil:
    """Find the period from the first sample on, `step` by step, and make it one that can be repeated; its length."""
    cdef int lag = find_period(sound, step, window, most, rate).lag
    cdef int quarter = lag // 4, i
    for i in range(quarter):
        sound[i * step] = mixed(sound[(lag + i) * step], sound[i * step], i, quarter)
    return lag


cdef inline double gain_at(const Concealment *c, int at) noexcept nogil:
    cdef int full = FULL_MS * c.rate // 1000, fade = FADE_MS * c.rate // 1000
    cdef double gain = 1.0 if at < full else 1.0 - <double>(at - full) / fade
    return gain if gain > 0.0 else 0.0


cdef void plc_begin(Concealment *c, int16_t *gap) noexcept nogil:
    """At `gap` samples are missing, `plc_history` of them are before; the last `plc_hold` of these may be changed."""
    c.lag = smooth(gap - 1, -1, samples_of(WINDOW_US, c.rate), samples_of(MOST_US, c.rate), c.rate)
    c.active, c.made = True, 0
    memcpy(c.cycle, gap - c.lag, sizeof(int16_t) * c.lag)


cdef void plc_make(Concealment *c, int16_t *pcm, int count) noexcept nogil:
    """The next samples of the gap."""
    cdef int i
    for i in range(count):
        pcm[i] = rounded(c.cycle[(c.made + i) % c.lag] * gain_at(c, c.made + i))
    c.made += count


cdef void plc_join(Concealment *c, int16_t *after, int count) noexcept nogil:
    """The `count` samples `after` the gap, their first ones changed."""
    cdef int longer = c.made * 100 // c.rate - 1
    cdef int overlap = c.lag // 4 + 4 * c.rate // 1000 * (longer if longer > 0 else 0)
    cdef int most = JOIN_MS * c.rate // 1000, i
    overlap = overlap if overlap < most else most
    overlap = overlap if overlap < count else count
    for i in range(overlap):
        after[i] = mixed(rounded(c.cycle[(c.made + i) % c.lag] * gain_at(c, c.made + i)), after[i], i, overlap)
    c.active = False


cdef bint plc_can_bridge(const Concealment *c, int after) noexcept nogil:
    """Do so many samples behind a gap tell their period?"""
    return after >= samples_of(BACK_US + LEAST_US, c.rate)


cdef void plc_bridge(Concealment *c, int16_t *pcm, int gap, int16_t *after, int count) noexcept nogil:
    """All of a gap of which the other side is known too; the first samples of that are changed."""
    cdef int look = LOOK_MS * c.rate // 1000, window = samples_of(BACK_US, c.rate), most = samples_of(MOST_US, c.rate)
    cdef double gain = gain_at(c, c.made)
    cdef int lag, at, i
    look = count if count < look else look
    lag = smooth(after, 1, window, most if most < look - window else look - window, c.rate)
    at = (lag - gap % lag) % lag
    for i in range(gap):
        pcm[i] = mixed(rounded(c.cycle[(c.made + i) % c.lag] * gain), after[(at + i) % lag], i, gap)
    c.active = False


cdef class Hiding:
    """One concealment for Python: tests. The engine uses the struct."""

    cdef Concealment state

    def __init__(self, int rate):
        memset(&self.state, 0, sizeof(Concealment))
        self.state.rate = rate

    def begin(self, int16_t[::1] before not None):
        if before.shape[0] < plc_history(self.state.rate):
            raise ValueError("too short")
        plc_begin(&self.state, &before[before.shape[0] - 1] + 1)

    def make(self, int count):
        cdef bytearray out = bytearray(2 * count)
        plc_make(&self.state, <int16_t *><char *>out, count)
        return bytes(out)

    def join(self, int16_t[::1] after not None):
        plc_join(&self.state, &after[0], <int>after.shape[0])

    def bridge(self, int gap, int16_t[::1] after not None):
        cdef bytearray out = bytearray(2 * gap)
        if not plc_can_bridge(&self.state, <int>after.shape[0]):
            raise ValueError("too short")
        plc_bridge(&self.state, <int16_t *><char *>out, gap, &after[0], <int>after.shape[0])
        return bytes(out)
