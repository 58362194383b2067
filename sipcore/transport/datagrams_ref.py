"""Datagrams of a socket: the plain reference of `datagrams.pyx`."""

import errno
import socket
from ipaddress import ip_address

MOST, SIZE = 32, 65536


class Datagrams:
    """See the types of the compiled form."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)

    def __del__(self) -> None:
        self._socket.detach()  # it belongs to somebody else

    def receive(self) -> list[tuple[bytes, tuple[str, int]]]:
        found: list[tuple[bytes, tuple[str, int]]] = []
        while len(found) < MOST:
            try:
                data, sender = self._socket.recvfrom(SIZE, socket.MSG_DONTWAIT)
            except OSError:
                break
            found.append((data, (sender[0].partition("%")[0], sender[1])))
        return found

    def send(self, data: bytes, remote: tuple[str, int]) -> bool:
        ip_address(remote[0])
        try:
            self._socket.sendto(data, socket.MSG_DONTWAIT, remote)
        except OSError as error:
            return error.errno not in (errno.EAGAIN, errno.ENOBUFS)
        return True
