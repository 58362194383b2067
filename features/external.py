"""Applications (FEAT-36): a call that a script controls, verb by verb, from a process of its own.

A script that fails, loops or dies ends its own call, with a line in the log that says where. The file is read anew for
each call; calls that are under way go on with what they began with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date, time
from typing import Any, ClassVar

from features.conversation import talk
from features.dialogue import Dialogue
from features.voicemail_record import record_until_key
from pbx.api import (
    BUSY,
    DECLINED,
    NORMAL,
    SERVER_ERROR,
    UNAVAILABLE,
    AppContext,
    Application,
    Arrived,
    Call,
    Cause,
    Collect,
    FileSource,
    GoTo,
    Inquiry,
    MediaRefused,
    Next,
    Office,
    Playlist,
    Ringing,
    ScriptFailed,
    Wanted,
    collect,
    say,
)

AREA = "scripts"  # of what they store
CAUSES = {"normal": NORMAL, "busy": BUSY, "declined": DECLINED, "unavailable": UNAVAILABLE}
Arguments = Mapping[str, Any]


class External:
    """The app behind the number of an application, or behind its pattern."""

    name: ClassVar[str] = "script"
    stage: ClassVar[str] = "application"

    def __init__(self, application: Application) -> None:
        self._application = application

    async def run(self, call: Call, ctx: AppContext) -> Next:
        try:
            return await self._control(call, ctx) or NORMAL
        except ScriptFailed as failure:
            call.log.error("the call script has failed, its call ends", script=self._application.file, why=str(failure))
            return await self._apologise(call, ctx)

    async def look_at(self, call: Call, ctx: AppContext) -> Next | None:
        """Let the script see a call that another app controls: None when it goes on there (INB-21). What fails in the
        script does not keep the call from it."""
        try:
            return await self._control(call, ctx)
        except ScriptFailed as failure:
            call.log.error(
                "the call script has failed, its call goes on", script=self._application.file, why=str(failure)
            )
            return None

    async def _control(self, call: Call, ctx: AppContext) -> Next | None:
        """None when the script has come to its end."""
        file, caller = self._application.file, call.calling
        facts = {
            "id": call.id,
            "conversation": call.linkedid,
            "number": call.to.number,
            "caller": caller.shown_number,
            "caller_name": caller.name,
            "language": caller.language or ctx.office.language,
        }
        await ctx.prepare(call)
        script = await ctx.scripts.begin(file, facts)
        try:
            return await Verbs(call, ctx).carry_out(script.next, script.reply)
        finally:
            await asyncio.shield(asyncio.ensure_future(script.close()))

    @staticmethod
    async def _apologise(call: Call, ctx: AppContext) -> Cause:
        if call.caller.is_answered:
            await Dialogue(call.caller, ctx).say("call-error")
        return SERVER_ERROR

    def explain(self, asked: Inquiry, ctx: AppContext) -> Arrived:
        asked.tried("applications", matched=True, why=say("{file} controls the call", file=self._application.file))
        return Arrived((self._application.number,), say("runs a script"))


def claim(office: Office, number: str) -> External | None:
    """The application whose pattern fits a number; of several the one that says most about it."""
    fitting = [each for each in office.applications if each.fits(number)]
    return External(min(fitting, key=lambda each: each.number.count("X"))) if fitting else None


def named(office: Office, number: str) -> External | None:
    """The application of exactly that number."""
    return next((External(each) for each in office.applications if each.number == number), None)


class Verbs:
    """What a script asks for, done to its call."""

    def __init__(self, call: Call, ctx: AppContext) -> None:
        self._call, self._ctx, self._leg = call, ctx, call.caller
        self._said: dict[str, FileSource] = {}

    async def carry_out(
        self, wanted: Callable[[], Awaitable[Arguments | None]], reply: Callable[[Mapping[str, object]], None]
    ) -> Next | None:
        """Until the script ends (None) or sends the call on."""
        while (said := await wanted()) is not None:
            arguments = dict(said)
            verb = str(arguments.pop("verb", ""))
            try:
                if verb == "transfer":
                    return GoTo(str(arguments["target"]))
                if verb == "hangup":
                    return CAUSES[arguments["why"]]
                result = await self._do(verb, arguments)
            except (KeyError, TypeError, ValueError) as mistake:
                reply({"refused": f"{verb}: {mistake.args[0] if mistake.args else mistake}"})
            else:
                reply({"result": result})
        return None

    async def _do(self, verb: str, arguments: dict[str, Any]) -> object:
        do: Callable[..., Awaitable[object]] | None = getattr(self, f"do_{verb}", None)
        if do is None:
            raise ValueError("there is no such verb")
        return await do(**arguments)

    # --- verbs ------------------------------------------------------------------------------------------------------

    async def do_answer(self) -> None:
        try:
            self._leg.answer()
        except MediaRefused as refusal:
            raise ValueError(f"the call cannot be answered: {refusal}") from None

    async def do_play(self, sounds: list[str]) -> None:
        files = [self._said.get(each) or self._ctx.sound(each) for each in sounds]
        if None in files:
            raise ValueError(f'there is no sound "{sounds[files.index(None)]}"')
        await self.do_answer()
        await self._leg.play(Playlist(tuple(file for file in files if file is not None)))

    async def do_say(self, what: str, value: Any) -> None:
        await self.do_answer()
        if what == "date":
            value = date.fromisoformat(value)
        elif what == "time":
            value = time.fromisoformat(value)
        await Dialogue(self._leg, self._ctx).say(f"say-{what}", value=value)

    async def do_digits(self, most: int, sound: str, first: float, next: float, end: str) -> str:
        file = self._ctx.sound(sound)
        if sound and file is None:
            raise ValueError(f'there is no sound "{sound}"')
        await self.do_answer()
        return (await collect(self._leg, Collect(most, first, next, end), file)).digits

    async def do_record(self, longest: float, silence: float) -> str:
        await self.do_answer()
        path = self._ctx.recording_path(self._call, "script")
        reason, seconds = await record_until_key(
            self._leg, Wanted(path, max_s=longest, max_silence_s=silence, keep="call")
        )
        if reason:
            raise ValueError(f"the recording failed: {reason}")
        if not seconds:
            return ""
        name = f"recording-{len(self._said) + 1}"
        self._said[name] = FileSource(str(path))
        return name

    async def do_dial(self, number: str, ring_time: float) -> str:
        terminal = self._ctx.terminal(number)
        if terminal is None:
            raise ValueError(f'there is no terminal "{number}"')
        outcome = await self._ctx.ring(self._call, terminal, how=Ringing(float(ring_time), follows=False))
        if outcome.answered is None:
            return outcome.cause.name
        await talk(self._call, outcome.answered)
        return "answered"

    async def do_caller(self, name: str | None, number: str | None) -> None:
        party = self._leg.party
        shown = replace(party, presented=party.presented if number is None else number)
        self._leg.party = shown if name is None else replace(shown, name=name)

    async def do_language(self, language: str) -> None:
        self._leg.party = replace(self._leg.party, language=language)

    async def do_music(self, seconds: float) -> None:
        await self.do_answer()
        self._ctx.play_hold(self._leg)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._leg.stop_plays()

    async def do_wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do_log(self, text: str) -> None:
        self._call.log.info("the call script says", text=text)

    async def do_get(self, kind: str, name: str) -> str | None:
        return self._values(kind).get(name)

    async def do_names(self, kind: str) -> list[str]:
        return sorted(self._values(kind))

    async def do_put(self, kind: str, name: str, value: str | None) -> None:
        if kind == "stored":
            self._ctx.states.put(AREA, name, value)
        elif value is None:
            self._call.variables.pop(name, None)
        else:
            self._call.variables[name] = value

    def _values(self, kind: str) -> Mapping[str, str]:
        return self._ctx.states.of(AREA) if kind == "stored" else self._call.variables
