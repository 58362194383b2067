"""One received audio stream as PCM: packets in as they arrive, exactly as many samples out as are asked for.

`playout_open` and `playout_close` belong to the control thread (they allocate); everything else is the engine thread's
and allocates nothing. Counters are read by others without a lock.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media.codec.coder cimport Coder
from media.codec.comfort cimport Comfort
from media.codec.opus cimport OpusSettings

cdef enum:
    PLAYOUT_SLOTS = 64          # packets that wait at most

cdef enum PlayoutSound:         # what `playout_pull` gave
    PLAYOUT_SILENT = 0          # nobody speaks: nothing has arrived yet, silence suppression, comfort noise
    PLAYOUT_CONCEALED
    PLAYOUT_VOICE

cdef enum PlayoutPut:           # what became of a packet
    PUT_TAKEN = 0
    PUT_LATE
    PUT_DUPLICATE
    PUT_UNDECODABLE


cdef struct Packet:
    bint waiting
    bint comfort_noise
    bint marker
    uint16_t sequence
    int size
    uint32_t timestamp
    uint64_t place              # of its payload in the store


cdef struct Playout:
    # to be shown in reports
    uint64_t received           # packets that were taken
    uint64_t late               # packets after their turn
    uint64_t duplicate
    uint64_t reordered          # packets after a later one, in time nevertheless
    uint64_t lost               # packets that were missing when it was their turn
    uint64_t undecodable
    uint64_t resets
    uint64_t played_samples     # all that was pulled
    uint64_t concealed_samples  # of these
    int target_ms               # delay that is aimed at
    # the rest is nobody else's business
    Coder coder
    Comfort comfort
    int rate
    bint started
    bint playing
    int64_t first_ns            # arrival of the packet that playing waits for
    uint16_t next               # sequence number whose turn it is
    uint16_t highest
    int waiting                 # packets
    int frame                   # samples of the last packet
    Packet packets[PLAYOUT_SLOTS]
    uint8_t *store              # payloads, overwritten in a circle
    int store_size
    uint64_t stored
    int16_t *pcm                # decoded, not yet pulled
    int pcm_first
    int pcm_count


cdef Playout *playout_open(int coder_kind, int rate, const OpusSettings *settings) noexcept
cdef void playout_close(Playout *p) noexcept
cdef void playout_reset(Playout *p) noexcept nogil
cdef int playout_put(
    Playout *p, uint16_t sequence, uint32_t timestamp, bint marker, const uint8_t *payload, int size,
    bint comfort_noise, int64_t arrival_ns
) noexcept nogil
cdef int playout_pull(Playout *p, int16_t *pcm, int samples, int64_t now_ns) noexcept nogil
