"""An in-memory network on the virtual loop: datagrams with loss, copies and delays by seed, and reliable streams.

The paths are handed to real `SipDriver`s. Two datagrams with different delays arrive in another order.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sipcore.flow import Flow
from sipcore.transport.driver import SipDriver

Address = tuple[str, int]
Receiver = Callable[[bytes, Address], None]


@dataclass(frozen=True, slots=True)
class Faults:
    """Chances per datagram, and the range from which its delay is drawn."""

    loss: float = 0.0
    copies: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)


PERFECT = Faults()


class Wire:
    """Who is where. Datagrams for nobody vanish."""

    def __init__(self, faults: Faults = PERFECT, seed: int = 0) -> None:
        self.faults, self._random = faults, Random(seed)
        self._loop = asyncio.get_running_loop()
        self._receivers: dict[Address, Receiver] = {}
        self.listening: dict[Address, Callable[[Stream], None]] = {}
        self.sent = self.lost = 0

    def attach(self, address: Address, receiver: Receiver) -> None:
        self._receivers[address] = receiver

    def detach(self, address: Address) -> None:
        self._receivers.pop(address, None)

    def send(self, source: Address, target: Address, data: bytes) -> None:
        self.sent += 1
        faults, chance = self.faults, self._random.random
        if faults is PERFECT:
            self._loop.call_soon(self._arrive, source, target, data)
            return
        for _ in range(2 if chance() < faults.copies else 1):
            if chance() < faults.loss:
                self.lost += 1
            else:
                self._loop.call_later(self._random.uniform(*faults.delay_s), self._arrive, source, target, data)

    def _arrive(self, source: Address, target: Address, data: bytes) -> None:
        receiver = self._receivers.get(target)
        if receiver is not None:
            receiver(data, source)

    def connect(self, source: Address, target: Address) -> "Stream | None":
        """Our end of a new connection; None when nobody listens there."""
        accept = self.listening.get(target)
        if accept is None:
            return None
        near, far = Stream(source, target), Stream(target, source)
        near.other, far.other = far, near
        accept(far)
        return near


class Datagrams:
    """A bound datagram socket as a path of `driver`."""

    def __init__(self, wire: Wire, driver: SipDriver, address: Address) -> None:
        self._wire, self._driver, self.address = wire, driver, address
        self.id = driver.new_id()
        driver.add_path(self.id, self)
        wire.attach(address, self._received)

    def flow_to(self, host: str, port: int) -> Flow:
        return Flow("UDP", self.address, (host, port), self.id)

    def _received(self, data: bytes, source: Address) -> None:
        self._driver.feed(data, self.flow_to(*source))

    def send(self, data: bytes, remote: Address) -> None:
        self._wire.send(self.address, remote, data)

    def close(self) -> None:
        self._wire.detach(self.address)


class Stream:
    """One end of a connection as a path of a driver; messages are not cut."""

    def __init__(self, address: Address, remote: Address) -> None:
        self.address, self.remote = address, remote
        self.other: Stream
        self.flow: Flow | None = None
        self._driver: SipDriver | None = None

    def serve(self, driver: SipDriver) -> Flow:
        """Make it a path of `driver`."""
        self._driver = driver
        self.flow = Flow("TCP", self.address, self.remote, driver.new_id())
        driver.add_path(self.flow.id, self)
        return self.flow

    def send(self, data: bytes, remote: Address) -> None:
        asyncio.get_running_loop().call_soon(self.other.received, data)

    def received(self, data: bytes) -> None:
        if self._driver is not None and self.flow is not None and self._driver.is_open(self.flow):
            self._driver.feed(data, self.flow)

    def close(self) -> None:
        """Both ends see that it is gone."""
        for end in (self, self.other):
            driver, end._driver = end._driver, None
            if driver is not None and end.flow is not None:
                asyncio.get_running_loop().call_soon(driver.drop_path, end.flow)
