"""Opus (RFC 6716) through libopus, which is opened at run time and may be missing."""

from libc.stdint cimport int16_t, uint8_t

cdef struct OpusSettings:
    int bitrate                 # bit/s, 0: what suits the rate
    int max_rate                # Hz that the peer can play, 0: no limit
    int loss_percent
    int complexity              # 1 to 10, 0: the usual one
    bint fec
    bint dtx
    bint cbr


cdef bint opus_available() noexcept
cdef void *opus_new_encoder(int rate, const OpusSettings *settings) noexcept
cdef void *opus_new_decoder(int rate) noexcept
cdef void opus_free(void *encoder, void *decoder) noexcept
cdef int opus_samples(const uint8_t *payload, int length, int rate) noexcept nogil
cdef int opus_to_pcm(void *decoder, const uint8_t *payload, int length, int16_t *pcm, int room) noexcept nogil
cdef int opus_from_pcm(void *encoder, const int16_t *pcm, int samples, uint8_t *payload, int room) noexcept nogil
cdef int opus_conceal(void *decoder, const uint8_t *next, int length, int16_t *pcm, int samples) noexcept nogil
