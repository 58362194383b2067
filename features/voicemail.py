"""A caller leaves a message (VM-1, VM-2): the greeting, a tone, the message until its maker says so, hangs up or has
nothing more to say. Whatever way it ends, what was said is kept."""

from typing import ClassVar

from features.dialogue import Dialogue
from features.voicemail_record import record_until_key
from features.voicemail_settings import greeting_of
from features.voicemail_visit import visit
from pbx.api import (
    NORMAL,
    SERVER_ERROR,
    SHORTEST_S,
    UNAVAILABLE,
    AppContext,
    Call,
    Cause,
    Next,
    VoicemailBox,
    Wanted,
    box_for,
)

OWNER_KEY = "*"
TRIES = 2  # to say something


class Voicemail:
    """The service `voicemail`: the box of the number that sent the caller here, or of the one that was dialled."""

    name: ClassVar[str] = "voicemail"
    stage: ClassVar[str] = "voicemail"

    async def run(self, call: Call, ctx: AppContext) -> Next:
        numbers = [party.number for party in (call.previous, call.to) if party is not None]
        box = box_for(ctx.office, *numbers)
        if box is None:
            return UNAVAILABLE
        await ctx.prepare(call)
        call.caller.answer()
        dialogue = Dialogue(call.caller, ctx)
        call.caller.digits.forget()  # keys of a menu before are not meant for us
        if ctx.mailboxes.is_full(box.number):
            await dialogue.say("voicemail-full", "call-goodbye")
            return NORMAL
        if await dialogue.key(greeting_of(ctx, box) or dialogue.prompt("voicemail-leave"), first_s=0.0) == OWNER_KEY:
            return await visit(call, ctx, box, is_own=False)
        return await self._take(call, ctx, box, dialogue)

    async def _take(self, call: Call, ctx: AppContext, box: VoicemailBox, dialogue: Dialogue) -> Cause:
        limits = ctx.office.voicemail
        for _ in range(TRIES):
            path = ctx.recording_path(call, "message")
            wanted = Wanted(
                path,
                max_s=limits.max_length,
                max_silence_s=limits.max_silence,
                keep="message",
                to_number=box.number,
            )
            reason, seconds = await record_until_key(call.caller, wanted)
            if seconds >= SHORTEST_S:
                await dialogue.say("voicemail-saved", "call-goodbye")
                return NORMAL
            if reason:
                call.log.error("a message could not be recorded", mailbox=box.number, why=reason)
                await dialogue.say("call-error")
                return SERVER_ERROR
            await dialogue.say("voicemail-too-short")
        return NORMAL
