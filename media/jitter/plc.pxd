"""What is heard instead of samples that are missing. Reference, with the reasons: `media/jitter/plc_ref.py`."""

from libc.stdint cimport int16_t

from media.jitter.period cimport MOST_PERIOD, MOST_US, samples_of

cdef enum:
    WINDOW_US = 10000           # compared before the gap
    BACK_US = 5000              # compared behind it

cdef struct Concealment:
    int rate
    bint active
    int made                    # samples of the gap
    int lag
    int16_t cycle[MOST_PERIOD]


cdef inline int plc_hold(int rate) noexcept nogil:
    """Samples before a gap that are changed."""
    return samples_of(MOST_US, rate) // 4


cdef inline int plc_history(int rate) noexcept nogil:
    """Samples before a gap that are looked at."""
    return samples_of(WINDOW_US + MOST_US, rate)


cdef void plc_begin(Concealment *c, int16_t *gap) noexcept nogil
cdef void plc_make(Concealment *c, int16_t *pcm, int count) noexcept nogil
cdef void plc_join(Concealment *c, int16_t *after, int count) noexcept nogil
cdef bint plc_can_bridge(const Concealment *c, int after) noexcept nogil
cdef void plc_bridge(Concealment *c, int16_t *pcm, int gap, int16_t *after, int count) noexcept nogil
