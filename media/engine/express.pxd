"""A connected socket beside the bound one, for streams that have settled.

An unconnected UDP socket looks up the route of every packet it sends and is harder to find for every packet that
arrives: together an eighth of the cost of a relayed packet. So once a source has been heard for a second, a second
socket is bound to the same port and connected to it. The kernel gives it what comes from there, and leaves everybody
else's packets to the first socket, where they are judged and counted as before. It is closed as soon as another source
is learned; while it is being made, a stranger's packet may end in it, so its packets are judged like all others.
"""

from libc.stdint cimport uint64_t

from media.engine.posix cimport (
    EPOLL_CTL_ADD, EPOLLIN, SO_RCVBUF, SO_REUSEADDR, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOL_SOCKET, Address,
    AF_INET, IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS, IPV6_V6ONLY, bind, close, connect, epoll_ctl, epoll_event,
    setsockopt, socket,
)
from media.engine.slots cimport Shard, Slot
from media.rtp.address cimport address_size

cdef enum:
    NO_EXPRESS = -1
    EXPRESS_FAILED = -2      # not tried again for this source
    SETTLED_PACKETS = 50
    RECEIVE_BUFFER = 65536   # some tens of packets: more would be too late to be heard


cdef inline void set_option(int fd, int level, int name, int value) noexcept nogil:
    setsockopt(fd, level, name, &value, sizeof(value))


cdef inline int udp_socket(const Address *address, int tos) noexcept nogil:
    """A socket with the options of every media socket, not yet bound; -1 when there is none."""
    cdef int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0:
        return -1
    set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
    if address.any.sa_family == AF_INET:
        set_option(fd, IPPROTO_IP, IP_TOS, tos)
    else:
        set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, tos)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    return fd


cdef inline bint bind_beside(const Slot *slot, int fd) noexcept nogil:
    """Share the port for this one bind only: other programs keep finding it in use."""
    cdef bint bound
    set_option(slot.rtp_fd, SOL_SOCKET, SO_REUSEADDR, 1)
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    bound = bind(fd, &slot.local.any, address_size(&slot.local)) == 0
    set_option(slot.rtp_fd, SOL_SOCKET, SO_REUSEADDR, 0)
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0)
    return bound


cdef inline void close_express(Slot *slot) noexcept nogil:
    if slot.express_fd >= 0:
        close(slot.express_fd)
    slot.express_fd = NO_EXPRESS


cdef inline void open_express(Shard *shard, Slot *slot) noexcept nogil:
    cdef const Address *peer = &slot.latch.source
    cdef epoll_event event
    cdef int fd = udp_socket(&slot.local, shard.tos)
    slot.express_fd = EXPRESS_FAILED
    if fd < 0:
        return
    event.events = EPOLLIN
    event.data.u64 = <uint64_t>slot | 2
    if (
        bind_beside(slot, fd) and connect(fd, &peer.any, address_size(peer)) == 0
        and epoll_ctl(shard.epoll, EPOLL_CTL_ADD, fd, &event) == 0
    ):
        slot.express_fd = fd
    else:
        close(fd)


cdef inline void visit_express(Shard *shard, Slot *slot) noexcept nogil:
    if slot.express_fd == NO_EXPRESS and slot.latch.learned and slot.received - slot.learned_at >= SETTLED_PACKETS:
        open_express(shard, slot)
