"""The caller of an app under test as somebody who listens and presses keys; prompts are the scripted ones."""

import asyncio

from media.api import FileSource, Play, PlaySource, StartRecording, ToneSource
from tests.support.fakepbx import FakePbx
from tests.support.prompts import keys_of

STEP_S = 0.1


class Ear:
    """`said` is everything that was heard, in order: keys of prompts, paths of files, `tone`."""

    def __init__(self, pbx: FakePbx) -> None:
        self._pbx = pbx
        self._heard = 0  # commands of the engine
        self.said: list[str] = []

    @property
    def _endpoint(self) -> int:
        return self._pbx.caller.media.endpoint

    async def hear(self, wanted: str, most: int = 60) -> list[str]:
        """Listen until this is said, everything before it to its end; it plays on. What is said with it."""
        for _ in range(most):
            await asyncio.sleep(STEP_S)
            now = self._now_playing()
            if any(each.removeprefix("en:").startswith(wanted) for each in now):
                return now
            if now:
                self._pbx.engine.finish_play(self._endpoint)
        raise AssertionError(f"{wanted} was not said; but {self.said}")

    async def hear_all(self, most: int = 60) -> None:
        """Listen to everything to its end, until nothing more comes."""
        for _ in range(most):
            await asyncio.sleep(STEP_S)
            if self._now_playing():
                self._pbx.engine.finish_play(self._endpoint)
            elif self._pbx.ended.done():
                return

    def finish(self) -> None:
        """What plays comes to its end."""
        self._pbx.engine.finish_play(self._endpoint)

    def press(self, keys: str) -> None:
        self._pbx.engine.press(self._endpoint, keys)

    async def recorded(self) -> StartRecording:
        """The recording that begins after the tone."""
        await self.hear("tone")
        self.finish()
        await asyncio.sleep(STEP_S)
        (found,) = self._pbx.engine.recordings.values()
        assert isinstance(found, StartRecording)
        return found

    def _now_playing(self) -> list[str]:
        found = self._pbx.engine.endpoints.get(self._endpoint)
        if found is None or found.play is None:
            return []
        plays = [each for each in self._pbx.engine.of(Play) if each.endpoint == self._endpoint]
        now = _names(plays[-1].source)
        if len(plays) > self._heard:
            self._heard = len(plays)
            self.said += now
        return now


def _names(source: PlaySource) -> list[str]:
    if isinstance(source, ToneSource):
        return ["tone"]
    return [source.path] if isinstance(source, FileSource) else keys_of(source)
