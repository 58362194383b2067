# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Every codec behind one set of functions; the codecs themselves have modules of their own."""

from libc.stdint cimport int16_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from media.codec.g711 cimport ALAW, ULAW, g711_tables
from media.codec.g722 cimport G722, g722_decode, g722_encode, g722_reset
from media.codec.g729 cimport (
    G729_OCTETS, G729_SAMPLES, g729_available, g729_conceal, g729_free, g729_from_pcm, g729_new_decoder,
    g729_new_encoder, g729_samples, g729_to_pcm,
)
from media.codec.opus cimport (
    OpusSettings, opus_available, opus_conceal, opus_free, opus_from_pcm, opus_new_decoder, opus_new_encoder,
    opus_samples, opus_to_pcm,
)

cdef OpusSettings USUAL
memset(&USUAL, 0, sizeof(OpusSettings))


cdef bint coder_available(int kind) noexcept:
    """Can `coder_open` make one? Some codecs are libraries that may be missing."""
    if kind == CODER_OPUS:
        return opus_available()
    if kind == CODER_G729:
        return g729_available()
    return CODER_PCMU <= kind <= CODER_G722


cdef bint rate_fits(int kind, int rate) noexcept:
    if kind == CODER_L16:
        return rate in (8000, 16000, 24000, 48000)
    if kind == CODER_OPUS:
        return rate in (8000, 16000, 24000, 48000)
    return rate == (16000 if kind == CODER_G722 else 8000)


cdef int clock_of(int kind, int rate) noexcept:
    """RFC 3551 §4.5.2: the clock of G.722 is half its rate, by an old mistake. RFC 7587 §4.1: that of Opus is fixed."""
    return 8000 if kind == CODER_G722 else 48000 if kind == CODER_OPUS else rate


cdef bint coder_open(Coder *coder, int kind, int rate, const OpusSettings *settings) noexcept:
    """Make `coder` ready at the PCM rate `rate`; False when it cannot be done (no such rate, no library, no memory).

    `settings` are looked at by Opus only and may be NULL.
    """
    if not coder_open_decoder(coder, kind, rate):
        return False
    if kind == CODER_G722:
        coder.encoder = new_g722()
    elif kind == CODER_OPUS:
        coder.encoder = opus_new_encoder(rate, settings if settings != NULL else &USUAL)
    elif kind == CODER_G729:
        coder.encoder = g729_new_encoder()
    else:
        return True
    if coder.encoder == NULL:
        coder_close(coder)
        return False
    return True


cdef bint coder_open_decoder(Coder *coder, int kind, int rate) noexcept:
    """The same for what only decodes: an encoder is the larger part of the memory."""
    memset(coder, 0, sizeof(Coder))
    if not coder_available(kind) or not rate_fits(kind, rate):
        return False
    coder.kind, coder.rate, coder.clock_rate = kind, rate, clock_of(kind, rate)
    coder.channels = 2 if kind == CODER_OPUS else 1
    if kind == CODER_G722:
        coder.decoder = new_g722()
    elif kind == CODER_OPUS:
        coder.decoder = opus_new_decoder(rate)
    elif kind == CODER_G729:
        coder.decoder = g729_new_decoder()
    else:
        return True
    if coder.decoder == NULL:
        coder_close(coder)
        return False
    return True


cdef void *new_g722() noexcept:
    cdef G722 *state = <G722 *>calloc(1, sizeof(G722))
    if state != NULL:
        g722_reset(state)
    return state


cdef void coder_close(Coder *coder) noexcept:
    """Give back what `coder_open` took; harmless for what was never opened, or is closed."""
    if coder.kind == CODER_OPUS:
        opus_free(coder.encoder, coder.decoder)
    elif coder.kind == CODER_G729:
        g729_free(coder.encoder, coder.decoder)
    else:
        free(coder.encoder)
        free(coder.decoder)
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
    if coder.kind == CODER_G722:
        return 2 * length
    if coder.kind == CODER_OPUS:
        return opus_samples(payload, length, coder.rate)
    return g729_samples(length) if coder.kind == CODER_G729 else -1


