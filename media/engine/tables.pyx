# cython: language_level=3, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Payload types of one endpoint, and how they go to another one."""

from media.engine.slots cimport MAX_KINDS


cdef class PayloadTable:
    """What an endpoint may receive; made once for each list of payloads."""

    def __init__(self, entries, int audio_type, int event_type, int event_rate, idle, impairment):
        """`entries`: (payload type, kind, clock rate); at most `MAX_KINDS` of them. `audio_type`: what the peer sends
        until it sends something else. `idle`: payload type and size of
        what keeps the way open; `impairment`: (Ie, Bpl) of what is spoken."""
        for index, (number, kind, rate) in enumerate(entries[:MAX_KINDS]):
            self.config.entry[number & 127] = index + 1
            self.config.kind[index] = kind
            self.config.rate[index] = rate
        self.config.audio_type = audio_type
        self.config.event_type = event_type
        self.config.event_rate = event_rate
        self.config.idle_type, self.config.idle_size = idle
        self.config.ie, self.config.bpl = impairment


cdef class RouteTable:
    """How each payload type of one endpoint goes to the other."""

    def __init__(self, routes):
        """`routes`: (payload type, action, outgoing payload type)."""
        for number, action, outgoing in routes:
            self.route.action[number & 127] = action
            self.route.payload_type[number & 127] = outgoing
