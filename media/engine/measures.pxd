"""What is measured of one endpoint's streams: sums, and a record for each five seconds of the last hour.

The engine thread writes; the control thread may read at any time, because a chunk of records stays where it is until
the slot is freed and counts only when it is complete.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media.rtp.bursts cimport Bursts
from media.rtp.extended cimport Metrics

cdef enum:
    CHUNK = 60              # records: five minutes
    CHUNKS = 12
    NOT_KNOWN = 0xFFFF


cdef packed struct Interval:        # `media/intervals.py` reads it
    uint16_t received
    uint16_t sent
    uint16_t lost
    uint16_t jitter             # 1/10 ms
    uint16_t trip_ms
    uint16_t mos                # 1/1000
    uint16_t remote_loss        # 1/100 %
    uint16_t remote_jitter      # 1/10 ms
    uint16_t remote_mos         # 1/1000


cdef struct Measures:
    Bursts bursts
    Interval *chunks[CHUNKS]
    uint32_t count              # records since the beginning; the oldest are overwritten
    int64_t due_ns              # end of the interval; 0: there was no packet yet
    uint64_t received_before    # the sums of before it
    uint64_t sent_before
    uint32_t came_before
    uint32_t lost_before
    uint32_t runs_before
    uint32_t intervals          # with sound from the peer
    double delay_ms             # sum over these
    double jitter_ms
    double worst_mos
    # of the jitter buffer, while there is one
    uint64_t late_before        # packets that were late for it, at the last look
    uint32_t late               # since the beginning
    uint64_t missing_before     # packets that were missing when it was their turn, in the same way
    uint32_t missing
    uint32_t network_before     # packets that were lost on the way, in the same way
    uint32_t network
    uint32_t discarded_then     # at the end of the last record
    uint32_t looks              # at its delay, since the last record
    uint32_t looks_ms           # sum of what was seen
    uint32_t buffered           # records with a look
    double buffer_ms            # sum over these
    int buffer_most_ms
    # what the peer reports of us
    bint has_remote             # since the last record
    bint has_metrics            # ever
    uint8_t remote_fraction
    uint32_t remote_jitter      # in the units of our clock
    Metrics metrics
    uint32_t remotes            # records with a report
    double remote_loss          # sums over these
    double remote_jitter_ms
    double remote_mos
