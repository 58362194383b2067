"""G.711 tables for the engine; made once at import, read-only afterwards."""

from libc.stdint cimport int16_t, uint8_t

cdef struct G711:
    int16_t linear[2][256]    # decode: [law][code]
    uint8_t code[2][65536]    # encode: [law][sample + 32768]
    uint8_t other[2][256]     # [law] -> the other law

cdef enum:
    ULAW = 0
    ALAW = 1

cdef const G711 *g711_tables() noexcept nogil
