"""Datagrams out of the sockets, and when they came: by the kernel, where they may have waited for us."""

from libc.stdint cimport int64_t, uint64_t

from media.engine.posix cimport (
    CMSG_DATA, CMSG_FIRSTHDR, MSG_DONTWAIT, MSG_TRUNC, SCM_TIMESTAMPNS, SO_TIMESTAMPNS, SOL_SOCKET, Address, clock_ns,
    cmsghdr, iovec, msghdr, recvfrom, recvmsg, setsockopt, socklen_t, timespec, wall_ns,
)
from media.engine.slots cimport BUFFER_SIZE, Shard, Slot

cdef enum:
    CONTROL_WORDS = 8           # room for one time stamp
    MOST_AGE_NS = 1000000000    # more: the clock of the wall was set


cdef inline void stamp_socket(int fd, int on) noexcept nogil:
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on))


cdef inline void set_stamped(Slot *slot, bint on) noexcept nogil:
    """What waits for a tick needs the kernel's time; who is relayed is not kept waiting, and spared the time it takes."""
    if slot.stamped != on:
        slot.stamped = on
        stamp_socket(slot.rtp_fd, on)
        stamp_socket(slot.rtcp_fd, on)


cdef inline int64_t arrival_of(msghdr *message, int64_t now_ns) noexcept nogil:
    cdef cmsghdr *control = CMSG_FIRSTHDR(message)
    cdef const timespec *stamp
    cdef int64_t age_ns
    if control == NULL or control.cmsg_level != SOL_SOCKET or control.cmsg_type != SCM_TIMESTAMPNS:
        return now_ns
    stamp = <const timespec *>CMSG_DATA(control)
    age_ns = wall_ns() - (<int64_t>stamp.tv_sec * 1000000000 + stamp.tv_nsec)
    return now_ns - age_ns if 0 < age_ns < MOST_AGE_NS else now_ns


cdef inline ssize_t fetch(Shard *shard, Slot *slot, int fd, Address *source, int64_t *arrived_ns) noexcept nogil:
    """One datagram into the shard's buffer: its size, which may be more than there is room for; -1: there is none."""
    cdef uint64_t control[CONTROL_WORDS]
    cdef iovec part
    cdef msghdr message
    cdef socklen_t length = sizeof(Address)
    cdef ssize_t size
    if not slot.stamped:
        size = recvfrom(fd, shard.buffer, BUFFER_SIZE, MSG_DONTWAIT | MSG_TRUNC, &source.any, &length)
        arrived_ns[0] = clock_ns()
        return size
    part.iov_base, part.iov_len = shard.buffer, BUFFER_SIZE
    message.msg_name, message.msg_namelen = source, length
    message.msg_iov, message.msg_iovlen = &part, 1
    message.msg_control, message.msg_controllen = control, sizeof(control)
    message.msg_flags = 0
    size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC)
    arrived_ns[0] = arrival_of(&message, clock_ns()) if size >= 0 else 0
    return size
