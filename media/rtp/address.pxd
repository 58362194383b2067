"""Socket addresses as the kernel has them: compare without formatting."""

from libc.stdint cimport uint16_t
from libc.string cimport memcmp, memset

from media.engine.posix cimport (
    AF_INET, AF_INET6, Address, htons, inet_ntop, inet_pton, ntohs, sockaddr_in, sockaddr_in6, socklen_t,
)


cdef inline bint same_host(const Address *a, const Address *b) noexcept nogil:
    if a.any.sa_family != b.any.sa_family:
        return False
    if a.any.sa_family == AF_INET:
        return a.v4.sin_addr.s_addr == b.v4.sin_addr.s_addr
    return memcmp(&a.v6.sin6_addr, &b.v6.sin6_addr, 16) == 0


cdef inline bint same_address(const Address *a, const Address *b) noexcept nogil:
    # Ports of both families lie at the same place.
    return a.v4.sin_port == b.v4.sin_port and same_host(a, b)


cdef inline socklen_t address_size(const Address *a) noexcept nogil:
    return sizeof(sockaddr_in) if a.any.sa_family == AF_INET else sizeof(sockaddr_in6)


cdef inline bint make_address(const char *host, int port, Address *result) noexcept nogil:
    """False when `host` is not an IP address."""
    memset(result, 0, sizeof(Address))
    result.v4.sin_port = htons(<uint16_t>port)
    if inet_pton(AF_INET, host, &result.v4.sin_addr) == 1:
        result.any.sa_family = AF_INET
        return True
    result.any.sa_family = AF_INET6
    return inet_pton(AF_INET6, host, &result.v6.sin6_addr) == 1


cdef inline int host_text(const Address *a, char *text, socklen_t size) noexcept nogil:
    """Write the host as text and return the port."""
    if a.any.sa_family == AF_INET:
        inet_ntop(AF_INET, &a.v4.sin_addr, text, size)
    else:
        inet_ntop(AF_INET6, &a.v6.sin6_addr, text, size)
    return ntohs(a.v4.sin_port)
