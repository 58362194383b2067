"""Symmetric RTP for the engine. The rule is written and explained in `media/rtp/latch.py`; this is the same in C."""

from libc.stdint cimport int64_t, uint16_t, uint32_t

from media.engine.posix cimport Address
from media.engine.reasons cimport KEPT, LATE_SOURCE, NOT_SOURCE, PROBATION, STRANGER
from media.rtp.address cimport same_address, same_host

cdef enum:
    MAX_ALLOWED = 8
    PROBATION_PACKETS = 2
    QUIET_NS = 2000000000
    LATE_NS = 500000000



cdef struct Latch:
    bint learned
    bint pinned          # ICE tells where to send, keys tell who sends: nothing is learned from packets
    bint aimless         # pinned, and ICE has found no way yet
    bint news            # a source was learned and nobody has been told
    bint on_trial
    bint has_previous
    int allowed_count
    int64_t heard_ns
    Address source
    Address remote
    Address allowed[MAX_ALLOWED]
    Address candidate
    uint32_t candidate_ssrc
    uint16_t candidate_sequence
    int candidate_run
    Address previous
    int64_t previous_until_ns


cdef inline bint is_allowed(const Latch *latch, const Address *source) noexcept nogil:
    cdef int i
    if latch.pinned:
        return True
    for i in range(latch.allowed_count):
        if same_host(&latch.allowed[i], source):
            return True
    return False


cdef inline void latch_learn(Latch *latch, const Address *source, int64_t now_ns) noexcept nogil:
    latch.learned = True
    latch.news = True
    latch.on_trial = False
    latch.source = source[0]
    latch.heard_ns = now_ns


cdef inline bint latch_on_trial(Latch *latch, const Address *source, uint32_t ssrc, uint16_t sequence) noexcept nogil:
    """Count consecutive packets of one candidate; True while it has not sent enough of them."""
    if (
        latch.on_trial and latch.candidate_ssrc == ssrc and same_address(&latch.candidate, source)
        and <uint16_t>(latch.candidate_sequence + 1) == sequence
    ):
        latch.candidate_run += 1
    else:
        latch.on_trial = True
        latch.candidate = source[0]
        latch.candidate_ssrc = ssrc
        latch.candidate_run = 1
    latch.candidate_sequence = sequence
    return latch.candidate_run < PROBATION_PACKETS


cdef inline int latch_judge(
    Latch *latch, const Address *source, uint32_t ssrc, uint16_t sequence, int64_t now_ns
) noexcept nogil:
    """Everything that is not the learned source: KEPT when it has been learned now."""
    if not is_allowed(latch, source):
        return STRANGER
    if not same_address(source, &latch.remote):
        if latch.has_previous and now_ns < latch.previous_until_ns and same_address(source, &latch.previous):
            return LATE_SOURCE
        if latch.learned:
            if now_ns - latch.heard_ns < QUIET_NS:
                return NOT_SOURCE
            if latch_on_trial(latch, source, ssrc, sequence):
                return PROBATION
    latch_learn(latch, source, now_ns)
    return KEPT


cdef inline int latch_receive(
    Latch *latch, const Address *source, uint32_t ssrc, uint16_t sequence, int64_t now_ns
) noexcept nogil:
    """KEPT, or why this packet must not be used."""
    if latch.pinned or (latch.learned and same_address(source, &latch.source)):
        latch.heard_ns = now_ns
        return KEPT
    return latch_judge(latch, source, ssrc, sequence, now_ns)


cdef inline void latch_configure(
    Latch *latch, const Address *remote, const Address *allowed, int count, int64_t now_ns
) noexcept nogil:
    cdef int i
    cdef bint moved = not same_address(&latch.remote, remote)
    if latch.pinned:
        return
    latch.remote = remote[0]
    latch.allowed_count = count
    for i in range(count):
        latch.allowed[i] = allowed[i]
    latch.on_trial = False
    if latch.learned and (moved or not is_allowed(latch, &latch.source)):
        latch.learned = False
        latch.has_previous = True
        latch.previous = latch.source
        latch.previous_until_ns = now_ns + LATE_NS


cdef inline const Address *latch_target(const Latch *latch) noexcept nogil:
    """Where to send: the learned source, until then the address of the SDP."""
    return &latch.source if latch.learned else &latch.remote


cdef inline void latch_aim(Latch *latch, const Address *remote) noexcept nogil:
    """ICE has chosen where to send; port 0: it has lost the way."""
    latch.remote = remote[0]
    latch.learned = False
    latch.aimless = remote.v4.sin_port == 0
