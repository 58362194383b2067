"""What was negotiated, as the engine thread looks it up."""

from media.engine.slots cimport Config, Route


cdef class PayloadTable:
    cdef Config config


cdef class RouteTable:
    cdef Route route
