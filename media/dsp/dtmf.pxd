"""Digits as pairs of tones, heard in PCM and made as PCM. Reference, with the reasons: `media/dsp/dtmf_ref.py`.

Nothing is allocated; everything is the engine thread's.
"""

from libc.stdint cimport int16_t, uint8_t

cdef enum:
    TONES = 8                   # four rows, four columns
    MOST_PRESSES = 4            # that 20 ms can tell
    MOST_HALF = 306             # samples of half a block, at 48 kHz


cdef struct TonePress:
    uint8_t event               # its number in RFC 4733
    int duration_ms             # 0: it begins


cdef struct ToneBlock:
    int key                     # -1: none
    double row
    double column


cdef struct Detector:
    int rate
    int half                    # samples of half a block
    int filled
    bint suspects               # what was fed last sounds like a digit, or one is on
    double step[TONES]          # radians a sample
    double turn[TONES]          # radians a half
    double step_cos[TONES]
    double step_sin[TONES]
    double turn_cos[TONES]
    double turn_sin[TONES]
    int16_t samples[MOST_HALF]
    double real[TONES]          # phasors of the half before
    double imaginary[TONES]
    double energy_before
    bint sounded                # the half before
    ToneBlock block             # the last one
    int alike                   # blocks in a row
    int on                      # the key that is pressed, -1: none
    int lasted
    int missed


cdef void detector_open(Detector *d, int rate) noexcept nogil
cdef int detector_feed(Detector *d, const int16_t *pcm, int count, TonePress *presses) noexcept nogil
cdef void tone_make(uint8_t event, int rate, int start, int total, int16_t *pcm, int count) noexcept nogil
