"""Change of the sampling rate, frame by frame, by a polyphase filter. Design and delay: `media/dsp/polyphase.py`."""

from libc.stdint cimport int16_t, int32_t

cdef enum:
    RESAMPLE_CHUNK = 960        # input samples filtered at once
    RESAMPLE_TAPS = 512         # at most, of one phase


cdef struct Resampler:
    int from_rate
    int to_rate
    int up
    int down
    int taps                    # of one phase; 0: the rates are equal
    int phase                   # of the next output sample, in upsampled samples after the next input sample
    const int16_t *weights      # [phase][tap], oldest sample first
    int16_t line[RESAMPLE_TAPS + RESAMPLE_CHUNK]


cdef bint resampler_open(Resampler *r, int from_rate, int to_rate) noexcept nogil
cdef int resample(Resampler *r, const int16_t *samples, int count, int16_t *out) noexcept nogil
