"""Rooms that are mixed and what belongs to their members, made and freed by the control thread."""

from media.engine.slots cimport Room, Voice


cdef class RoomBox:
    cdef Room room


cdef class VoiceBox:
    cdef Voice voice
    cdef RoomBox room
