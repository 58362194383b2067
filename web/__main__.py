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

from pbx.control.link import ControlLink
from web.accounts import Accounts, Passwords
from web.app import attach, create_app
from web.core import Core
from web.door import Door


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
    parser.add_argument("--certificate", default=None)
    parser.add_argument("--key", default=None)
    uvloop.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    core = Core(ControlLink(options.data), options.data)
    accounts = Accounts(core, Passwords())
    password = await accounts.first()
    app = create_app()
    attach(app, core, await Door.open(core, accounts))
    config = uvicorn.Config(
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

    def started() -> None:
        os.write(options.ready, json.dumps({"password": password}).encode() + b"\n")
        os.close(options.ready)

    server = _Server(config, started)

    def stop() -> None:
        server.should_exit = True

    asyncio.get_running_loop().add_reader(options.life, stop)  # readable: the parent has closed its end
    with socket.socket(fileno=options.fd) as listener:
        await server.serve([listener])
    await core.link.close()


if __name__ == "__main__":
    main()
