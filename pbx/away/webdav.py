"""Files over WebDAV (RFC 4918), by HTTPS unless the settings say otherwise. The standard library waits for the network,
so it has a thread."""

import asyncio
import base64
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from io import BufferedReader
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from conf.schema import AwaySettings
from pbx.away.place import CONNECT_S, PlaceFailed, partial

MOST_LISTED = 8 * 1024 * 1024  # octets of a listing
UNAUTHORISED, GONE_ALREADY, EXISTS = (401, 403), 404, 405
PROPFIND = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'


class WebDav:
    def __init__(self, settings: AwaySettings) -> None:
        self._settings = settings
        self._port = settings.port or (443 if settings.tls else 80)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._base = f"{'https' if settings.tls else 'http'}://{host}:{self._port}"
        self._parts = [quote(part) for part in settings.path.split("/") if part]

    @property
    def address(self) -> str:
        return self._base + self._path()

    async def put(self, file: Path) -> None:
        await asyncio.to_thread(self._put, file)

    async def names(self) -> Sequence[str]:
        return await asyncio.to_thread(self._names)

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(self._remove, name)

    def _put(self, file: Path) -> None:
        with self._opened() as server, file.open("rb") as content:
            for depth in range(1, len(self._parts) + 1):
                self._ask(server, "MKCOL", f"/{'/'.join(self._parts[:depth])}/", but=EXISTS)
            length = {"Content-Length": str(file.stat().st_size)}
            self._ask(server, "PUT", self._path(partial(file.name)), content, length)
            moved = {"Destination": self._base + self._path(file.name), "Overwrite": "T"}
            self._ask(server, "MOVE", self._path(partial(file.name)), headers=moved)

    def _names(self) -> Sequence[str]:
        with self._opened() as server:
            headers = {"Depth": "1", "Content-Type": "application/xml"}
            listing = self._ask(server, "PROPFIND", self._path(), PROPFIND, headers)
        try:
            if len(listing) > MOST_LISTED or b"<!DOCTYPE" in listing:
                raise ElementTree.ParseError
            links = [each.text or "" for each in ElementTree.fromstring(listing).iter("{DAV:}href")]
        except ElementTree.ParseError:
            raise PlaceFailed(f"{self.address} answers with something else than a listing of WebDAV") from None
        return [PurePosixPath(unquote(urlsplit(link).path)).name for link in links if not link.endswith("/")]

    def _remove(self, name: str) -> None:
        with self._opened() as server:
            self._ask(server, "DELETE", self._path(name), but=GONE_ALREADY)

    @contextmanager
    def _opened(self) -> Iterator[HTTPConnection]:
        settings = self._settings
        try:
            if settings.tls:
                trusted = ssl.create_default_context(cafile=settings.ca or None)
                server: HTTPConnection = HTTPSConnection(settings.host, self._port, timeout=CONNECT_S, context=trusted)
            else:
                server = HTTPConnection(settings.host, self._port, timeout=CONNECT_S)
            try:
                yield server
            finally:
                server.close()
        except (HTTPException, OSError) as error:
            raise PlaceFailed(f"{self.address} cannot be reached: {error or type(error).__name__}") from None

    def _ask(
        self,
        server: HTTPConnection,
        method: str,
        path: str,
        body: bytes | BufferedReader | None = None,
        headers: Mapping[str, str] | None = None,
        but: int = 0,
    ) -> bytes:
        """The body of the answer; `but` is a status that is fine as well."""
        settings = self._settings
        sent = dict(headers or {})
        if settings.login:
            credentials = base64.b64encode(f"{settings.login}:{settings.password}".encode()).decode()
            sent["Authorization"] = f"Basic {credentials}"
        server.request(method, path, body, sent)
        response = server.getresponse()
        answered = response.read(MOST_LISTED + 1)
        response.close()
        if response.status in UNAUTHORISED:
            raise PlaceFailed(f"{self.address} does not take login and password")
        if not 200 <= response.status < 300 and response.status != but:
            raise PlaceFailed(f"{self.address} answers HTTP {response.status} {response.reason}")
        return answered

    def _path(self, name: str = "") -> str:
        return "".join(f"/{part}" for part in self._parts) + f"/{quote(name)}"
