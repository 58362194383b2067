"""Numbers to test a phone with (FEAT-32): the own number said, an echo, a 1000 Hz tone, and a recording played back."""

import asyncio
from typing import ClassVar

from pbx.api import NORMAL, SERVER_ERROR, AppContext, Call, Cause, FileSource, ToneSource, Wanted

OWN_NUMBER = "000063"
ECHO_NUMBER = "10003246"
TONE_NUMBER = "000064"
RECORDING_NUMBER = "000065"
RECORDED_S = 8.0  # two or three sentences
BEEP = ToneSource((((1000.0,), 300),), loop=False, level_db=-20.0)
TONE = ToneSource((((1000.0,), 1000),), loop=True, level_db=-10.0)
REPEATED_S = 1.0  # after so long the number is said again


class SayOwnNumber:
    """Says the number of the caller, twice, in the caller's language."""

    name: ClassVar[str] = "number"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        caller = call.caller
        caller.answer()
        said = ctx.prompts.say("call-own-number", number=caller.party.shown_number, language=caller.party.language)
        await caller.start_play(said)
        await asyncio.sleep(REPEATED_S)
        await caller.start_play(said)
        return NORMAL


class Echo:
    """Sends back what the caller says, in whatever codec the caller prefers."""

    name: ClassVar[str] = "echo"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        call.caller.answer(call.caller.media.offered_formats)
        call.caller.echo()
        await call.caller.until_ended()
        return NORMAL


class MilliwattTone:
    """Plays 1000 Hz until the caller hangs up."""

    name: ClassVar[str] = "tone"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        call.caller.answer()
        await call.caller.start_play(TONE)
        return NORMAL


class RecordAndPlayBack:
    """A beep, a recording of what the caller says, and the same played back: how others hear this phone."""

    name: ClassVar[str] = "recording"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        caller = call.caller
        caller.answer()
        await caller.start_play(BEEP)
        recording = caller.record(Wanted(ctx.recording_path(call, "test"), max_s=RECORDED_S))
        try:
            outcome = await asyncio.shield(recording.ended)
            if not outcome.duration_ms:
                return SERVER_ERROR
            await caller.start_play(FileSource(outcome.path))
        finally:
            recording.stop()
            recording.ended.add_done_callback(lambda _: recording.discard())
        return NORMAL
