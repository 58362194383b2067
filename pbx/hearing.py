"""Spoken commands (IVR-1): what a party says is looked through for phrases, by a process of its own.

Nobody waits for it: keys work always, and where phrases cannot be heard, or the process is gone, nothing is heard.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import structlog

from media.api import recognition
from pbx.recording import Recording, Wanted
from storage.records import Office

if TYPE_CHECKING:
    from pbx.leg import Leg

log = structlog.get_logger("speech")

MOST = 16  # at once, half a processor; whoever comes then has the keys
AGAIN_S = 10.0  # before a process that ended is started anew
Heard = Callable[[str], None]


class Listening(Protocol):
    """One party that is listened to."""

    def stop(self) -> None: ...


class Hearing(Protocol):
    """The port: what apps need of a speech recogniser."""

    def listen(self, leg: "Leg", language: str, phrases: Collection[str], heard: Heard) -> Listening:
        """Tell `heard` each of the phrases that the party says, until it is stopped."""


class Deaf:
    """No recogniser."""

    def listen(self, leg: "Leg", language: str, phrases: Collection[str], heard: Heard) -> Listening:
        return self

    def stop(self) -> None: ...


class Recogniser:
    """Begins its process with the first party; what is listened to lies in a folder that only we can read."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self._command = recognition(models)
        self._folder: TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._not_before = 0.0
        self._ids = count(1)
        self._heard: dict[int, Heard] = {}
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, leg: "Leg", language: str, phrases: Collection[str], heard: Heard) -> Listening:
        if len(self._heard) >= MOST:
            log.warning("too many callers are listened to already", call=leg.call.id, most=MOST)
            return Deaf()
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="zvon-speech-")
        id = next(self._ids)
        file = Path(self._folder.name) / f"{id}.wav"
        self._heard[id] = heard
        self._do(self._send({"id": id, "language": language, "phrases": list(phrases), "file": str(file)}))
        return _Party(self, id, leg.record(Wanted(file)))

    async def problem(self, language: str, phrases: Collection[str]) -> str:
        """Why the phrases cannot be heard, "" when they can."""
        id = next(self._ids)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked[id] = answer
        await self._send({"id": id, "language": language, "phrases": list(phrases)})
        return await answer

    def apply(self, office: Office) -> None:
        """A line in the log for each menu whose phrases cannot be heard."""
        self._do(self._tell_problems(office))

    async def _tell_problems(self, office: Office) -> None:
        for number, problem in await self.problems(office):
            log.warning("the spoken commands of a menu cannot be heard, its keys work", menu=number, why=problem)

    async def problems(self, office: Office) -> list[tuple[str, str]]:
        """Menus whose phrases cannot be heard, and why."""
        menus = [(menu, [each for some in menu.phrases.values() for each in some]) for menu in office.ivrs]
        found = [(menu.number, await self.problem(office.language, said)) for menu, said in menus if said]
        return [(number, problem) for number, problem in found if problem]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            await process.wait()
        if self._folder is not None:
            self._folder.cleanup()

    def forget(self, id: int) -> None:
        """Nobody listens to that party any more."""
        self._heard.pop(id, None)
        if self._process is not None:
            self._do(self._send({"id": id, "stop": True}))

    # --- the process ------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, request: Mapping[str, object]) -> None:
        async with self._starting:
            if self._process is None and not await self._start():
                self._answer({"id": request["id"], "problem": "the speech recogniser does not start"})
                return
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    async def _start(self) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            return False
        self._not_before = loop.time() + AGAIN_S
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        except OSError as error:
            log.error("the speech recogniser cannot be started", why=str(error))
            return False
        self._do(self._read(self._process))
        return True

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self._answer(json.loads(line))
        status = await process.wait()
        if self._process is process:
            log.error("the speech recogniser has ended: menus go by keys", status=status)
            self._process = None
            for id in list(self._asked):
                self._answer({"id": id, "problem": "the speech recogniser has ended"})

    def _answer(self, answer: Mapping[str, object]) -> None:
        id = int(str(answer["id"]))
        if (asked := self._asked.pop(id, None)) is not None:
            asked.set_result(str(answer["problem"]))
        elif "heard" in answer and id in self._heard:
            self._heard[id](str(answer["heard"]))


class _Party:
    """One party that is listened to; what was kept for it is thrown away."""

    def __init__(self, recogniser: Recogniser, id: int, recording: Recording) -> None:
        self._recogniser, self._id, self._recording = recogniser, id, recording
        recording.ended.add_done_callback(lambda _: recording.discard())

    def stop(self) -> None:
        self._recogniser.forget(self._id)
        self._recording.stop()
