class Datagrams:
    """What comes to a datagram socket that does not block, and what goes from it. The socket belongs to who made it;
    a `Datagrams` of a closed one must not be used."""

    def __init__(self, fd: int) -> None: ...
    def receive(self) -> list[tuple[bytes, tuple[str, int]]]:
        """What is there, 32 datagrams at most, each with the address and port of its sender; an IPv6 address without
        its zone. Empty when nothing is there or the socket has an error to tell: no datagram is named by it."""

    def send(self, data: bytes, remote: tuple[str, int]) -> bool:
        """Send to an IP address and port; False when the system has no room now. What cannot be sent at all counts as
        lost on the way. Raises ValueError for a name."""
