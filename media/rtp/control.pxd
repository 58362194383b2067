"""RTCP for the engine (RFC 3550 §6): writing reports, reading those of the peer. Reference: `media/rtp/rtcp.py`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from media.rtp.asking cimport PAYLOAD_FEEDBACK, TRANSPORT_FEEDBACK, Asked, read_asked
from media.rtp.extended cimport EXTENDED_REPORT, Metrics, read_extended
from media.rtp.header cimport get16, get32, put16, put32

cdef enum:
    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    DESCRIPTION = 202
    GOODBYE = 203
    CNAME_SIZE = 16       # RFC 7022: 96 random bits in base 64


cdef struct SenderInfo:
    uint64_t ntp
    uint32_t timestamp
    uint32_t packets
    uint32_t octets


cdef struct Block:
    uint32_t ssrc
    uint8_t fraction
    int32_t lost
    uint32_t highest
    uint32_t jitter
    uint32_t last_report    # middle 32 bits of the NTP time of the last SR
    uint32_t delay          # since then, 1/65536 s


cdef struct Received:
    # What a compound packet said: about its sender, and about us.
    uint32_t ssrc
    bint has_sender
    uint32_t last_report
    bint has_block
    Block block
    bint has_metrics
    Metrics metrics
    Asked asked
    bint goodbye


cdef inline int write_block(uint8_t *p, const Block *b) noexcept nogil:
    put32(p, b.ssrc)
    put32(p + 4, <uint32_t>b.lost & 0xFFFFFF)
    p[4] = b.fraction
    put32(p + 8, b.highest)
    put32(p + 12, b.jitter)
    put32(p + 16, b.last_report)
    put32(p + 20, b.delay)
    return 24


cdef inline int write_report(uint8_t *p, uint32_t ssrc, const SenderInfo *sender, const Block *block) noexcept nogil:
    """SR when `sender` is given, else RR; with one block or none. Returns its size."""
    cdef int size = 8
    p[0] = 0x81 if block != NULL else 0x80
    p[1] = SENDER_REPORT if sender != NULL else RECEIVER_REPORT
    put32(p + 4, ssrc)
    if sender != NULL:
        put32(p + 8, <uint32_t>(sender.ntp >> 32))
        put32(p + 12, <uint32_t>sender.ntp)
        put32(p + 16, sender.timestamp)
        put32(p + 20, sender.packets)
        put32(p + 24, sender.octets)
        size = 28
    if block != NULL:
        size += write_block(p + size, block)
    put16(p + 2, <uint16_t>(size // 4 - 1))
    return size


cdef inline int write_description(uint8_t *p, uint32_t ssrc, const uint8_t *cname) noexcept nogil:
    """SDES with CNAME; the item list ends with zeros up to the next word."""
    p[0] = 0x81
    p[1] = DESCRIPTION
    put16(p + 2, 6)
    put32(p + 4, ssrc)
    p[8] = 1
    p[9] = CNAME_SIZE
    memcpy(p + 10, cname, CNAME_SIZE)
    p[26] = 0
    p[27] = 0
    return 28


cdef inline int write_goodbye(uint8_t *p, uint32_t ssrc) noexcept nogil:
    p[0] = 0x81
    p[1] = GOODBYE
    put16(p + 2, 1)
    put32(p + 4, ssrc)
    return 8


cdef inline void read_block(const uint8_t *p, Received *result) noexcept nogil:
    result.has_block = True
    result.block.ssrc = get32(p)
    result.block.fraction = p[4]
    result.block.lost = (<int32_t>(get32(p + 4) << 8)) >> 8
    result.block.highest = get32(p + 8)
    result.block.jitter = get32(p + 12)
    result.block.last_report = get32(p + 16)
    result.block.delay = get32(p + 20)


cdef inline bint read_blocks(const uint8_t *p, int size, int at, uint32_t own, Received *result) noexcept nogil:
    cdef int i, count = p[0] & 0x1F
    if at + 24 * count > size:
        return False
    for i in range(count):
        if get32(p + at + 24 * i) == own:
            read_block(p + at + 24 * i, result)
    return True


cdef inline bint read_one(const uint8_t *p, int size, uint32_t own, Received *result) noexcept nogil:
    """One packet of a compound; unknown types are skipped."""
    cdef int i
    if p[1] == SENDER_REPORT:
        if size < 28:
            return False
        result.ssrc = get32(p + 4)
        result.has_sender = True
        result.last_report = (<uint32_t>get16(p + 10) << 16) | get16(p + 12)
        return read_blocks(p, size, 28, own, result)
    if p[1] == RECEIVER_REPORT:
        if size < 8:
            return False
        result.ssrc = get32(p + 4)
        return read_blocks(p, size, 8, own, result)
    if p[1] == TRANSPORT_FEEDBACK or p[1] == PAYLOAD_FEEDBACK:
        return read_asked(p, size, own, &result.asked)
    if p[1] == EXTENDED_REPORT:
        return read_extended(p, size, own, &result.metrics, &result.has_metrics)
    if p[1] == GOODBYE:
        if 4 + 4 * (p[0] & 0x1F) > size:
            return False
        for i in range(p[0] & 0x1F):
            if get32(p + 4 + 4 * i) == result.ssrc:
                result.goodbye = True
    return True


cdef inline bint read_compound(const uint8_t *p, int size, uint32_t own, Received *result) noexcept nogil:
    """False unless the whole is a valid compound packet (RFC 3550 appendix A.2); `own` is our SSRC."""
    cdef int length
    result.has_sender = False
    result.has_block = False
    result.has_metrics = False
    result.asked.picture = False
    result.asked.count = 0
    result.goodbye = False
    result.ssrc = 0
    if size < 8 or p[0] & 0x20 or p[1] not in (SENDER_REPORT, RECEIVER_REPORT):
        return False
    while size > 0:
        if size < 4 or p[0] >> 6 != 2:
            return False
        length = 4 * (get16(p + 2) + 1)
        if length > size or not read_one(p, length, own, result):
            return False
        p += length
        size -= length
    return True


cdef inline int64_t round_trip(uint32_t now, const Block *block) noexcept nogil:
    """In 1/65536 s (RFC 3550 §6.4.1); -1 when the peer has not seen a sender report of ours or contradicts itself."""
    cdef int32_t trip
    if block.last_report == 0:
        return -1
    trip = <int32_t>(now - block.last_report - block.delay)
    return trip if trip >= 0 else -1
