"""The web process: `python -m web --data DIR --fd N --ready N`, started and watched by `zvon run`.

The parent has opened the socket. The process says that it answers by one JSON line on `--ready`, which it keeps open;
when the parent goes, `--life` ends and the process with it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from pbx.control.link import ControlLink, ServerGone
from web.accounts import Accounts, Passwords
from web.app import attach, create_app
from web.border import Border
from web.certificate import LiveCertificate
from web.core import Core
from web.door import Door
from web.hooks import Webhooks

POLL_S = 0.1


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The parent has them."""
        yield


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m web")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--life", type=int, required=True)
    parser.add_argument("--trust-local", action="store_true")
    parser.add_argument("--certificate", default=None)
    parser.add_argument("--key", default=None)
    uvloop.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    core, over = Core(ControlLink(options.data), options.data), asyncio.Event()
    asyncio.get_running_loop().add_reader(options.life, over.set)  # readable: the parent has closed its end
    with socket.socket(fileno=options.fd) as listener:
        if not await _server_is_there(core, over):
            return
        accounts, app, hooks, border = Accounts(core, Passwords()), create_app(), Webhooks(core), Border(core)
        password = await accounts.first()
        door = await Door.open(core, accounts, border, trusts_local=options.trust_local)
        attach(app, core, door, hooks)
        await hooks.refresh()
        server = _Server(_config(app, options), lambda: _say(options.ready, password))
        server.config.load()  # the context of TLS, before anybody looks at it
        tasks = (_end(server, over), _keep_certificate(server, options), border.watch())
        beside = [asyncio.ensure_future(each) for each in tasks]
        await server.serve([listener])
        for task in beside:
            task.cancel()
        await hooks.close()
    await core.link.close()


def _config(app: FastAPI, options: argparse.Namespace) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        timeout_graceful_shutdown=2,
        ws="websockets-sansio",
        proxy_headers=False,
    )


def _say(ready: int, password: str) -> None:
    os.write(ready, json.dumps({"password": password}).encode() + b"\n")
    os.close(ready)


async def _keep_certificate(server: _Server, options: argparse.Namespace) -> None:
    """A certificate that is renewed counts without a restart."""
    if server.config.ssl is not None:
        await LiveCertificate(server.config.ssl, Path(options.certificate), Path(options.key)).watch()


async def _end(server: _Server, over: asyncio.Event) -> None:
    await over.wait()
    server.should_exit = True


async def _server_is_there(core: Core, over: asyncio.Event) -> bool:
    """The server starts beside this process; False when it is over before that."""
    while not over.is_set():
        try:
            await core.snapshot()
        except ServerGone:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), POLL_S)
        else:
            return True
    return False


if __name__ == "__main__":
    main()
