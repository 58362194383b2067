"""Who talks: the level of each tick against the background, with a little patience both ways. Reference: `talking_ref.py`.
"""

from libc.stdint cimport int16_t

cdef enum:
    BEGIN_TICKS = 3             # 60 ms of sound, less what was quiet between
    END_TICKS = 25              # 500 ms of quiet
    QUIETEST = 107              # mean square of -70 dBov: no background counts as quieter
    LOUDEST = 107374            # -40 dBov: no background counts as louder
    AUDIBLE = 10737             # -50 dBov: what is quieter is no speech
    ABOVE = 10                  # times the power of the background


cdef struct Talker:
    bint talks
    int loud                    # ticks
    int quiet
    float floor                 # mean square of the background


cdef inline float power_of(const int16_t *samples, int count) noexcept nogil:
    """Mean square."""
    cdef float total = 0
    cdef int i
    for i in range(count):
        total += <float>samples[i] * samples[i]
    return total / count


cdef inline bint talker_hears(Talker *t, float power) noexcept nogil:
    """One tick; whether who talks has changed."""
    cdef bint loud
    if t.floor == 0:
        t.floor = LOUDEST
    if power < t.floor:
        t.floor += (power - t.floor) / 2
    else:
        t.floor *= 1.02                             # 4 dB a second
    t.floor = max(<float>QUIETEST, min(t.floor, <float>LOUDEST))
    loud = power > AUDIBLE and power > ABOVE * t.floor
    t.loud = min(t.loud + 1, BEGIN_TICKS) if loud else max(t.loud - 1, 0)
    t.quiet = 0 if loud else t.quiet + 1
    if t.talks != (t.quiet < END_TICKS if t.talks else t.loud == BEGIN_TICKS):
        t.talks = not t.talks
        t.loud = 0
        return True
    return False
