"""What one endpoint sends, as one uninterrupted RTP stream whatever feeds it.

A feed is a relayed source (an endpoint and its SSRC), a player or a digit. While one feed lasts, its sequence numbers and timestamps
are shifted by constants, so gaps and reordering stay visible to the receiver. When the feed changes, or jumps, the
constants are chosen again: the sequence goes on with the next number, the timestamp by the time that has passed, the
marker bit is set, and our SSRC stays. Reference: `media/rtp/continuity.py`.
"""

from libc.stdint cimport int16_t, int64_t, uint16_t, uint32_t, uint64_t

cdef enum:
    JUMP_AHEAD = 3000     # RFC 3550 appendix A.1: a source that jumps further has restarted
    JUMP_BACK = 100


cdef struct Outgoing:
    bint started
    uint32_t ssrc
    uint16_t sequence        # highest sent
    uint32_t timestamp       # of that packet
    int64_t sent_ns          # when
    uint32_t rate            # of its clock
    uint64_t feed
    uint16_t sequence_shift
    uint32_t timestamp_shift
    uint16_t first_sequence  # of this feed
    uint32_t feed_packets
    uint64_t packets
    uint64_t octets
    uint64_t packets_before  # under another SSRC
    uint64_t octets_before


cdef struct Stamp:
    uint16_t sequence
    uint32_t timestamp
    bint marker


cdef inline bint outgoing_jumped(const Outgoing *out, uint16_t sequence) noexcept nogil:
    cdef int16_t step = <int16_t>(<uint16_t>(sequence + out.sequence_shift) - out.sequence)
    return step > JUMP_AHEAD or step < -JUMP_BACK


cdef inline void outgoing_anchor(
    Outgoing *out, uint64_t feed, uint16_t sequence, uint32_t timestamp, uint32_t rate, int64_t now_ns
) noexcept nogil:
    """Choose the shifts so that this packet follows what was sent last, one packet time later at least."""
    cdef int64_t passed = 0
    cdef uint32_t next_timestamp = out.timestamp
    if out.started:
        passed = (now_ns - out.sent_ns) // 1000 * rate // 1000000
        if passed < rate // 50:
            passed = rate // 50
    next_timestamp += <uint32_t>passed
    out.feed = feed
    out.sequence_shift = <uint16_t>(out.sequence + 1 - sequence)
    out.timestamp_shift = next_timestamp - timestamp
    out.first_sequence = <uint16_t>(out.sequence + 1)
    out.feed_packets = 0


cdef inline bint outgoing_stamp(
    Outgoing *out, uint64_t feed, uint16_t sequence, uint32_t timestamp, uint32_t rate, int64_t now_ns, Stamp *stamp
) noexcept nogil:
    """Renumber one packet of `feed`. False for a packet from before the switch to it, which must not be sent."""
    stamp.marker = False
    if not out.started or out.feed != feed or outgoing_jumped(out, sequence):
        outgoing_anchor(out, feed, sequence, timestamp, rate, now_ns)
        stamp.marker = True
    stamp.sequence = <uint16_t>(sequence + out.sequence_shift)
    stamp.timestamp = timestamp + out.timestamp_shift
    if out.feed_packets <= JUMP_BACK and <int16_t>(stamp.sequence - out.first_sequence) < 0:
        return False
    if stamp.marker or <int16_t>(stamp.sequence - out.sequence) > 0:
        out.sequence = stamp.sequence
        out.timestamp = stamp.timestamp
        out.sent_ns = now_ns
        out.rate = rate
    out.started = True
    out.feed_packets += 1
    return True
