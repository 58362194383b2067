"""One received audio stream as PCM: packets in as they arrive, exactly as many samples out as are asked for.

`playout_open` and `playout_close` belong to the control thread (they allocate); everything else is the engine thread's
and allocates nothing. Counters are read by others without a lock. Reference, with the reasons:
`media/jitter/playout_ref.py`.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media.codec.coder cimport Coder
from media.codec.comfort cimport Comfort
from media.jitter.packets cimport Packets
from media.jitter.plc cimport Concealment
from media.jitter.policy cimport Policy

cdef enum PlayoutSound:         # what `playout_pull` gave; where it is of several kinds, the last of these
    PLAYOUT_SILENT = 0          # nobody speaks: nothing has arrived yet, silence suppression, comfort noise
    PLAYOUT_VOICE
    PLAYOUT_CONCEALED


cdef struct Playout:
    # to be shown in reports
    uint64_t received           # packets that were taken
    uint64_t late               # packets after their turn, or left out because they had waited for too long
    uint64_t duplicate
    uint64_t strange            # packets whose numbers have nothing to do with the others
    uint64_t undecodable
    uint64_t lost               # packets that were missing when it was their turn
    uint64_t played_samples     # all that was pulled
    uint64_t concealed_samples  # of these
    uint64_t shortened          # how often a period was left out, and put in
    uint64_t lengthened
    int target_ms               # delay that is aimed at
    int delay_ms                # between the arrival of the fastest packet and what was pulled last
    # `packets.reordered` and `packets.resets` too; the rest is nobody else's business
    Packets packets
    Policy policy
    Concealment hiding
    Coder coder
    Comfort noise
    int rate
    bint own                    # the codec conceals by itself
    bint paused                 # the next packet waits for the target
    bint comforted              # the peer described its background
    int64_t end                 # time of the first sample that is not decoded yet
    int64_t still               # samples since the last voice
    int standing                # of these, concealed
    int sound
    int tail                    # what the last samples are
    double level                # power of speech
    int quiet                   # samples since the last speech
    int64_t judged
    int64_t waited              # least of the packets since then
    int64_t spare
    int hold                    # samples that are decoded before they are needed
    int first                   # of the line: the next to be played
    int count
    int16_t *line


cdef Playout *playout_open(int coder_kind, int rate) noexcept
cdef void playout_close(Playout *p) noexcept
cdef void playout_reset(Playout *p) noexcept nogil
cdef int playout_put(
    Playout *p, uint16_t sequence, uint32_t timestamp, bint marker, const uint8_t *payload, int size,
    bint comfort_noise, int64_t arrival_ns
) noexcept nogil
cdef int playout_pull(Playout *p, int16_t *pcm, int samples, int64_t now_ns) noexcept nogil
