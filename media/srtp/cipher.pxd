"""One direction of an SRTP stream (RFC 3711) in the engine: libsrtp through function pointers, without the interpreter.

A `Cipher` belongs to a `CipherBox`, which keeps libsrtp's context alive; the control thread drops the box when the
engine has said that it does not use the cipher any more.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from media.engine.reasons cimport KEPT, SRTP_AUTH, SRTP_FAILED, SRTP_REPLAY, SRTP_SOURCES, TOO_SHORT

cdef enum:
    MAX_TRAILER = 144      # of libsrtp: a tag, an index, a key identifier
    MAX_SOURCES = 32       # SSRCs that one set of keys may bring; each costs memory and time in libsrtp
    RTP_SIZE = 12
    RTCP_SIZE = 8

cdef enum Status:          # srtp_err_status_t
    OK = 0
    AUTH_FAIL = 7
    REPLAY_FAIL = 9
    REPLAY_OLD = 10

ctypedef int (*Transform)(void *context, void *packet, int *size) noexcept nogil


cdef struct Cipher:
    void *context          # srtp_t
    Transform rtp
    Transform rtcp
    int count
    uint32_t sources[MAX_SOURCES]


cdef class CipherBox:
    cdef Cipher cipher
    cdef readonly object session


cdef inline uint32_t ssrc_of(const uint8_t *packet, bint control) noexcept nogil:
    cdef const uint8_t *p = packet + (4 if control else 8)
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]


cdef inline bint is_known(const Cipher *cipher, uint32_t ssrc) noexcept nogil:
    cdef int i
    for i in range(cipher.count):
        if cipher.sources[i] == ssrc:
            return True
    return False


cdef inline int cipher_open(Cipher *cipher, uint8_t *packet, int *size, bint control) noexcept nogil:
    """Check and decrypt in place; `size` becomes that of the plain packet. KEPT, or why it must not be used."""
    cdef int status
    cdef uint32_t ssrc
    cdef bint known
    if size[0] < (RTCP_SIZE if control else RTP_SIZE):
        return TOO_SHORT
    ssrc = ssrc_of(packet, control)
    known = is_known(cipher, ssrc)
    if not known and cipher.count == MAX_SOURCES:
        return SRTP_SOURCES
    status = (cipher.rtcp if control else cipher.rtp)(cipher.context, packet, size)
    if status == OK:
        if not known:
            cipher.sources[cipher.count] = ssrc
            cipher.count += 1
        return KEPT
    if status == AUTH_FAIL:
        return SRTP_AUTH
    return SRTP_REPLAY if status == REPLAY_FAIL or status == REPLAY_OLD else SRTP_FAILED


cdef inline bint cipher_seal(Cipher *cipher, uint8_t *packet, int *size, bint control) noexcept nogil:
    """Encrypt and sign in place; there must be room for `MAX_TRAILER` more bytes. False when libsrtp refuses: a
    sequence number that was used before must never be used again with the same key."""
    return (cipher.rtcp if control else cipher.rtp)(cipher.context, packet, size) == OK
