"""The owner of a mailbox listens to messages by phone (VM-6): from the own phone, or from anywhere with the PIN."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from features.dialogue import Dialogue
from features.voicemail_settings import Settings
from pbx.api import (
    COMMON,
    HEARD,
    NEW,
    NORMAL,
    PIN_TRIES,
    SAVED,
    AppContext,
    Call,
    FileSource,
    GoTo,
    Next,
    Party,
    PartyKind,
    Playlist,
    VoicemailBox,
    VoiceMessage,
    own_box,
)

CALL_BACK, PREVIOUS, REPEAT, NEXT, DELETE, SAVE, HELP, LEAVE = "2", "4", "5", "6", "7", "9", "*", "#"
KEYS = CALL_BACK + PREVIOUS + REPEAT + NEXT + DELETE + SAVE + HELP + LEAVE
OPTIONS = ("repeat", "next", "previous", "delete", "save", "callback", "exit")


class ListenToMessages:
    """Behind the code of `[features] voicemail`, alone or followed by the number of another mailbox."""

    name: ClassVar[str] = "voicemail"
    stage: ClassVar[str] = "application"

    def __init__(self, dialled_after: str) -> None:
        self._number = dialled_after

    async def run(self, call: Call, ctx: AppContext) -> Next:
        caller = call.caller.party
        number = self._number or caller.number
        box = own_box(ctx.office, number)
        is_own = box is not None and caller.kind is PartyKind.TERMINAL and number == caller.number
        if box is None and not self._number:
            box = own_box(ctx.office, COMMON)
        await ctx.prepare(call)
        call.caller.answer()
        if box is None:
            await Dialogue(call.caller, ctx).say("voicemail-no-mailbox")
            return NORMAL
        return await visit(call, ctx, box, is_own=is_own)


async def visit(call: Call, ctx: AppContext, box: VoicemailBox, *, is_own: bool) -> Next:
    """Let somebody listen who may: at the own phone, unless there is a PIN, or with the PIN."""
    dialogue = Dialogue(call.caller, ctx)
    if not await _is_let_in(ctx, box, dialogue, is_own=is_own):
        await dialogue.say("call-goodbye")
        return NORMAL
    return await Visit(ctx, box, dialogue).run()


async def _is_let_in(ctx: AppContext, box: VoicemailBox, dialogue: Dialogue, *, is_own: bool) -> bool:
    settings = ctx.mailboxes.settings
    if not settings.has_pin(box):
        if not is_own:
            await dialogue.say("voicemail-no-mailbox")  # nobody learns that it has no PIN
        return is_own
    prompt = "voicemail-enter-pin"
    for _ in range(PIN_TRIES):
        if settings.pin_is_right(box, await dialogue.digits(prompt)):
            return True
        prompt = "voicemail-wrong-pin"
    return False


@dataclass(slots=True)
class Visit:
    """One who is let in. What is deleted goes when the list is left, however that happens; so it can come back."""

    ctx: AppContext
    box: VoicemailBox
    dialogue: Dialogue
    _deleted: dict[str, VoiceMessage] = field(default_factory=dict)

    async def run(self) -> Next:
        await self._tell_counts()
        while key := await self.dialogue.choice("voicemail-menu", keys="120#"):
            if key == LEAVE:
                break
            if key == "0":
                await Settings(self.ctx, self.box, self.dialogue).run()
                continue
            messages = [each for each in self._all() if (each.state == NEW) is (key == "1")]
            try:
                number = await self._listen(messages)
            finally:
                self._delete()
            if number:
                return GoTo(number)
        await self.dialogue.say("call-goodbye")
        return NORMAL

    def _all(self) -> list[VoiceMessage]:
        return list(self.ctx.mailboxes.messages(self.box.number))

    async def _tell_counts(self) -> None:
        counts = self.ctx.mailboxes.counts(self.box.number)
        kind = {(True, True): "both", (True, False): "new", (False, True): "old", (False, False): "none"}
        prompts = [f"voicemail-messages-{kind[bool(counts.new), bool(counts.old)]}"]
        if self.ctx.mailboxes.is_full(self.box.number):
            prompts.append("voicemail-own-full")
        await self.dialogue.say(*prompts, new=counts.new, old=counts.old)

    def _delete(self) -> None:
        for message in self._deleted.values():
            self.ctx.mailboxes.delete(message)
        self._deleted.clear()

    # --- a list of messages -----------------------------------------------------------------------------------------

    async def _listen(self, messages: list[VoiceMessage]) -> str:
        """Until the owner has enough; the number that is to be called back, if any."""
        at = 0
        while at < len(messages):
            key = await self._play(messages, at)
            while key in (DELETE, SAVE, HELP, CALL_BACK):
                if key == CALL_BACK and messages[at].from_number:
                    return messages[at].from_number
                key = await self._do(key, messages, at)
            if key in (LEAVE, ""):
                return ""
            at = max(0, at - 1) if key == PREVIOUS else at + (key == NEXT)
        await self.dialogue.say("voicemail-no-more")
        return ""

    async def _play(self, messages: list[VoiceMessage], at: int) -> str:
        """Say where it comes from, play it, say what can be done with it; the key that was pressed."""
        message = messages[at]
        sound = FileSource(str(self.ctx.mailboxes.file(message)))
        key = await self.dialogue.key(self._about(messages, at), first_s=0.0)
        key = key or await self.dialogue.key(sound, first_s=0.0)
        if message.state == NEW:
            messages[at] = self.ctx.mailboxes.mark(message, HEARD)
        return key or await self._options(message)

    def _about(self, messages: list[VoiceMessage], at: int) -> Playlist:
        message, zone = messages[at], ZoneInfo(self.ctx.office.timezone)
        place = "first" if at == 0 else "last" if at == len(messages) - 1 else "message-number"
        moments = (datetime.fromtimestamp(message.received_at, zone), datetime.fromtimestamp(self.ctx.wall(), zone))
        number = message.from_number
        kind = "extension" if len(number) <= self.ctx.office.number_length else "number"
        if kind == "number":  # of a client whose number is not seen, the last digits
            number = self.ctx.seen_by(self.box.number, Party.outside(number)).shown_number.partition("*")[0]
        where = self.dialogue.prompt(f"voicemail-{place}", "voicemail-received", number=at + 1, at=moments)
        who = self.dialogue.prompt(f"voicemail-from-{kind}" if number else "voicemail-from-unknown", number=number)
        return replace(where, files=where.files + who.files)

    async def _do(self, key: str, messages: list[VoiceMessage], at: int) -> str:
        """What a key asks for with a message; the key after that."""
        message = messages[at]
        if key == DELETE and message.id in self._deleted:
            del self._deleted[message.id]
            await self.dialogue.say("voicemail-undeleted")
        elif key == DELETE:
            self._deleted[message.id] = message
            await self.dialogue.say("voicemail-deleted")
        elif key == SAVE:
            self._deleted.pop(message.id, None)
            messages[at] = self.ctx.mailboxes.mark(message, SAVED)
            await self.dialogue.say("voicemail-saved")
        elif key == CALL_BACK:
            await self.dialogue.say("voicemail-no-number")
        return await self._options(message)

    async def _options(self, message: VoiceMessage) -> str:
        options = [each for each in OPTIONS if each != "callback" or message.from_number]
        if message.id in self._deleted:
            options[options.index("delete")] = "undelete"
        return await self.dialogue.choice(*(f"voicemail-option-{each}" for each in options), keys=KEYS)
