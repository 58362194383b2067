"""What the engine needs from the C library and the kernel."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <errno.h>
    #include <netinet/in.h>
    #include <pthread.h>
    #include <string.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/socket.h>
    #include <sys/timerfd.h>
    #include <time.h>
    #include <unistd.h>
    #ifndef ZVON_ADDRESS
    #define ZVON_ADDRESS
    typedef union { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; } Address;
    #endif
    """
    ctypedef unsigned int socklen_t
    ctypedef struct in_addr:
        uint32_t s_addr
    ctypedef struct in6_addr:
        uint8_t s6_addr[16]
    ctypedef struct sockaddr "struct sockaddr":
        uint16_t sa_family
    ctypedef struct sockaddr_in "struct sockaddr_in":
        uint16_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    ctypedef struct sockaddr_in6 "struct sockaddr_in6":
        uint16_t sin6_family
        uint16_t sin6_port
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    ctypedef union Address:
        sockaddr any
        sockaddr_in v4
        sockaddr_in6 v6

    int AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC
    int MSG_DONTWAIT, MSG_TRUNC, MSG_NOSIGNAL
    int SOL_SOCKET, SO_RCVBUF, IPPROTO_IP, IP_TOS, IPPROTO_IPV6, IPV6_TCLASS, IPV6_V6ONLY
    int socket(int domain, int kind, int protocol) nogil
    int bind(int fd, const sockaddr *address, socklen_t length) nogil
    int setsockopt(int fd, int level, int name, const void *value, socklen_t length) nogil
    ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, sockaddr *source, socklen_t *length) nogil
    ctypedef struct iovec "struct iovec":
        void *iov_base
        size_t iov_len
    ctypedef struct msghdr "struct msghdr":
        void *msg_name
        socklen_t msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    ctypedef struct cmsghdr "struct cmsghdr":
        int cmsg_level
        int cmsg_type
    int SO_TIMESTAMPNS, SCM_TIMESTAMPNS
    ssize_t recvmsg(int fd, msghdr *message, int flags) nogil
    cmsghdr *CMSG_FIRSTHDR(msghdr *message) nogil
    unsigned char *CMSG_DATA(cmsghdr *control) nogil
    ssize_t sendto(int fd, const void *data, size_t size, int flags, const sockaddr *to, socklen_t length) nogil
    uint16_t htons(uint16_t value) nogil
    uint16_t ntohs(uint16_t value) nogil
    uint16_t be16toh "ntohs"(uint16_t value) nogil
    uint32_t be32toh "ntohl"(uint32_t value) nogil
    int inet_pton(int family, const char *text, void *address) nogil
    const char *inet_ntop(int family, const void *address, char *text, socklen_t size) nogil

    ctypedef union epoll_data_t:
        void *ptr
        uint64_t u64
    ctypedef struct epoll_event "struct epoll_event":
        uint32_t events
        epoll_data_t data
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL
    uint32_t EPOLLIN
    int epoll_create1(int flags) nogil
    int epoll_ctl(int epoll, int what, int fd, epoll_event *event) nogil
    int epoll_wait(int epoll, epoll_event *events, int size, int timeout_ms) nogil

    int EFD_NONBLOCK, EFD_CLOEXEC
    int eventfd(unsigned int initial, int flags) nogil

    ctypedef struct timespec "struct timespec":
        long tv_sec
        long tv_nsec
    ctypedef struct itimerspec "struct itimerspec":
        timespec it_interval
        timespec it_value
    int CLOCK_MONOTONIC, CLOCK_REALTIME, TFD_NONBLOCK, TFD_CLOEXEC, TFD_TIMER_ABSTIME
    int clock_gettime(int clock, timespec *now) nogil
    int clock_nanosleep(int clock, int flags, const timespec *wanted, timespec *left) nogil
    int timerfd_create(int clock, int flags) nogil
    int timerfd_settime(int fd, int flags, const itimerspec *new, itimerspec *old) nogil

    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t *mutex, void *attributes) nogil
    int pthread_mutex_lock(pthread_mutex_t *mutex) nogil
    int pthread_mutex_unlock(pthread_mutex_t *mutex) nogil
    int pthread_mutex_destroy(pthread_mutex_t *mutex) nogil

    int EADDRINUSE, EAGAIN, EWOULDBLOCK, ECONNREFUSED, EINTR
    int errno
    ssize_t read(int fd, void *buffer, size_t size) nogil
    ssize_t write(int fd, const void *data, size_t size) nogil
    int close(int fd) nogil


cdef inline int64_t clock_ns() noexcept nogil:
    """Monotonic time."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef inline int64_t wall_ns() noexcept nogil:
    """Time since 1970."""
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef inline uint64_t ntp_time(int64_t then_ns) noexcept nogil:
    """A moment of the monotonic clock as a 64-bit NTP timestamp (RFC 3550 §4)."""
    cdef uint64_t wall = <uint64_t>(wall_ns() - (clock_ns() - then_ns))
    return ((wall // 1000000000 + 2208988800u) << 32) | ((wall % 1000000000 << 32) // 1000000000)
