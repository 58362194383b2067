"""A certificate that changes while the server runs: connections that stand go on, the next one is shown the new one."""

import asyncio
import logging
import ssl
from pathlib import Path

POLL_S = 2.0

log = logging.getLogger(__name__)


class LiveCertificate:
    """Looks at the files of a context from time to time."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        self._context, self._files = context, (certificate, key)
        self._seen = self._stamps()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self.poll()

    def poll(self) -> bool:
        """Whether another certificate is in force since. Files that do not belong together (yet) change nothing: they
        are looked at again when they have changed once more."""
        now = self._stamps()
        if now == self._seen or None in now:
            return False
        self._seen = now
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self._context.load_cert_chain(*self._files)
        except OSError as error:
            log.warning("the new certificate %s is not used: %s", self._files[0], error)
            return False
        log.info("another certificate is in force: %s", self._files[0])
        return True

    def _stamps(self) -> list[tuple[int, int] | None]:
        return [_stamp(each) for each in self._files]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
