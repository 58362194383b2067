# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The target of the delay. Reference, with the reasons: `media/jitter/policy_ref.py`."""

from libc.stdint cimport int64_t
from libc.string cimport memset

cdef enum:
    BUCKET_MS = 4
    START_MS = 40
    LEAST_MS = 8
    MOST_MS = 400
    FASTEST_S = 4
    BRIDGE_MS = 24

cdef double FORGET = 1.0 / 400
cdef double TOO_LATE = 1.0 / 64
cdef double FORGET_LOSS = 1.0 / 128
cdef double BRIDGE_LOSS = 1.0 / 100


cdef void policy_open(Policy *p, int rate) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.rate, p.fresh = rate, True
    p.delays[START_MS // BUCKET_MS] = 1.0
    p.target = aim(p)


cdef void policy_restart(Policy *p) noexcept nogil:
    """The next transit has nothing to do with those before; what is known of the network stays."""
    p.fresh = True


cdef inline int64_t smaller(int64_t one, int64_t other) noexcept nogil:
    return one if one < other else other


cdef void measure(Policy *p, int64_t transit, int64_t now) noexcept nogil:
    if p.fresh:
        p.current = p.before = transit
        p.since, p.fresh = now, False
    elif now - p.since >= <int64_t>FASTEST_S * p.rate:
        p.before, p.current, p.since = p.current, transit, now
    p.current = smaller(p.current, transit)
    p.fastest = smaller(p.before, p.current)


cdef int64_t aim(const Policy *p) noexcept nogil:
    cdef double late = 0.0
    cdef int bucket = BUCKETS, wanted, least = BRIDGE_MS if p.loss > BRIDGE_LOSS else LEAST_MS
    while bucket > 0 and late + p.delays[bucket - 1] <= TOO_LATE:
        bucket -= 1
        late += p.delays[bucket]
    wanted = bucket * BUCKET_MS if bucket * BUCKET_MS < MOST_MS else MOST_MS
    wanted = wanted if wanted > least else least
    return <int64_t>wanted * p.rate // 1000


cdef void policy_arrived(Policy *p, int64_t transit, int64_t now, int lost) noexcept nogil:
    """A packet came, and `lost` that were sent before it have not."""
    cdef double weight
    cdef int i, bucket
    measure(p, transit, now)
    bucket = <int>smaller(BUCKETS - 1, (transit - p.fastest) * 1000 // (p.rate * BUCKET_MS))
    p.seen += 1
    weight = 1.0 / (p.seen + 1)
    weight = weight if weight > FORGET else FORGET
    for i in range(BUCKETS):
        p.delays[i] *= 1.0 - weight
    p.delays[bucket] += weight
    p.loss += ((1.0 if lost > 0 else 0.0) - p.loss) * FORGET_LOSS
    p.target = aim(p)


cdef class Target:
    """One policy for Python: tests. The engine uses the struct."""

    cdef Policy state

    def __init__(self, int rate):
        policy_open(&self.state, rate)

    def restart(self):
        policy_restart(&self.state)

    def arrived(self, int64_t transit, int64_t now, int lost=0):
        policy_arrived(&self.state, transit, now, lost)
        return self.state.target

    @property
    def fastest(self):
        return self.state.fastest

    @property
    def target(self):
        return self.state.target
