"""Where scripts run: the port, and the processes behind it.

A script that does nothing for ten seconds but think (`while True: pass`) is ended with all that it has started.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

THINKS_S = 10.0  # between two verbs: a slow web service answers in that time, and callers do not wait for longer
FAREWELL_S = 1.0  # for `finally` of a script whose caller is gone
MOST = 64  # at once: each takes 15 MB
LONGEST_LINE = 1 << 20
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")


class ScriptFailed(Exception):
    """The script cannot go on; the message says why, and where in its file."""


class Running(Protocol):
    """One script that runs."""

    async def next(self) -> Mapping[str, Any] | None:
        """What it asks for next, None when it has ended; raises `ScriptFailed`."""

    def reply(self, answer: Mapping[str, object]) -> None:
        """`result`, or `refused` and why."""

    async def close(self) -> None:
        """It is not wanted any more."""


class ScriptHost(Protocol):
    async def begin(self, file: str, facts: Mapping[str, str]) -> Running:
        """Start the script as its file is now; raises `ScriptFailed`."""


class Processes:
    """A process for each script."""

    def __init__(self) -> None:
        self._running = 0

    async def begin(self, file: str, facts: Mapping[str, str]) -> "Running":
        if self._running >= MOST:
            raise ScriptFailed(f"{MOST} scripts run already")
        command = [sys.executable, "-P", "-m", "pbx.script.host", file, json.dumps(dict(facts))]
        folder = Path(file).parent
        pipe, same_path = asyncio.subprocess.PIPE, {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._running += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=pipe,
                stdout=pipe,
                cwd=folder if folder.is_dir() else None,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ} | same_path,
                start_new_session=True,
                limit=LONGEST_LINE,
            )
        except OSError as error:
            self._running -= 1
            raise ScriptFailed(f"no process can be started: {error.strerror}") from None
        return _Process(process, self)

    def ended(self) -> None:
        self._running -= 1


class _Process:
    def __init__(self, process: asyncio.subprocess.Process, hosts: Processes) -> None:
        self._process, self._hosts = process, hosts

    async def next(self) -> Mapping[str, Any] | None:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(THINKS_S):
                line = await self._process.stdout.readline()
            said = json.loads(line) if line else None
        except TimeoutError:
            raise ScriptFailed(f"it did nothing for {THINKS_S:g} s") from None
        except ValueError:
            raise ScriptFailed("what it says is no verb") from None
        if not isinstance(said, dict):
            raise ScriptFailed(f"its process ended ({await self._process.wait()})")
        if "failed" not in said:
            return said
        if said["failed"]:
            raise ScriptFailed(said["failed"])
        return None

    def reply(self, answer: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(answer).encode() + b"\n")

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._hosts.ended()
            await self._process.wait()
