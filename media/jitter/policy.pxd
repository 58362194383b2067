"""How long a stream is to wait before it is played. Reference, with the reasons: `media/jitter/policy_ref.py`."""

from libc.stdint cimport int64_t

cdef enum:
    BUCKETS = 128

cdef struct Policy:             # times and delays are in samples
    int rate
    int64_t fastest             # transit
    int64_t target
    int64_t seen
    double loss
    double delays[BUCKETS]
    bint fresh                  # the next transit is the first
    int64_t current
    int64_t before
    int64_t since


cdef void policy_open(Policy *p, int rate) noexcept nogil
cdef void policy_restart(Policy *p) noexcept nogil
cdef void policy_arrived(Policy *p, int64_t transit, int64_t now, int lost) noexcept nogil
