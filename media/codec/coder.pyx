# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Every codec behind one set of functions; the codecs themselves have modules of their own."""

from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memset

from media.codec.g711 cimport ALAW, ULAW, g711_tables


cdef bint coder_available(int kind) noexcept:
    """Can `coder_open` make one? Some codecs are libraries that may be missing."""
    return kind in (CODER_PCMU, CODER_PCMA, CODER_L16)


cdef bint rate_fits(int kind, int rate) noexcept:
    if kind in (CODER_PCMU, CODER_PCMA):
        return rate == 8000
    return kind == CODER_L16 and rate in (8000, 16000, 24000, 48000)


cdef bint coder_open(Coder *coder, int kind, int rate, const CoderOptions *options) noexcept:
    """Make `coder` ready at the PCM rate `rate`; False when it cannot be done (no such rate, no library).

    `options` may be NULL.
    """
    memset(coder, 0, sizeof(Coder))
    if not coder_available(kind) or not rate_fits(kind, rate):
        return False
    coder.kind, coder.rate, coder.clock_rate, coder.channels = kind, rate, rate, 1
    return True


cdef void coder_close(Coder *coder) noexcept:
    """Give back what `coder_open` took; harmless for what was never opened."""
    memset(coder, 0, sizeof(Coder))


cdef int decode_law(int law, const uint8_t *payload, int length, int16_t *pcm) noexcept nogil:
    cdef const int16_t *linear = g711_tables().linear[law]
    cdef int i
    for i in range(length):
        pcm[i] = linear[payload[i]]
    return length


cdef int encode_law(int law, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil:
    cdef const uint8_t *code = g711_tables().code[law]
    cdef int i
    for i in range(samples):
        payload[i] = code[pcm[i] + 32768]
    return samples


cdef int decode_l16(const uint8_t *payload, int samples, int16_t *pcm) noexcept nogil:
    """RFC 3551 §4.5.11: network byte order."""
    cdef int i
    for i in range(samples):
        pcm[i] = <int16_t>((payload[2 * i] << 8) | payload[2 * i + 1])
    return samples


cdef int encode_l16(const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil:
    cdef int i
    for i in range(samples):
        payload[2 * i] = <uint8_t>((pcm[i] >> 8) & 0xFF)
        payload[2 * i + 1] = <uint8_t>(pcm[i] & 0xFF)
    return 2 * samples


cdef int coder_duration(const Coder *coder, const uint8_t *payload, int length) noexcept nogil:
    """Samples that a payload holds, at the coder's rate; -1 when it is no payload of this codec."""
    if length <= 0:
        return -1
    if coder.kind == CODER_PCMU or coder.kind == CODER_PCMA:
        return length
    if coder.kind == CODER_L16:
        return length // 2 if length % 2 == 0 else -1
    return -1


cdef int coder_decode(Coder *coder, const uint8_t *payload, int length, int16_t *pcm, int room) noexcept nogil:
    """Samples written to `pcm`, -1 for what cannot be decoded or needs more than `room` samples."""
    cdef int samples = coder_duration(coder, payload, length)
    if samples <= 0 or samples > room:
        return -1
    if coder.kind == CODER_PCMU:
        return decode_law(ULAW, payload, length, pcm)
    if coder.kind == CODER_PCMA:
        return decode_law(ALAW, payload, length, pcm)
    return decode_l16(payload, samples, pcm)


cdef int coder_encode(Coder *coder, const int16_t *pcm, int samples, uint8_t *payload, int room) noexcept nogil:
    """Octets written to `payload`; 0 when nothing is to be sent (or `room` octets do not hold it)."""
    if samples <= 0 or samples * (2 if coder.kind == CODER_L16 else 1) > room:
        return 0
    if coder.kind == CODER_PCMU:
        return encode_law(ULAW, pcm, samples, payload)
    if coder.kind == CODER_PCMA:
        return encode_law(ALAW, pcm, samples, payload)
    if coder.kind == CODER_L16:
        return encode_l16(pcm, samples, payload)
    return 0


cdef int coder_recover(Coder *coder, const uint8_t *next, int length, int16_t *pcm, int samples) noexcept nogil:
    """The codec's own substitute for `samples` lost samples before the payload `next` (NULL: not here yet).

    Samples written; 0 when the codec has no concealment of its own.
    """
    return 0


KINDS = {"PCMU": CODER_PCMU, "PCMA": CODER_PCMA, "L16": CODER_L16}


cdef class Codec:
    """One coder for Python: tests, measurements, conversion of files. The engine uses the struct."""

    cdef Coder coder

    def __init__(self, str name not None, int rate):
        if not coder_open(&self.coder, KINDS.get(name.upper(), CODER_NONE), rate, NULL):
            raise ValueError(f"{name} cannot be opened at {rate} Hz.")

    def __dealloc__(self):
        coder_close(&self.coder)

    @property
    def rate(self):
        return self.coder.rate

    @property
    def clock_rate(self):
        return self.coder.clock_rate

    def duration(self, const uint8_t[::1] payload not None):
        """Samples that a payload holds; None for what is none."""
        cdef int found = coder_duration(&self.coder, &payload[0] if payload.shape[0] else NULL, <int>payload.shape[0])
        return None if found < 0 else found

    def decode(self, const uint8_t[::1] payload not None, int room=MAX_FRAME_SAMPLES):
        """16-bit samples in native order; None for what cannot be decoded into `room` samples."""
        cdef bytearray out = bytearray(2 * room)
        cdef int16_t *pcm = <int16_t *><char *>out
        cdef const uint8_t *data = &payload[0] if payload.shape[0] else NULL
        cdef int length = <int>payload.shape[0]
        cdef int found
        with nogil:
            found = coder_decode(&self.coder, data, length, pcm, room)
        return None if found < 0 else bytes(out[: 2 * found])

    def encode(self, const int16_t[::1] samples not None, int room=11520):
        """The payload, empty when there is nothing to send."""
        cdef bytearray out = bytearray(room)
        cdef uint8_t *data = <uint8_t *><char *>out
        cdef const int16_t *pcm = &samples[0] if samples.shape[0] else NULL
        cdef int count = <int>samples.shape[0]
        cdef int found
        with nogil:
            found = coder_encode(&self.coder, pcm, count, data, room)
        return bytes(out[:found])

    def recover(self, int samples, const uint8_t[::1] following=None):
        """The codec's own substitute for lost samples; None when it has none."""
        cdef bytearray out = bytearray(2 * samples)
        cdef const uint8_t *data = &following[0] if following is not None and following.shape[0] else NULL
        cdef int length = <int>following.shape[0] if following is not None else 0
        cdef int found = coder_recover(&self.coder, data, length, <int16_t *><char *>out, samples)
        return bytes(out[: 2 * found]) if found > 0 else None
