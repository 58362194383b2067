# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The memory of voices, rooms and ears: it lives as long as its box, which is dropped when the engine has released it."""

from libc.stdlib cimport free

from media.codec.coder cimport coder_close, coder_open_decoder
from media.dsp.resample cimport resampler_open
from media.engine.slots cimport TICKS_A_SECOND
from media.jitter.playout cimport playout_close, playout_open
from media.mix.mixing cimport drop_pairs, member_init, mixer_close

from media.codec.coder import KINDS


cdef class RoomBox:
    """A room that is mixed."""

    def __init__(self, serial):
        self.room.serial = serial
        self.room.index = -1

    def __dealloc__(self):
        mixer_close(&self.room.mixer)
        free(self.room.voices)

    @property
    def serial(self):
        return self.room.serial


cdef class VoiceBox:
    """A member of `room` that is mixed at `rate`. What it sends as payload type `number` is decoded as `coding`; None:
    nothing that it sends can be."""

    def __init__(self, RoomBox room not None, int rate, coding, int number, int role):
        self.room = room
        self.voice.room = &room.room
        self.voice.payload_type = number
        self.voice.watched = role >> 2 & 1
        member_init(&self.voice.member, rate, role & 1, role >> 1 & 1)
        if coding is None:
            return
        self.voice.decoded = coding.rate // TICKS_A_SECOND
        self.voice.playout = playout_open(KINDS[coding.name], coding.rate)
        if self.voice.playout == NULL or not resampler_open(&self.voice.resampler, coding.rate, rate):
            raise MemoryError(f"{coding.name} cannot be decoded at {coding.rate} Hz.")

    def __dealloc__(self):
        drop_pairs(&self.voice.member)
        playout_close(self.voice.playout)


cdef class EarBox:
    """Hears the digits in what a party sends as payload type `number`, decoded as `coding`."""

    def __init__(self, coding, int number):
        self.ear.payload_type = number
        self.ear.detector.on = -1
        if not coder_open_decoder(&self.ear.coder, KINDS[coding.name], coding.rate):
            raise MemoryError(f"{coding.name} cannot be decoded at {coding.rate} Hz.")

    def __dealloc__(self):
        coder_close(&self.ear.coder)
