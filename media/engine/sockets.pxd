"""Sockets as the engine needs them; errors are those of Python."""

from cpython.exc cimport PyErr_SetFromErrno

from media.engine.posix cimport (
    AF_INET, IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS, IPV6_V6ONLY, SO_RCVBUF, SOCK_CLOEXEC, SOCK_DGRAM,
    SOCK_NONBLOCK, SOL_SOCKET, Address, bind, close, errno, setsockopt, socket,
)
from media.rtp.address cimport address_size, make_address

cdef enum:
    RECEIVE_BUFFER = 131072  # hundreds of packets, for bursts while the engine pauses; more would be too late to be heard
    PICTURE_BUFFER = 524288  # a whole picture comes at once
    PICTURE_DSCP = 34        # AF41 (RFC 4594 §4.3)


cdef inline int open_socket(const Address *address, int dscp, int size) except -1:
    """A bound UDP socket; OSError says why not."""
    cdef int one = 1, tos = dscp << 2
    cdef int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    cdef int why
    if fd < 0:
        PyErr_SetFromErrno(OSError)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size))
    if address.any.sa_family == AF_INET:
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos))
    else:
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos))
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))
    if bind(fd, &address.any, address_size(address)) < 0:
        why = errno
        close(fd)
        (&errno)[0] = why
        PyErr_SetFromErrno(OSError)
    return fd


cdef inline bint read_address(object host, int port, Address *result) except False:
    if not make_address(host.encode(), port, result):
        raise ValueError(f"{host} is not an IP address")
    return True
