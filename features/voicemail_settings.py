"""What the owner of a mailbox sets by phone (VM-7): the greeting, the PIN."""

from pathlib import Path

from features.dialogue import Dialogue
from features.voicemail_record import record_until_key
from frozen import dataclass
from pbx.api import SHORTEST_S, AppContext, FileSource, PlaySource, VoicemailBox, Wanted, is_weak

PIN_TRIES = 3


def greeting_of(ctx: AppContext, box: VoicemailBox) -> PlaySource | None:
    """What callers hear of a box: what its owner has recorded, else a sound of the office."""
    own = ctx.mailboxes.settings.greeting(box.number)
    return FileSource(str(own)) if own is not None else ctx.sound(box.greeting)


@dataclass(frozen=True, slots=True)
class Settings:
    """The menu behind the key 0."""

    ctx: AppContext
    box: VoicemailBox
    dialogue: Dialogue

    async def run(self) -> None:
        """Until the owner goes back, or presses nothing."""
        while key := await self.dialogue.choice("voicemail-greeting-menu", keys="1235*"):
            match key:
                case "1":
                    await self._record()
                case "2":
                    await self._listen()
                case "3":
                    self.ctx.mailboxes.settings.set_greeting(self.box.number, None)
                    await self.dialogue.say("voicemail-greeting-removed")
                case "5":
                    await self._change_pin()
                case _:
                    return

    async def _listen(self) -> None:
        own = self.ctx.mailboxes.settings.greeting(self.box.number)
        if own is None:
            await self.dialogue.say("voicemail-greeting-none")
        else:
            await self.dialogue.key(FileSource(str(own)), first_s=0.0)

    async def _record(self) -> None:
        """Until the owner likes it; one that is not accepted leaves nothing."""
        limits = self.ctx.office.voicemail
        while True:
            path = self.ctx.mailboxes.settings.greeting_path(self.box.number)
            try:
                await self.dialogue.say("voicemail-greeting-record")
                wanted = Wanted(path, max_s=limits.max_length, max_silence_s=limits.max_silence)
                _, seconds = await record_until_key(self.dialogue.leg, wanted)
                accepted = await self._review(path) if seconds >= SHORTEST_S else None
                if accepted:
                    self.ctx.mailboxes.settings.set_greeting(self.box.number, path)
                    await self.dialogue.say("voicemail-greeting-saved")
            finally:
                if self.ctx.mailboxes.settings.greeting(self.box.number) != path:
                    path.unlink(missing_ok=True)
            if accepted is None:
                await self.dialogue.say("voicemail-too-short")
            if accepted is not False:
                return

    async def _review(self, path: Path) -> bool:
        """Whether it is accepted; False: once more."""
        while key := await self.dialogue.choice("voicemail-review", keys="123"):
            if key != "2":
                return key == "1"
            await self.dialogue.key(FileSource(str(path)), first_s=0.0)
        return True

    async def _change_pin(self) -> None:
        for _ in range(PIN_TRIES):
            new = await self.dialogue.digits("voicemail-new-pin")
            if is_weak(new):
                await self.dialogue.say("voicemail-pin-weak")
            elif await self.dialogue.digits("voicemail-repeat-pin") != new:
                await self.dialogue.say("voicemail-pins-differ")
            else:
                self.ctx.mailboxes.settings.change_pin(self.box, new)
                await self.dialogue.say("voicemail-pin-changed")
                return
