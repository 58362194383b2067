# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""G.711 (ITU-T G.711): tables for both laws, and whole buffers for players. Reference: `media/codec/g711_ref.py`."""

from libc.stdint cimport int16_t, uint8_t

cdef G711 tables


cdef int16_t ulaw_to_linear(uint8_t code) noexcept nogil:
    cdef int magnitude
    code = ~code
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return <int16_t>(-magnitude if code & 0x80 else magnitude)


cdef int16_t alaw_to_linear(uint8_t code) noexcept nogil:
    cdef int segment, magnitude
    code ^= 0x55
    segment = (code >> 4) & 7
    magnitude = ((code & 0x0F) << 4) + 8
    if segment:
        magnitude = (magnitude + 0x100) << (segment - 1)
    return <int16_t>(magnitude if code & 0x80 else -magnitude)


cdef int segment_of(int magnitude) noexcept nogil:
    """The segment whose range holds a magnitude of 15 bits: 0 below 256, then one for each doubling."""
    cdef int segment = 0
    magnitude >>= 8
    while magnitude:
        magnitude >>= 1
        segment += 1
    return segment


cdef uint8_t linear_to_ulaw(int sample) noexcept nogil:
    cdef int magnitude = -sample if sample < 0 else sample
    cdef int segment
    magnitude = (32635 if magnitude > 32635 else magnitude) + 0x84
    segment = segment_of(magnitude)
    return <uint8_t>~((0x80 if sample < 0 else 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F))


cdef uint8_t linear_to_alaw(int sample) noexcept nogil:
    cdef int magnitude = -sample - 1 if sample < 0 else sample
    cdef int segment = segment_of(magnitude)
    cdef int mantissa = (magnitude >> (segment + 3 if segment else 4)) & 0x0F
    return <uint8_t>(((0 if sample < 0 else 0x80) | (segment << 4) | mantissa) ^ 0x55)


cdef void make_tables() noexcept nogil:
    cdef int i
    for i in range(256):
        tables.linear[ULAW][i] = ulaw_to_linear(<uint8_t>i)
        tables.linear[ALAW][i] = alaw_to_linear(<uint8_t>i)
    for i in range(65536):
        tables.code[ULAW][i] = linear_to_ulaw(i - 32768)
        tables.code[ALAW][i] = linear_to_alaw(i - 32768)
    for i in range(256):
        tables.other[ULAW][i] = tables.code[ALAW][tables.linear[ULAW][i] + 32768]
        tables.other[ALAW][i] = tables.code[ULAW][tables.linear[ALAW][i] + 32768]


cdef const G711 *g711_tables() noexcept nogil:
    return &tables


make_tables()


cdef bytes _encode(const int16_t[::1] samples, int law):
    cdef Py_ssize_t i
    cdef bytearray out = bytearray(samples.shape[0])
    cdef uint8_t[::1] view = out
    for i in range(samples.shape[0]):
        view[i] = tables.code[law][samples[i] + 32768]
    return bytes(out)


cdef bytes _decode(const uint8_t[::1] codes, int law):
    cdef Py_ssize_t i
    cdef bytearray out = bytearray(2 * codes.shape[0])
    cdef int16_t *samples = <int16_t *><char *>out
    for i in range(codes.shape[0]):
        samples[i] = tables.linear[law][codes[i]]
    return bytes(out)


def encode_ulaw(samples):
    return _encode(samples, ULAW)


def encode_alaw(samples):
    return _encode(samples, ALAW)


def decode_ulaw(codes):
    return _decode(codes, ULAW)


def decode_alaw(codes):
    return _decode(codes, ALAW)


def ulaw_to_alaw(codes):
    return bytes([tables.other[ULAW][code] for code in codes])


def alaw_to_ulaw(codes):
    return bytes([tables.other[ALAW][code] for code in codes])
