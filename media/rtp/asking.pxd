"""Feedback of who receives pictures, for the engine (RFC 4585, RFC 5104); reference: `media/rtp/feedback.py`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from media.rtp.header cimport get16, get32, put16, put32

cdef enum:
    TRANSPORT_FEEDBACK = 205
    PAYLOAD_FEEDBACK = 206
    LOST = 1                # NACK, of TRANSPORT_FEEDBACK
    PICTURE_LOST = 1        # PLI, of PAYLOAD_FEEDBACK
    WHOLE_PICTURE = 4       # FIR
    MAX_LOST = 16           # pairs of a NACK, which name 272 packets
    MAX_ASKED = 12 + 4 * MAX_LOST


cdef struct Asked:          # of us, in one compound packet
    bint picture
    int count
    uint16_t first[MAX_LOST]
    uint16_t others[MAX_LOST]   # bits of the 16 after it


cdef inline void read_lost(const uint8_t *p, int size, Asked *asked) noexcept nogil:
    cdef int at = 12
    while at + 4 <= size and asked.count < MAX_LOST:
        asked.first[asked.count] = get16(p + at)
        asked.others[asked.count] = get16(p + at + 2)
        asked.count += 1
        at += 4


cdef inline bint names(const uint8_t *p, int size, uint32_t own) noexcept nogil:
    """Whether a FIR is for us."""
    cdef int at = 12
    while at + 8 <= size:
        if get32(p + at) == own:
            return True
        at += 8
    return False


cdef inline bint read_asked(const uint8_t *p, int size, uint32_t own, Asked *asked) noexcept nogil:
    """One packet of a compound; False when it is too short."""
    cdef int form = p[0] & 0x1F
    if size < 12:
        return False
    if p[1] == TRANSPORT_FEEDBACK:
        if form == LOST and get32(p + 8) == own:
            read_lost(p, size, asked)
    elif form == PICTURE_LOST:
        asked.picture |= get32(p + 8) == own
    elif form == WHOLE_PICTURE:
        asked.picture |= names(p, size, own)
    return True


cdef inline int write_asked(uint8_t *p, int kind, int form, uint32_t ssrc, uint32_t of, int words) noexcept nogil:
    """The head of a feedback packet; `words` of it follow."""
    p[0] = <uint8_t>(0x80 | form)
    p[1] = <uint8_t>kind
    put16(p + 2, <uint16_t>(2 + words))
    put32(p + 4, ssrc)
    put32(p + 8, of)
    return 12


cdef inline int write_picture_lost(uint8_t *p, uint32_t ssrc, uint32_t of) noexcept nogil:
    return write_asked(p, PAYLOAD_FEEDBACK, PICTURE_LOST, ssrc, of, 0)


cdef inline int write_whole_picture(uint8_t *p, uint32_t ssrc, uint32_t of, uint8_t sequence) noexcept nogil:
    write_asked(p, PAYLOAD_FEEDBACK, WHOLE_PICTURE, ssrc, 0, 2)
    put32(p + 12, of)
    put32(p + 16, <uint32_t>sequence << 24)
    return 20


cdef inline int write_lost(uint8_t *p, uint32_t ssrc, uint32_t of, const Asked *asked) noexcept nogil:
    cdef int i, size = write_asked(p, TRANSPORT_FEEDBACK, LOST, ssrc, of, asked.count)
    for i in range(asked.count):
        put16(p + size, asked.first[i])
        put16(p + size + 2, asked.others[i])
        size += 4
    return size
