"""The SRTP keys of one stream: only a direction whose key changes gets a new context (RFC 4568 §7.1.4), because a
context that is made again would forget the rollover counter and which packets it has seen."""

from media.api import SrtpKeys
from media.engine.shard import Handle, ShardThread


class Ciphers:
    """What the engine was given last."""

    def __init__(self) -> None:
        self._sending: tuple[str, bytes] | None = None
        self._receiving: tuple[str, bytes] | None = None

    def apply(self, shard: ShardThread, handle: Handle, keys: SrtpKeys) -> None:
        """Let the stream use these keys from now on."""
        from media.srtp.library import make_cipher  # here, so that who never encrypts does not load libsrtp

        if self._receiving != (keys.suite, keys.receive):
            self._receiving = keys.suite, keys.receive
            shard.set_cipher(handle, make_cipher(*self._receiving, sending=False), False)
        if self._sending != (keys.suite, keys.send):
            self._sending = keys.suite, keys.send
            shard.set_cipher(handle, make_cipher(*self._sending, sending=True), True)
