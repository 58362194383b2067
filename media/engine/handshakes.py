"""The endpoints that shake hands with their peers (ICE, DTLS): their packets, their timers, what comes of them."""

import time

from media.api import HostPort, SrtpKeys, StreamSpec
from media.engine.shard import ShardThread
from media.engine.streams import Refusal, Stream, permitted
from media.webrtc.peer import Engine, Peer


class Handshakes:
    """By serial number of the endpoint's handle."""

    def __init__(self, shard: ShardThread) -> None:
        self._shard = shard
        self._peers: dict[int, Peer] = {}

    @property
    def deadline(self) -> float | None:
        """When `expire` is due, on the monotonic clock."""
        return min((peer.deadline for peer in self._peers.values() if peer.deadline is not None), default=None)

    def expire(self) -> None:
        """Whatever is due."""
        now = time.monotonic()
        for peer in list(self._peers.values()):
            if peer.deadline is not None and peer.deadline <= now:
                peer.expire(now)

    def add(self, stream: Stream) -> str:
        """An endpoint that shall shake hands; the fingerprint of the certificate that it shows."""
        from media.webrtc.dtls import identity  # here, so that who never shakes hands does not load OpenSSL

        handle, shard = stream.handle, self._shard

        def send(data: bytes, to: HostPort) -> None:
            shard.send(handle, data, to.host, to.port)

        def aim(to: HostPort) -> None:
            shard.aim(handle, to.host, to.port)

        def use(keys: SrtpKeys) -> None:
            stream.keys.apply(shard, handle, keys)

        self._peers[handle.serial] = Peer(stream.endpoint, Engine(send, aim, use))
        return identity().fingerprint

    def check(self, stream: Stream, spec: StreamSpec) -> None:
        if (spec.dtls or spec.ice) and stream.handle.serial not in self._peers:
            raise Refusal(f"Endpoint {stream.endpoint} was not made to shake hands.")

    def configure(self, stream: Stream, spec: StreamSpec) -> None:
        """What was agreed on, after the engine has been told."""
        peer = self._peers.get(stream.handle.serial)
        if peer is not None:
            peer.configure(spec, permitted(spec.remote.host, spec.sources), time.monotonic())

    def receive(self, stream: Stream, host: str, port: int, data: bytes) -> None:
        peer = self._peers.get(stream.handle.serial)
        if peer is not None:
            peer.receive(data, HostPort(host, port), time.monotonic())

    def remove(self, stream: Stream) -> None:
        """The endpoint is about to go."""
        peer = self._peers.pop(stream.handle.serial, None)
        if peer is not None:
            peer.close()
