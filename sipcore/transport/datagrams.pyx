# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Datagrams of a socket, many with one system call. Reference: `sipcore/transport/datagrams_ref.py`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int family, const char* text, void* address)
    const char* inet_ntop(int family, const void* address, char* text, unsigned int size)
    unsigned short htons(unsigned short number)
    unsigned short ntohs(unsigned short number)

cdef extern from "netinet/in.h" nogil:
    cdef enum:
        AF_INET, AF_INET6
    cdef struct in_addr:
        unsigned int s_addr
    cdef struct in6_addr:
        unsigned char s6_addr[16]
    cdef struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    cdef struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        in6_addr sin6_addr

cdef extern from "sys/socket.h" nogil:
    cdef enum:
        MSG_DONTWAIT
    cdef struct sockaddr:
        unsigned short sa_family
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    cdef struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
    Py_ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to, unsigned int length)

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/socket.h>
    """
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    int recvmmsg(int fd, mmsghdr* messages, unsigned int count, int flags, void* timeout) nogil

cdef enum:
    MOST = 32
    SIZE = 65536
    TEXT_SIZE = 64
    ADDRESS_SIZE = 28  # of IPv6
    KEPT = 10000


cdef class Datagrams:
    cdef int _fd
    cdef char* _memory
    cdef mmsghdr[MOST] _messages
    cdef iovec[MOST] _parts
    cdef char[MOST * ADDRESS_SIZE] _names
    cdef dict _peers  # address of the kernel: (host, port)
    cdef dict _addresses  # the other way

    def __cinit__(self, int fd):
        cdef int n
        self._fd, self._peers, self._addresses = fd, {}, {}
        self._memory = <char*>malloc(MOST * SIZE)  # touched only as far as datagrams are long
        if self._memory == NULL:
            raise MemoryError
        memset(self._messages, 0, sizeof(self._messages))
        for n in range(MOST):
            self._parts[n] = iovec(self._memory + n * SIZE, SIZE)
            self._messages[n].msg_hdr.msg_iov, self._messages[n].msg_hdr.msg_iovlen = &self._parts[n], 1
            self._messages[n].msg_hdr.msg_name = self._names + n * ADDRESS_SIZE

    def __dealloc__(self):
        free(self._memory)

    def receive(self):
        cdef int n, count
        cdef mmsghdr* message
        cdef list found = []
        for n in range(MOST):
            self._messages[n].msg_hdr.msg_namelen = ADDRESS_SIZE
        count = recvmmsg(self._fd, self._messages, MOST, MSG_DONTWAIT, NULL)
        for n in range(count):
            message = &self._messages[n]
            found.append(
                (
                    PyBytes_FromStringAndSize(self._memory + n * SIZE, message.msg_len),
                    self._peer(<const char*>message.msg_hdr.msg_name, message.msg_hdr.msg_namelen),
                )
            )
        return found

    def send(self, bytes data not None, tuple remote not None):
        cdef bytes address = self._addresses.get(remote)
        cdef Py_ssize_t sent
        if address is None:
            address = self._address_of(remote)
        while True:
            sent = sendto(
                self._fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT,
                <const sockaddr*>PyBytes_AS_STRING(address), <unsigned int>PyBytes_GET_SIZE(address),
            )
            if sent >= 0 or errno != EINTR:
                return sent >= 0 or (errno != EAGAIN and errno != ENOBUFS)

    cdef tuple _peer(self, const char* name, unsigned int size):
        cdef bytes address = PyBytes_FromStringAndSize(name, size)
        cdef tuple peer = self._peers.get(address)
        cdef char text[TEXT_SIZE]
        if peer is None:
            if (<const sockaddr*>name).sa_family == AF_INET6:
                inet_ntop(AF_INET6, &(<const sockaddr_in6*>name).sin6_addr, text, TEXT_SIZE)
                peer = ((<bytes>text).decode(), ntohs((<const sockaddr_in6*>name).sin6_port))
            else:
                inet_ntop(AF_INET, &(<const sockaddr_in*>name).sin_addr, text, TEXT_SIZE)
                peer = ((<bytes>text).decode(), ntohs((<const sockaddr_in*>name).sin_port))
            self._keep(address, peer)
        return peer

    cdef bytes _address_of(self, tuple peer):
        cdef sockaddr_in6 six
        cdef sockaddr_in four
        cdef bytes host = (<str>peer[0]).encode(), address
        if b":" in host:
            memset(&six, 0, sizeof(six))
            six.sin6_family, six.sin6_port = AF_INET6, htons(peer[1])
            if inet_pton(AF_INET6, host, &six.sin6_addr) != 1:
                raise ValueError(f"{peer[0]} is no address")
            address = PyBytes_FromStringAndSize(<char*>&six, sizeof(six))
        else:
            memset(&four, 0, sizeof(four))
            four.sin_family, four.sin_port = AF_INET, htons(peer[1])
            if inet_pton(AF_INET, host, &four.sin_addr) != 1:
                raise ValueError(f"{peer[0]} is no address")
            address = PyBytes_FromStringAndSize(<char*>&four, sizeof(four))
        self._keep(address, peer)
        return address

    cdef void _keep(self, bytes address, tuple peer) except *:
        if len(self._peers) >= KEPT or len(self._addresses) >= KEPT:
            self._peers.clear()
            self._addresses.clear()
        self._peers[address] = peer
        self._addresses[peer] = address
