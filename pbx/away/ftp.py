"""Files over FTP, encrypted (RFC 4217) unless the settings say otherwise. Its module of the standard library waits for
the network, so it has a thread."""

import asyncio
import ftplib
import posixpath
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from conf.schema import AwaySettings
from pbx.away.place import CONNECT_S, PlaceFailed, partial

PORT = 21
T = TypeVar("T")


class Ftp:
    def __init__(self, settings: AwaySettings) -> None:
        self._settings = settings
        self._host, self._port = settings.host, settings.port or PORT

    @property
    def address(self) -> str:
        return f"ftp://{self._host}:{self._port}/{self._settings.path.lstrip('/')}"

    async def put(self, file: Path) -> None:
        def stored(there: ftplib.FTP) -> None:
            with file.open("rb") as content:
                there.storbinary(f"STOR {partial(file.name)}", content, blocksize=1 << 16)
            there.rename(partial(file.name), file.name)

        await self._with(stored)

    async def names(self) -> Sequence[str]:
        return [posixpath.basename(name) for name in await self._with(lambda there: there.nlst())]

    async def remove(self, name: str) -> None:
        await self._with(lambda there: there.delete(name))

    async def _with(self, step: Callable[[ftplib.FTP], T]) -> T:
        def done() -> T:
            with self._opened() as there:
                return step(there)

        return await asyncio.to_thread(done)

    @contextmanager
    def _opened(self) -> Iterator[ftplib.FTP]:
        """A connection in the folder."""
        settings = self._settings
        try:
            with self._client() as there:
                there.connect(self._host, self._port)
                there.login(settings.login, settings.password)
                if isinstance(there, ftplib.FTP_TLS):
                    there.prot_p()
                _enter(there, settings.path)
                yield there
        except ftplib.error_perm as error:
            if str(error).startswith("530"):
                raise PlaceFailed(f"{self.address} does not take login and password") from None
            raise PlaceFailed(f"{self.address}: {error}") from None
        except ftplib.Error as error:
            raise PlaceFailed(f"{self.address}: {error}") from None
        except (OSError, EOFError) as error:
            raise PlaceFailed(f"{self.address} cannot be reached: {error or 'the connection was closed'}") from None

    def _client(self) -> ftplib.FTP:
        if not self._settings.tls:
            return ftplib.FTP(timeout=CONNECT_S)
        context = ssl.create_default_context(cafile=self._settings.ca or None)
        return ftplib.FTP_TLS(timeout=CONNECT_S, context=context)


def _enter(there: ftplib.FTP, path: str) -> None:
    """Go into a folder, which is made where it is missing."""
    if path.startswith("/"):
        there.cwd("/")
    for part in filter(None, path.split("/")):
        try:
            there.cwd(part)
        except ftplib.error_perm:
            there.mkd(part)
            there.cwd(part)
