# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The memory of encoders: it lives as long as its box, which the control thread drops when the engine has released it."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int16_t

from media.codec.coder cimport Coder, coder_close, coder_open
from media.codec.opus cimport OpusSettings
from media.dsp.resample cimport resampler_open
from media.engine.slots cimport TICKS_A_SECOND

from media.codec.coder import KINDS


cdef int open_coder(Coder *coder, object coding) except -1:
    cdef OpusSettings settings = OpusSettings(
        coding.bitrate, coding.max_rate, coding.loss_percent, 0, coding.fec, coding.dtx, coding.cbr
    )
    if not coder_open(coder, KINDS[coding.name], coding.rate, &settings):
        raise MemoryError(f"{coding.name} cannot be opened at {coding.rate} Hz.")
    return 0


cdef class SpeakerBox:
    """How one endpoint is spoken to: `coding` in packets of `packet_ms`, as payload type `number`."""

    def __init__(self, coding, int number, int packet_ms):
        cdef Speaker *s = &self.speaker
        open_coder(&s.coder, coding)
        s.payload_type = number
        s.tick_samples = s.coder.rate // TICKS_A_SECOND
        s.packet_samples = s.coder.rate * packet_ms // 1000
        s.packet_clock = s.coder.clock_rate * packet_ms // 1000

    def __dealloc__(self):
        coder_close(&self.speaker.coder)


cdef class BroadcastBox:
    """A sound at `rate` in one codec, for all who hear it; it is kept."""

    def __init__(self, sound, int rate, double gain, coding, int packet_ms):
        cdef Broadcast *b = &self.broadcast
        cdef Py_buffer view
        open_coder(&b.coder, coding)
        if not resampler_open(&b.resampler, rate, b.coder.rate):
            raise ValueError(f"{rate} Hz cannot become {b.coder.rate} Hz.")
        PyObject_GetBuffer(sound.samples, &view, PyBUF_SIMPLE)
        b.pcm, b.length = <const int16_t *>view.buf, view.len // 2
        PyBuffer_Release(&view)
        self.sound = sound
        b.rate, b.gain = rate, gain
        b.packet_samples = b.coder.rate * packet_ms // 1000

    def __dealloc__(self):
        coder_close(&self.broadcast.coder)
