"""The web process: started with the server, watched, started again when it ends (`python -m web`).

The socket is opened here, so a port that is taken is said before anything starts, and no client is refused while the
process starts again.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import structlog

from conf.fields import Listen
from conf.schema import Settings
from pbx.certificate import ServerCertificate, check_pair
from pbx.control.messages import ControlError

ROOT = Path(__file__).resolve().parent.parent
START_S = 120.0  # two seconds of work after the server is there; a busy machine takes longer
STOP_S = 5.0
AGAIN_S = (0.5, 2.0, 10.0, 30.0)  # before the next start; the last one for ever
STEADY_S = 60.0  # of a life after which the next start is a first one
BACKLOG = 128

log = structlog.get_logger("web")


class WebProcess:
    """`url` is where it answers, `password` the one-time password of the first administrator, "" when there is one."""

    def __init__(self, settings: Settings, data: Path) -> None:
        self._web, self._data = settings.web, data
        self._pair: tuple[Path, Path] | None = None
        if self._web.tls:
            self._pair = _certificate(settings, data)
        self._listener: socket.socket | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._life: socket.socket | None = None
        self._watching: asyncio.Task[None] | None = None
        self._said = -1  # the pipe by which the process says that it answers
        self.url = self.password = ""

    def start(self) -> None:
        """Open the socket and start the process, which waits for the control socket of the server; raises
        `ControlError` with a sentence."""
        if self._web.listen is None:
            return
        self._listener = _open(self._web.listen)
        self._said = self._spawn()

    async def ready(self) -> None:
        """Return when it answers; raises `ControlError` with a sentence."""
        if self._listener is None:
            return
        self.password = await self._answers()
        host, port = self._listener.getsockname()[:2]
        self.url = f"{'https' if self._pair else 'http'}://{Listen(host, port)}"
        self._watching = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if self._life is not None:
            self._life.close()  # which the process takes as its end
        if self._child is not None and await self._ended(self._child, STOP_S) is None:
            self._child.kill()
            await self._ended(self._child, STOP_S)
        if self._listener is not None:
            self._listener.close()
        if self._said >= 0:
            os.close(self._said)
        self._child = self._listener = self._life = None
        self._said = -1

    def _spawn(self) -> int:
        """Start the process; the end of a pipe by which it says that it answers."""
        assert self._listener is not None
        if self._life is not None:
            self._life.close()
        self._life, theirs = socket.socketpair()
        said, say = os.pipe()
        try:
            self._child = self._begin(self._listener.fileno(), say, theirs.fileno())
        except BaseException:
            os.close(said)
            raise
        finally:
            os.close(say)
            theirs.close()
        return said

    async def _answers(self) -> str:
        """Wait until it answers; the one-time password that it has made."""
        said, self._said = self._said, -1
        line = await _first_line(said, START_S)
        if not line:
            raise ControlError("the web process does not start: its error stands above")
        return str(json.loads(line)["password"])

    def _begin(self, listener: int, ready: int, life: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "web", "--data", str(self._data.absolute())]
        command += ["--fd", str(listener), "--ready", str(ready), "--life", str(life)]
        command += ["--trust-local"] if self._web.trust_local else []
        if self._pair is not None:
            command += ["--certificate", str(self._pair[0]), "--key", str(self._pair[1])]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": path}
        passed = [listener, ready, life]
        return subprocess.Popen(
            command, pass_fds=passed, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )

    async def _watch(self) -> None:
        """Calls go on without it; it comes back by itself."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            assert self._child is not None
            began = loop.time()
            code = await self._ended(self._child)
            failures = 0 if loop.time() - began > STEADY_S else failures
            wait_s = AGAIN_S[min(failures, len(AGAIN_S) - 1)]
            log.error("the web process has ended and starts again", code=code, after_s=wait_s)
            await asyncio.sleep(wait_s)
            failures += 1
            with contextlib.suppress(ControlError):  # logged in the next round
                self._said = self._spawn()
                await self._answers()

    async def _ended(self, child: "subprocess.Popen[bytes]", within_s: float | None = None) -> int | None:
        """Its exit code; None when it is still there after that time."""
        waited_s, step_s = 0.0, 0.02
        while child.poll() is None and (within_s is None or waited_s < within_s):
            await asyncio.sleep(step_s)
            waited_s += step_s
            step_s = min(step_s * 1.5, 0.5)
        return child.poll()


def _open(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listen.host, listen.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ControlError(
            f"the web cannot listen on {listen}: {error.strerror}; change [web] listen in the settings "
            'or stop that program ("" is no web)'
        ) from None
    return listener


def _certificate(settings: Settings, data: Path) -> tuple[Path, Path]:
    """The files of [web], else those of [sip], made when there are none."""
    web = settings.web
    if web.certificate:
        pair = data / web.certificate, data / web.key
        check_pair(*pair, dt.datetime.now(dt.UTC))
        return pair
    return ServerCertificate.open(settings.sip, data).files


async def _first_line(descriptor: int, within_s: float) -> bytes:
    """What a pipe says first; b"" when nothing comes in time or its other end closes."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(within_s):
            return await reader.readline()
    except TimeoutError:
        return b""
    finally:
        transport.close()
