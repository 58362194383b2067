"""The period of a sound, and speech made shorter or longer by one of them. Reference: `media/jitter/period_ref.py`."""

from libc.math cimport floor
from libc.stdint cimport int16_t

cdef enum:
    LEAST_US = 2500             # of a period: 400 Hz
    MOST_US = 15000             # 67 Hz
    MIX_US = 10000
    MOST_PERIOD = 720           # samples of MOST_US at 48 kHz
    MOST_MIX = 480

cdef struct Period:
    int lag
    double alike                # -1 to 1


cdef inline int samples_of(int us, int rate) noexcept nogil:
    return us * (rate // 1000) // 1000


cdef inline int16_t rounded(double value) noexcept nogil:
    value = floor(value + 0.5)
    return <int16_t>(-32768.0 if value < -32768.0 else 32767.0 if value > 32767.0 else value)


cdef inline int16_t mixed(int one, int other, int at, int length) noexcept nogil:
    """From `one` to `other`, `at` of `length`."""
    cdef double weight = (at + 0.5) / length
    return rounded(one * (1.0 - weight) + other * weight)


cdef Period find_period(const int16_t *sound, int step, int window, int most, int rate) noexcept nogil
cdef int period_for(const int16_t *sound, int count, int rate, double alike, int most) noexcept nogil
cdef int shorten(int16_t *sound, int count, int lag, int rate) noexcept nogil
cdef int lengthen(int16_t *sound, int count, int lag, int rate) noexcept nogil
