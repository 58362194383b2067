"""The RTP header for the engine (RFC 3550 §5.1); reference: `media/rtp/packet.py`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from media.engine.reasons cimport BAD_LENGTH, BAD_VERSION, KEPT, TOO_SHORT

cdef enum:
    HEADER_SIZE = 12


cdef struct Header:
    uint32_t timestamp
    uint32_t ssrc
    uint16_t sequence
    uint8_t payload_type
    bint marker
    int offset   # where the payload begins, behind contributing sources and extension
    int length   # of the payload, without padding


cdef inline uint16_t get16(const uint8_t *p) noexcept nogil:
    return <uint16_t>((p[0] << 8) | p[1])


cdef inline uint32_t get32(const uint8_t *p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline void put16(uint8_t *p, uint16_t value) noexcept nogil:
    p[0] = <uint8_t>(value >> 8)
    p[1] = <uint8_t>value


cdef inline void put32(uint8_t *p, uint32_t value) noexcept nogil:
    put16(p, <uint16_t>(value >> 16))
    put16(p + 2, <uint16_t>value)


cdef inline int parse_header(const uint8_t *p, int size, Header *h) noexcept nogil:
    """KEPT with `h` filled, or why the packet is not RTP."""
    cdef int padding
    if size < HEADER_SIZE:
        return TOO_SHORT
    if p[0] >> 6 != 2:
        return BAD_VERSION
    h.marker = p[1] >> 7
    h.payload_type = p[1] & 0x7F
    h.sequence = get16(p + 2)
    h.timestamp = get32(p + 4)
    h.ssrc = get32(p + 8)
    h.offset = HEADER_SIZE + 4 * (p[0] & 0x0F)
    if p[0] & 0x10:
        if h.offset + 4 > size:
            return BAD_LENGTH
        h.offset += 4 + 4 * get16(p + h.offset + 2)
    h.length = size - h.offset
    if p[0] & 0x20:
        padding = p[size - 1]
        if padding == 0:
            return BAD_LENGTH
        h.length -= padding
    return KEPT if h.length >= 0 else BAD_LENGTH


cdef inline void build_header(
    uint8_t *p, uint8_t payload_type, bint marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc
) noexcept nogil:
    p[0] = 0x80
    p[1] = payload_type | (0x80 if marker else 0)
    put16(p + 2, sequence)
    put32(p + 4, timestamp)
    put32(p + 8, ssrc)
