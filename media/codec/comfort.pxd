"""Comfort noise (RFC 3389): made of what the peer says of its background, and said of ours instead of silence.

Nothing is allocated; everything is the engine thread's.
"""

from libc.stdint cimport int16_t, uint8_t, uint32_t

cdef enum:
    COMFORT_ORDER = 10      # reflection coefficients that are used and sent at most
    COMFORT_OCTETS = 11
    SPEECH = -1             # of silence_frame: to be sent as it is


cdef struct Comfort:            # noise that we make
    double target               # root mean square that was asked for
    double level                # that of the moment: it glides
    double gain                 # of the filter's input
    int order
    double reflection[COMFORT_ORDER]
    double state[COMFORT_ORDER]
    uint32_t random


cdef struct Silence:            # what we send when nobody speaks
    int rate
    int order                   # of the spectrum to describe, 0: the level alone
    double floor_db             # of the background
    double told_db              # what the peer was told last, above 0: nothing
    int since_speech_ms
    int since_told_ms


cdef void comfort_reset(Comfort *noise, uint32_t random) noexcept nogil
cdef bint comfort_update(Comfort *noise, const uint8_t *payload, int length, bint spectrum) noexcept nogil
cdef void comfort_make(Comfort *noise, int16_t *pcm, int samples) noexcept nogil
cdef int comfort_describe(const int16_t *pcm, int samples, int order, uint8_t *payload) noexcept nogil
cdef void silence_reset(Silence *silence, int rate, int order) noexcept nogil
cdef int silence_frame(Silence *silence, const int16_t *pcm, int samples, uint8_t *payload) noexcept nogil
