"""The surface that features see: everything a feature may import, and nothing else.

A feature is an app: a class with a `name` and a coroutine `run(call, ctx)` that controls one call and returns the
cause for which it ended. When the caller hangs up, the app is interrupted at its current await.
"""

from pathlib import Path
from typing import ClassVar, Protocol

from media.api import FileSource, ToneSource
from pbx.bridge import Bridge
from pbx.call import Call
from pbx.cause import BUSY, FORBIDDEN, NORMAL, NOT_ACCEPTABLE, NOT_FOUND, SERVER_ERROR, UNAVAILABLE, Cause
from pbx.dial import DialOutcome
from pbx.leg import Leg
from pbx.media_session import MediaRefused
from pbx.party import Party
from pbx.recording import Recording, Wanted
from storage.records import Terminal


class AppContext(Protocol):
    """What an app may ask of the server."""

    async def ring(self, call: Call, terminal: Terminal) -> DialOutcome:
        """Ring every contact of a terminal for the caller of `call`."""

    def terminal(self, number: str) -> Terminal | None:
        """The enabled terminal with that number."""

    async def play_failure(self, call: Call, cause: Cause) -> None:
        """Let a caller who is answered already hear, by the tone of the country, why nothing comes of it."""

    def recording_path(self, call: Call, name: str) -> Path:
        """Where a recording of the call belongs: a name of its own below the data folder."""

    async def prepare(self, call: Call) -> None:
        """Get media ports for the caller; needed before it can be answered. Raises `MediaRefused`."""


class App(Protocol):
    """What a feature is."""

    name: ClassVar[str]

    async def run(self, call: Call, ctx: AppContext) -> Cause: ...


__all__ = [
    "BUSY",
    "FORBIDDEN",
    "NORMAL",
    "NOT_ACCEPTABLE",
    "NOT_FOUND",
    "SERVER_ERROR",
    "UNAVAILABLE",
    "App",
    "AppContext",
    "Bridge",
    "Call",
    "Cause",
    "DialOutcome",
    "FileSource",
    "Leg",
    "MediaRefused",
    "Party",
    "Recording",
    "Terminal",
    "ToneSource",
    "Wanted",
]