cdef int coder_decode(Coder *coder, const uint8_t *payload, int length, int16_t *pcm, int room) noexcept nogil:
    """Samples written to `pcm`, -1 for what cannot be decoded or needs more than `room` samples."""
    cdef int samples = coder_duration(coder, payload, length)
    if samples <= 0 or samples > room:
        return -1
    if coder.kind == CODER_PCMU:
        return decode_law(ULAW, payload, length, pcm)
    if coder.kind == CODER_PCMA:
        return decode_law(ALAW, payload, length, pcm)
    if coder.kind == CODER_G722:
        return g722_decode(<G722 *>coder.decoder, payload, length, pcm)
    if coder.kind == CODER_OPUS:
        return opus_to_pcm(coder.decoder, payload, length, pcm, room)
    if coder.kind == CODER_G729:
        return g729_to_pcm(coder.decoder, payload, length, pcm)
    return decode_l16(payload, samples, pcm)


cdef inline int most_octets(const Coder *coder, int samples) noexcept nogil:
    """What `samples` can become in a codec of a fixed rate."""
    if coder.kind == CODER_L16:
        return 2 * samples
    if coder.kind == CODER_G722:
        return samples // 2
    return samples // G729_SAMPLES * G729_OCTETS if coder.kind == CODER_G729 else samples


cdef int coder_encode(Coder *coder, const int16_t *pcm, int samples, uint8_t *payload, int room) noexcept nogil:
    """Octets written to `payload`; 0 when nothing is to be sent (or `room` octets do not hold it).

    Opus takes 10, 20, 40 or 60 ms at once, G.729 whole 10 ms; the others any time.
    """
    if samples <= 0:
        return 0
    if coder.kind == CODER_OPUS:
        return opus_from_pcm(coder.encoder, pcm, samples, payload, room)
    if most_octets(coder, samples) > room:
        return 0
    if coder.kind == CODER_PCMU:
        return encode_law(ULAW, pcm, samples, payload)
    if coder.kind == CODER_PCMA:
        return encode_law(ALAW, pcm, samples, payload)
    if coder.kind == CODER_G722:
        return g722_encode(<G722 *>coder.encoder, pcm, samples, payload)
    if coder.kind == CODER_L16:
        return encode_l16(pcm, samples, payload)
    return g729_from_pcm(coder.encoder, pcm, samples, payload) if coder.kind == CODER_G729 else 0


cdef int coder_recover(Coder *coder, const uint8_t *next, int length, int16_t *pcm, int samples) noexcept nogil:
    """The codec's own substitute for `samples` lost samples before the payload `next` (NULL: not here yet).

    Samples written; 0 when the codec has no concealment of its own. `next` is decoded afterwards as usual.
    """
    if coder.kind == CODER_OPUS:
        return opus_conceal(coder.decoder, next, length, pcm, samples)
    return g729_conceal(coder.decoder, pcm, samples) if coder.kind == CODER_G729 else 0


KINDS = {
    "PCMU": CODER_PCMU, "PCMA": CODER_PCMA, "L16": CODER_L16,
    "G722": CODER_G722, "OPUS": CODER_OPUS, "G729": CODER_G729,
}


def available(str name not None):
    """Can the encoding be converted on this machine?"""
    return coder_available(KINDS.get(name.upper(), CODER_NONE))


cdef class Codec:
    """One coder for Python: tests, measurements, conversion of files. The engine uses the struct."""

    cdef Coder coder

    def __init__(
        self, str name not None, int rate, *, int bitrate=0, int max_rate=0, int loss_percent=0, int complexity=0,
        bint fec=False, bint dtx=False, bint cbr=False,
    ):
        cdef OpusSettings settings = OpusSettings(bitrate, max_rate, loss_percent, complexity, fec, dtx, cbr)
        coder_close(&self.coder)
        if not coder_open(&self.coder, KINDS.get(name.upper(), CODER_NONE), rate, &settings):
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
