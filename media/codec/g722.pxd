"""G.722 at 64 kbit/s for the engine: an octet holds two samples of 16 kHz (RFC 3551 §4.5.2)."""

from libc.stdint cimport int16_t, int32_t, uint8_t

cdef enum:
    QMF_LINE = 24
    QMF_HALF = 12


cdef struct Band:
    int32_t scale               # DETL, DETH
    int32_t log_scale           # NBL, NBH
    int32_t predicted
    int32_t zeros               # the part of the prediction that the six zeros make
    int32_t a[2]
    int32_t b[6]
    int32_t d[6]                # newest first
    int32_t r[2]
    int32_t p[2]


cdef struct G722:               # one direction
    Band low
    Band high
    int16_t line[QMF_LINE]


cdef void g722_reset(G722 *state) noexcept nogil
cdef int g722_encode(G722 *state, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil
cdef int g722_decode(G722 *state, const uint8_t *payload, int length, int16_t *pcm) noexcept nogil
