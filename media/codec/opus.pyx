# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""libopus by its C functions, called without the interpreter. Numbers are those of `opus_defines.h`, which are fixed."""

from libc.stdint cimport int16_t, int32_t, uint8_t

from media.codec.dynamic cimport find_functions, first_library
from media.codec.libraries import opus_files

ctypedef void *(*Create)(int32_t rate, int channels, int application, int *error) noexcept nogil
ctypedef void *(*CreateDecoder)(int32_t rate, int channels, int *error) noexcept nogil
ctypedef void (*Destroy)(void *state) noexcept nogil
ctypedef int (*Control)(void *state, int request, ...) noexcept nogil
ctypedef int32_t (*Encode)(void *state, const int16_t *pcm, int samples, uint8_t *data, int32_t room) noexcept nogil
ctypedef int (*Decode)(
    void *state, const uint8_t *data, int32_t length, int16_t *pcm, int samples, int fec
) noexcept nogil
ctypedef int (*Count)(const uint8_t *data, int32_t length, int32_t rate) noexcept nogil

cdef enum:
    APPLICATION_VOIP = 2048
    SIGNAL_VOICE = 3001
    SET_BITRATE = 4002
    SET_MAX_BANDWIDTH = 4004
    SET_VBR = 4006
    SET_COMPLEXITY = 4010
    SET_INBAND_FEC = 4012
    SET_LOSS_PERCENT = 4014
    SET_DTX = 4016
    SET_SIGNAL = 4024
    NARROWBAND = 1101
    MEDIUMBAND = 1102
    WIDEBAND = 1103
    SUPERWIDEBAND = 1104
    FULLBAND = 1105
    USUAL_COMPLEXITY = 5    # 10 costs twice the time and is not heard in speech
    NOT_SENT = 2            # a packet of so few octets says nothing (opus_encode, DTX)

NAMES = [
    "opus_encoder_create", "opus_decoder_create", "opus_encoder_destroy", "opus_decoder_destroy",
    "opus_encoder_ctl", "opus_encode", "opus_decode", "opus_packet_get_nb_samples",
]

cdef void *functions[8]
cdef bint tried = False
cdef bint loaded = False


cdef bint opus_available() noexcept:
    """Open the library when that has not been tried yet."""
    global tried, loaded
    cdef void *library
    if not tried:
        tried = True
        library = first_library(opus_files())
        loaded = library != NULL and find_functions(library, NAMES, functions)
    return loaded


cdef int bandwidth_of(int rate) noexcept nogil:
    """RFC 7587 §6.1: maxplaybackrate is a rate, the audio bandwidth half of it."""
    if rate <= 8000:
        return NARROWBAND
    if rate <= 12000:
        return MEDIUMBAND
    if rate <= 16000:
        return WIDEBAND
    return SUPERWIDEBAND if rate <= 24000 else FULLBAND


cdef int usual_bitrate(int rate) noexcept nogil:
    """For speech of one speaker (RFC 7587 §3.1.1), upper ends of the recommended ranges."""
    return 16000 if rate <= 8000 else 24000 if rate <= 16000 else 36000


cdef void *opus_new_encoder(int rate, const OpusSettings *settings) noexcept:
    """NULL when it cannot be made."""
    cdef int error = 0
    cdef int heard = settings.max_rate if 0 < settings.max_rate < rate else rate
    cdef Control control = <Control>functions[4]
    cdef void *encoder = (<Create>functions[0])(rate, 1, APPLICATION_VOIP, &error)
    if encoder == NULL or error != 0:
        return NULL
    control(encoder, SET_BITRATE, <int32_t>(settings.bitrate if settings.bitrate > 0 else usual_bitrate(heard)))
    control(encoder, SET_MAX_BANDWIDTH, <int32_t>bandwidth_of(heard))
    control(encoder, SET_SIGNAL, <int32_t>SIGNAL_VOICE)
    control(encoder, SET_COMPLEXITY, <int32_t>(settings.complexity if settings.complexity > 0 else USUAL_COMPLEXITY))
    control(encoder, SET_INBAND_FEC, <int32_t>settings.fec)
    control(encoder, SET_LOSS_PERCENT, <int32_t>settings.loss_percent)
    control(encoder, SET_DTX, <int32_t>settings.dtx)
    control(encoder, SET_VBR, <int32_t>(not settings.cbr))
    return encoder


cdef void *opus_new_decoder(int rate) noexcept:
    """Mono: libopus mixes stereo down itself. NULL when it cannot be made."""
    cdef int error = 0
    cdef void *decoder = (<CreateDecoder>functions[1])(rate, 1, &error)
    return decoder if error == 0 else NULL


cdef void opus_free(void *encoder, void *decoder) noexcept:
    if encoder != NULL:
        (<Destroy>functions[2])(encoder)
    if decoder != NULL:
        (<Destroy>functions[3])(decoder)


cdef int opus_samples(const uint8_t *payload, int length, int rate) noexcept nogil:
    """-1 for what is no Opus packet."""
    cdef int found = (<Count>functions[7])(payload, length, rate)
    return found if found > 0 else -1


cdef int opus_to_pcm(void *decoder, const uint8_t *payload, int length, int16_t *pcm, int room) noexcept nogil:
    cdef int found = (<Decode>functions[6])(decoder, payload, length, pcm, room, 0)
    return found if found > 0 else -1


cdef int opus_from_pcm(void *encoder, const int16_t *pcm, int samples, uint8_t *payload, int room) noexcept nogil:
    cdef int found = <int>(<Encode>functions[5])(encoder, pcm, samples, payload, room)
    return found if found > NOT_SENT else 0


cdef int opus_conceal(void *decoder, const uint8_t *next, int length, int16_t *pcm, int samples) noexcept nogil:
    """From what the next packet says of its predecessor, else as libopus thinks that it went on."""
    cdef bint fec = next != NULL and length > 0
    cdef int found = (<Decode>functions[6])(decoder, next if fec else NULL, length if fec else 0, pcm, samples, fec)
    return found if found > 0 else 0
