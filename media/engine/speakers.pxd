"""Encoders for the engine thread, made and closed by the control thread."""

from media.engine.slots cimport Broadcast, Speaker


cdef class SpeakerBox:
    cdef Speaker speaker


cdef class BroadcastBox:
    cdef Broadcast broadcast
    cdef object sound
    cdef object __weakref__
