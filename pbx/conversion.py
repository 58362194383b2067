"""Sound files converted beside everything else: one at a time, in a process with the lowest priority."""

import asyncio
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
        async with self._turn:
            await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *conversion(source, target),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                _, said = await process.communicate()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
        if process.returncode:
            why = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
            raise ConversionFailed(f"{source} could not be converted to {target.suffix[1:]}: {why[0]}")
