"""Sound files converted beside everything else: one at a time, in a process with the lowest priority."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from media.api import conversion


class ConversionFailed(Exception):
    """There is no such file now; the message says why."""


class Converter:
    """One per server."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def convert(self, source: Path, target: Path) -> None:
        """Make `target` (.mp3, .opus) of `source`; raises `ConversionFailed` with nothing made."""
        try:
            await self.run(conversion(source, target), target)
        except ConversionFailed as error:
            raise ConversionFailed(f"{source} could not be converted to {target.suffix[1:]}: {error}") from None

    async def run(self, command: Sequence[str], target: Path | None = None, given: str = "") -> str:
        """What a command of `media.api` prints, that makes `target` of `given` or of files; raises `ConversionFailed`
        with the last line of its complaints."""
        async with self._turn:
            if target is not None:
                await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            try:
                said, complained = await process.communicate(given.encode())
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
        if process.returncode:
            why = complained.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
            raise ConversionFailed(why[0])
        return said.decode("utf-8", "replace")
