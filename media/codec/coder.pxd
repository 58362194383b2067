"""One voice codec of a leg as the engine sees it: PCM of 16 bits, mono, at `rate` on this side, payloads on the other.

`coder_open` and `coder_close` belong to the control thread (they allocate); everything else is the engine thread's.
"""

from libc.stdint cimport int16_t, uint8_t

from media.codec.opus cimport OpusSettings

cdef enum:
    MAX_FRAME_SAMPLES = 5760    # 120 ms at 48 kHz: no payload is decoded to more


cdef enum CoderKind:
    CODER_NONE = 0
    CODER_PCMU
    CODER_PCMA
    CODER_L16
    CODER_G722
    CODER_OPUS
    CODER_G729


cdef struct Coder:
    int kind
    int rate                    # Hz, of PCM
    int clock_rate              # Hz, of RTP timestamps
    int channels                # as in the rtpmap; PCM is mono always
    void *encoder
    void *decoder


cdef bint coder_available(int kind) noexcept
cdef bint coder_open(Coder *coder, int kind, int rate, const OpusSettings *settings) noexcept
cdef bint coder_open_decoder(Coder *coder, int kind, int rate) noexcept
cdef void coder_close(Coder *coder) noexcept
cdef int coder_decode(Coder *coder, const uint8_t *payload, int length, int16_t *pcm, int room) noexcept nogil
cdef int coder_encode(Coder *coder, const int16_t *pcm, int samples, uint8_t *payload, int room) noexcept nogil
cdef int coder_recover(Coder *coder, const uint8_t *next, int length, int16_t *pcm, int samples) noexcept nogil
cdef int coder_duration(const Coder *coder, const uint8_t *payload, int length) noexcept nogil
