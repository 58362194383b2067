"""Files over SSH. The key of the server is the one that the settings name, else the one that it showed first."""

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from conf.schema import AwaySettings
from pbx.away.place import CONNECT_S, PlaceFailed, partial

KNOWN = "known_hosts"
PORT = 22


class Sftp:
    def __init__(self, settings: AwaySettings, data: Path) -> None:
        self._settings, self._known = settings, data / KNOWN
        self._host, self._port = settings.host, settings.port or PORT
        self._folder = settings.path or "."

    @property
    def address(self) -> str:
        return f"sftp://{self._host}:{self._port}/{self._settings.path.lstrip('/')}"

    async def put(self, file: Path) -> None:
        async with self._opened() as there:
            await there.makedirs(self._folder, exist_ok=True)
            target = posixpath.join(self._folder, file.name)
            await there.put(str(file), partial(target))
            if await there.exists(target):
                await there.remove(target)
            await there.rename(partial(target), target)

    async def names(self) -> Sequence[str]:
        async with self._opened() as there:
            return [str(name) for name in await there.listdir(self._folder) if name not in (".", "..")]

    async def remove(self, name: str) -> None:
        async with self._opened() as there:
            await there.remove(posixpath.join(self._folder, name))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[asyncssh.SFTPClient]:
        try:
            key = await self._key()
            async with (
                asyncssh.connect(
                    self._host,
                    self._port,
                    username=self._settings.login or None,
                    password=self._settings.password,
                    known_hosts=([key], [], []),
                    client_keys=None,
                    agent_path=None,
                    config=None,
                    login_timeout=CONNECT_S,
                    connect_timeout=CONNECT_S,
                    keepalive_interval=CONNECT_S,
                ) as connection,
                connection.start_sftp_client() as there,
            ):
                yield there
        except asyncssh.PermissionDenied:
            raise PlaceFailed(f"{self.address} does not take login and password") from None
        except asyncssh.Error as error:
            raise PlaceFailed(f"{self.address}: {error.reason or type(error).__name__}") from None
        except (OSError, TimeoutError) as error:
            raise PlaceFailed(f"{self.address} cannot be reached: {error or 'no answer'}") from None

    async def _key(self) -> asyncssh.SSHKey:
        """What the server has to prove that it is."""
        text = self._settings.host_key or await asyncio.to_thread(self._remembered)
        if text:
            try:
                return asyncssh.import_public_key(text)
            except asyncssh.KeyImportError:
                raise PlaceFailed(f'the host key "{text[:40]}" of {self._host} is no public key of SSH') from None
        key = await asyncssh.get_server_host_key(self._host, self._port, config=None)
        if key is None:
            raise PlaceFailed(f"{self.address} shows no key")
        shown = key.export_public_key().decode().strip()
        await asyncio.to_thread(self._remember, shown)
        return key

    def _remember(self, shown: str) -> None:
        self._known.touch(0o600)
        with self._known.open("a", encoding="utf-8") as known:
            known.write(f"[{self._host}]:{self._port} {shown}\n")

    def _remembered(self) -> str:
        if not self._known.exists():
            return ""
        wanted = re.escape(f"[{self._host}]:{self._port}")
        found = re.search(rf"^{wanted} (.+)$", self._known.read_text("utf-8"), re.MULTILINE)
        return found[1] if found else ""
