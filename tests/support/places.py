"""Real servers that take files, on the loopback: SFTP, FTP and WebDAV. Login "zvon", password "Secret_1"."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncssh
from cheroot import wsgi
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer
from wsgidav.wsgidav_app import WsgiDAVApp

LOGIN, PASSWORD, HOST = "zvon", "Secret_1", "127.0.0.1"


class _Door(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (LOGIN, PASSWORD)


@asynccontextmanager
async def sftp_server(folder: Path, key: asyncssh.SSHKey, port: int = 0) -> AsyncIterator[int]:
    """Its port."""
    server = await asyncssh.listen(
        HOST,
        port,
        server_factory=_Door,
        server_host_keys=[key],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder).encode()),
        config=None,
    )
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)  # connections that are closing


@contextmanager
def ftp_server(folder: Path, pem: Path | None = None) -> Iterator[int]:
    """Its port; with a certificate it takes nobody in the clear."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(LOGIN, PASSWORD, str(folder), perm="elradfmwMT")
    parent = FTPHandler if pem is None else TLS_FTPHandler
    values: dict[str, object] = {"authorizer": authorizer, "passive_ports": None}
    if pem is not None:
        values |= {"certfile": str(pem), "tls_control_required": True, "tls_data_required": True}
    loop = IOLoop()
    server = FTPServer((HOST, 0), type("Handler", (parent,), values), ioloop=loop)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            server.serve_forever(timeout=0.02, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.address[1]
    finally:
        ended.set()
        thread.join()


@contextmanager
def webdav_server(folder: Path) -> Iterator[int]:
    """Its port, in the clear."""
    settings = {
        "provider_mapping": {"/": str(folder)},
        "simple_dc": {"user_mapping": {"*": {LOGIN: {"password": PASSWORD}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "verbose": 0,
        "logging": {"enable": False, "enable_loggers": []},
    }
    server = wsgi.Server((HOST, 0), WsgiDAVApp(settings), numthreads=2, shutdown_timeout=1)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.bind_addr[1]
    finally:
        with contextlib.suppress(OSError):
            server.stop()
        thread.join()
