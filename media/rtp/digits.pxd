"""Receiver of RFC 4733 events for the engine; reference and explanation: `media/rtp/telephone_event.py`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

from media.rtp.header cimport get16

cdef enum:
    GONE_NS = 200000000
    FORGET_NS = 2000000000
    SEGMENT = 0xFFFF


cdef struct DigitReceiver:
    bint seen
    bint open
    uint8_t event
    uint32_t timestamp   # of the current segment
    uint32_t base        # duration of the segments before it
    uint32_t duration    # of the current segment
    int64_t heard_ns


cdef struct Digit:
    uint8_t event
    uint32_t duration


cdef inline int digit_close(DigitReceiver *r, Digit *out) noexcept nogil:
    if not r.open:
        return 0
    r.open = False
    out.event = r.event
    out.duration = r.base + r.duration
    return 1


cdef inline int digit_packet(
    DigitReceiver *r, const uint8_t *payload, int length, uint32_t timestamp, int64_t now_ns, Digit *out
) noexcept nogil:
    """How many digits ended (at most two, written to `out`); -1 for a malformed event."""
    cdef int count = 0
    cdef int32_t delta = <int32_t>(timestamp - r.timestamp)
    cdef uint8_t event
    cdef bint end
    cdef uint32_t duration
    if length < 4:
        return -1
    event = payload[0]
    end = payload[1] >> 7
    duration = get16(payload + 2)
    if r.seen and now_ns - r.heard_ns < FORGET_NS:
        if delta < 0:
            return 0
        if delta == 0 and (not r.open or event != r.event):
            return 0
    elif r.seen and delta == 0 and not r.open:
        return 0
    if not r.seen or delta != 0:
        if r.seen and r.open and event == r.event and delta == SEGMENT:
            r.base += SEGMENT
        else:
            count = digit_close(r, out)
            r.base = 0
            r.event = event
            r.open = True
            r.seen = True
        r.timestamp = timestamp
        r.duration = 0
    r.heard_ns = now_ns
    if duration > r.duration:
        r.duration = duration
    if end:
        count += digit_close(r, out + count)
    return count


cdef inline int digit_timeout(DigitReceiver *r, int64_t now_ns, Digit *out) noexcept nogil:
    """1 when the open event ended without an end packet."""
    return digit_close(r, out) if r.open and now_ns - r.heard_ns >= GONE_NS else 0
