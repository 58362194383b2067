"""Rooms that are mixed, what belongs to their members, and ears, made and freed by the control thread."""

from media.engine.slots cimport Ear, Room, Voice


cdef class RoomBox:
    cdef Room room


cdef class VoiceBox:
    cdef Voice voice
    cdef RoomBox room


cdef class EarBox:
    cdef Ear ear
