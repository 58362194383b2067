"""G.729 through libbcg729, which is opened at run time and may be missing."""

from libc.stdint cimport int16_t, uint8_t

cdef enum:
    G729_SAMPLES = 80       # of a frame
    G729_OCTETS = 10
    G729_SID = 2            # a silence descriptor (annex B)


cdef bint g729_available() noexcept
cdef void *g729_new_encoder() noexcept
cdef void *g729_new_decoder() noexcept
cdef void g729_free(void *encoder, void *decoder) noexcept
cdef int g729_samples(int length) noexcept nogil
cdef int g729_to_pcm(void *decoder, const uint8_t *payload, int length, int16_t *pcm) noexcept nogil
cdef int g729_from_pcm(void *encoder, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil
cdef int g729_conceal(void *decoder, int16_t *pcm, int samples) noexcept nogil
