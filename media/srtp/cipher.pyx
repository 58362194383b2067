# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: freethreading_compatible=True
"""`CipherBox`: one direction's SRTP context for the engine, and the same calls for tests."""

from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memcpy


cdef class CipherBox:
    """Holds `session` (what keeps the context alive) while C uses the pointers."""

    def __init__(self, session, uintptr_t context, uintptr_t rtp, uintptr_t rtcp):
        self.session = session
        self.cipher.context = <void *>context
        self.cipher.rtp = <Transform>rtp
        self.cipher.rtcp = <Transform>rtcp

    def open(self, bytes packet, bint control=False):
        """(plain packet, reason): reason 0 and the packet, or b"" and why it must not be used."""
        cdef uint8_t data[2048]
        cdef int size = min(<int>len(packet), 2048), reason
        memcpy(data, <const char *>packet, size)
        reason = cipher_open(&self.cipher, data, &size, control)
        return (data[:size] if reason == 0 else b"", reason)

    def seal(self, bytes packet, bint control=False):
        """The protected packet, b"" when libsrtp refuses."""
        cdef uint8_t data[2048 + 144]
        cdef int size = min(<int>len(packet), 2048)
        memcpy(data, <const char *>packet, size)
        return data[:size] if cipher_seal(&self.cipher, data, &size, control) else b""
