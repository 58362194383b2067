# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""libbcg729 by its C functions, called without the interpreter. Payloads: RFC 3551 §4.5.6."""

from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memcpy, memset

from media.codec.dynamic cimport find_functions, first_library
from media.codec.libraries import g729_files

ctypedef void *(*NewEncoder)(uint8_t vad) noexcept nogil
ctypedef void *(*NewDecoder)() noexcept nogil
ctypedef void (*Close)(void *state) noexcept nogil
ctypedef void (*Encode)(void *state, const int16_t *pcm, uint8_t *frame, uint8_t *length) noexcept nogil
ctypedef void (*Decode)(
    void *state, const uint8_t *frame, uint8_t length, uint8_t erased, uint8_t sid, uint8_t rfc3389, int16_t *pcm
) noexcept nogil

NAMES = [
    "initBcg729EncoderChannel", "initBcg729DecoderChannel", "closeBcg729EncoderChannel", "closeBcg729DecoderChannel",
    "bcg729Encoder", "bcg729Decoder",
]

cdef void *functions[6]
cdef bint tried = False
cdef bint loaded = False


cdef bint g729_available() noexcept:
    """Open the library when that has not been tried yet."""
    global tried, loaded
    cdef void *library
    if not tried:
        tried = True
        library = first_library(g729_files())
        loaded = library != NULL and find_functions(library, NAMES, functions)
    return loaded


cdef void *g729_new_encoder() noexcept:
    """Without voice activity detection: annexb=no is what we negotiate."""
    return (<NewEncoder>functions[0])(0)


cdef void *g729_new_decoder() noexcept:
    return (<NewDecoder>functions[1])()


cdef void g729_free(void *encoder, void *decoder) noexcept:
    if encoder != NULL:
        (<Close>functions[2])(encoder)
    if decoder != NULL:
        (<Close>functions[3])(decoder)


cdef int g729_samples(int length) noexcept nogil:
    """Frames of 10 octets, the last one perhaps a silence descriptor of two; -1 for anything else."""
    cdef int rest = length % G729_OCTETS
    if rest != 0 and rest != G729_SID:
        return -1
    return G729_SAMPLES * (length // G729_OCTETS + (rest == G729_SID))


cdef int g729_to_pcm(void *decoder, const uint8_t *payload, int length, int16_t *pcm) noexcept nogil:
    cdef int at = 0, made = 0
    cdef bint sid
    cdef uint8_t frame[G729_OCTETS]
    while at < length:
        sid = length - at < G729_OCTETS
        memset(frame, 0, G729_OCTETS)  # the library may look at all ten octets
        memcpy(frame, payload + at, G729_SID if sid else G729_OCTETS)
        (<Decode>functions[5])(decoder, frame, G729_SID if sid else G729_OCTETS, 0, sid, 0, pcm + made)
        at += G729_SID if sid else G729_OCTETS
        made += G729_SAMPLES
    return made


cdef int g729_from_pcm(void *encoder, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil:
    """Whole frames only."""
    cdef uint8_t length
    cdef int i, made = 0
    for i in range(samples // G729_SAMPLES):
        length = 0
        (<Encode>functions[4])(encoder, pcm + i * G729_SAMPLES, payload + made, &length)
        made += length
    return made


cdef int g729_conceal(void *decoder, int16_t *pcm, int samples) noexcept nogil:
    """ITU-T G.729 clause 4.4, for whole frames."""
    cdef uint8_t nothing[G729_OCTETS]
    cdef int i
    if samples % G729_SAMPLES:
        return 0
    memset(nothing, 0, G729_OCTETS)
    for i in range(samples // G729_SAMPLES):
        (<Decode>functions[5])(decoder, nothing, 0, 1, 0, 0, pcm + i * G729_SAMPLES)
    return samples
