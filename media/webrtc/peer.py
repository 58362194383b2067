"""What happens on the media path of one stream before there is sound: ICE, then DTLS, then keys for the engine.

It runs where the socket is, on the control thread of the media process: certificates and keys never leave it, and the
engine thread has nothing to do with it but to set the packets apart.
"""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from frozen import dataclass
from media.api import DtlsPeer, HostPort, IceSpec, SrtpKeys, StreamSpec
from media.webrtc.full_ice import FullAgent
from media.webrtc.ice import LiteAgent

if TYPE_CHECKING:
    from media.webrtc.dtls import Association

log = logging.getLogger(__name__)

FIRST_DTLS, LAST_DTLS = 20, 63  # first bytes (RFC 7983 §7)
GIVE_UP_S = 60.0  # of a handshake that goes nowhere; OpenSSL's own retransmissions grow to that


@dataclass(frozen=True, slots=True)
class Engine:
    """What it asks of the engine: to send, where everything goes from now on, and which keys hold."""

    send: Callable[[bytes, HostPort], None]
    aim: Callable[[HostPort], None]
    use: Callable[[SrtpKeys], None]


class Peer:
    """Of one endpoint. `deadline`: the moment at which `expire` is due, None when nothing waits."""

    def __init__(self, endpoint: int, engine: Engine) -> None:
        self._endpoint, self._engine = endpoint, engine
        self._ice: LiteAgent | FullAgent | None = None
        self._dtls: Association | None = None
        self._early: tuple[bytes, HostPort] | None = None  # what a peer sent that was quicker than call control
        self._sources: tuple[str, ...] = ()
        self._target: HostPort | None = None
        self._began = 0.0
        self._is_established = False
        self.deadline: float | None = None

    def configure(self, spec: StreamSpec, sources: tuple[str, ...], now: float) -> None:
        """What was agreed on. `sources`: without ICE, the hosts that DTLS may come from."""
        self._sources = sources
        self._configure_ice(spec.ice, now)
        if spec.ice is None:
            self._target = spec.remote
        if spec.dtls is None:
            self._dtls, self.deadline = None, None
        elif self._dtls is None or self._dtls.peer != spec.dtls:  # the same one goes on (RFC 8842 §4)
            self._dtls, self._began = _new_association(spec.dtls), now
            self._begin(now)
            self._catch_up(now)
        self._go_on(now)

    def _catch_up(self, now: float) -> None:
        """A first packet that is lost would be sent again after a whole second only (RFC 6347 §4.2.4.1)."""
        early, self._early = self._early, None
        if early is not None:
            self._receive_dtls(*early, now)

    def _configure_ice(self, spec: IceSpec | None, now: float) -> None:
        if spec is None:
            self._ice = None
        elif self._ice is None:
            self._ice, self._target = FullAgent(spec, now, os.urandom) if spec.is_full else LiteAgent(spec), None
        elif isinstance(self._ice, FullAgent):
            self._ice.restart_at(spec, now)
        else:
            self._ice.restart(spec)

    def receive(self, data: bytes, source: HostPort, now: float) -> None:
        """A packet that is STUN or DTLS by its first byte."""
        if FIRST_DTLS <= data[0] <= LAST_DTLS:
            self._receive_dtls(data, source, now)
        elif self._ice is not None:
            ice = self._ice
            outcome = ice.receive_at(data, source, now) if isinstance(ice, FullAgent) else ice.receive(data, source)
            if outcome.reply:
                self._engine.send(outcome.reply, source)
            if outcome.is_chosen:
                self._take_way(source, now)
            self._go_on(now)

    def _take_way(self, source: HostPort, now: float) -> None:
        self._engine.aim(source)
        self._is_established = True
        is_first, self._target = self._target is None, source
        if is_first:
            self._begin(now)

    def expire(self, now: float) -> None:
        """A flight was lost, or nobody is there."""
        if self._dtls is not None:
            if now - self._began >= GIVE_UP_S:
                self._dtls = None
                log.info("endpoint %d: no DTLS handshake within %d s", self._endpoint, GIVE_UP_S)
            else:
                self._dtls.expire()
        if isinstance(self._ice, FullAgent):
            self._ice.expire(now)
            if self._ice.chosen is None and self._target is not None and self._is_established:
                log.info("endpoint %d: the way to the peer is lost", self._endpoint)
                self._engine.aim(HostPort(self._target.host, 0))
                self._is_established = False
        self._go_on(now)

    def close(self) -> None:
        """Say goodbye to the peer."""
        if self._dtls is not None:
            self._dtls.close()
            self._flush()

    def _begin(self, now: float) -> None:
        """As soon as there is a way, whoever is client begins."""
        if self._dtls is not None and self._target is not None:
            self._dtls.start()
            self._go_on(now)

    def _receive_dtls(self, data: bytes, source: HostPort, now: float) -> None:
        if self._dtls is None:
            self._early = data, source
            return
        if self._ice is not None:
            if source not in self._ice.checked:
                return
        elif source.host not in self._sources:
            return
        else:
            self._target = source
        was = self._dtls.state
        self._dtls.receive(data)
        if self._dtls.state is not was:
            self._tell(self._dtls)
        self._go_on(now)

    def _tell(self, dtls: "Association") -> None:
        if dtls.keys is not None and not dtls.is_closed:
            self._engine.use(dtls.keys)
        elif dtls.why:
            log.warning("endpoint %d: %s", self._endpoint, dtls.why)

    def _go_on(self, now: float) -> None:
        self._flush()
        timeout_s = self._dtls.timeout_s if self._dtls is not None and self._target is not None else None
        due = [] if timeout_s is None else [now + timeout_s]
        if isinstance(self._ice, FullAgent) and self._ice.deadline is not None:
            due.append(self._ice.deadline)
        self.deadline = min(due, default=None)

    def _flush(self) -> None:
        if isinstance(self._ice, FullAgent):
            for packet, to in self._ice.outgoing:
                self._engine.send(packet, to)
            self._ice.outgoing.clear()
        if self._dtls is not None and self._target is not None:
            for packet in self._dtls.outgoing():
                self._engine.send(packet, self._target)


def _new_association(peer: DtlsPeer) -> "Association":
    from media.webrtc.dtls import Association

    return Association(peer)
