"""What owners of mailboxes have set by phone: the greeting that they recorded, the PIN that they chose.

A PIN that was set by phone counts until the office document gives the mailbox another one than it had then.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from storage.ports import KeptStore
from storage.records import Mailbox, VoicemailBox

SHORTEST_PIN = 4
TRIES = 3  # of one caller
MOST_WRONG, LOCKED_S = 9, 900.0  # in a row, whoever tried; then nobody gets in for a while
SALT_BYTES = 8

log = structlog.get_logger("voicemail")


class MailboxSettings:
    """Of all mailboxes, by number. `folder` is that of greetings, `now` gives monotonic seconds."""

    def __init__(self, store: KeptStore[Mailbox], folder: Path, now: Callable[[], float]) -> None:
        self._store, self._folder, self._now = store, folder, now
        self._boxes: dict[str, Mailbox] = {}
        self._wrong: dict[str, tuple[int, float]] = {}  # how often in a row, when last

    async def restore(self) -> None:
        self._boxes = {each.id: each for each in await self._store.load()}

    # --- greetings --------------------------------------------------------------------------------------------------

    def greeting(self, number: str) -> Path | None:
        """What the owner has recorded."""
        name = self._of(number).greeting
        return self._folder / name if name else None

    def greeting_path(self, number: str) -> Path:
        """Where another one may be recorded."""
        return self._folder / f"{number}-{secrets.token_hex(4)}.wav"

    def set_greeting(self, number: str, file: Path | None) -> None:
        """`file` is heard from now on, or (None) what the office says."""
        before = self.greeting(number)
        self._put(replace(self._of(number), greeting=file.name if file is not None else ""))
        if before is not None:
            before.unlink(missing_ok=True)

    # --- PINs -------------------------------------------------------------------------------------------------------

    def has_pin(self, box: VoicemailBox) -> bool:
        return bool(box.pin or self._own(box))

    def pin_is_right(self, box: VoicemailBox, dialled: str) -> bool:
        """Whether that lets somebody in now."""
        if not self.has_pin(box) or self._is_locked(box.number):
            return False
        own = self._own(box)
        salt, _, _ = own.partition("$")
        is_right = (
            secrets.compare_digest(_salted(dialled, salt), own)
            if own
            else secrets.compare_digest(dialled.encode(), box.pin.encode())
        )
        self._count(box.number, is_right=is_right)
        return is_right

    def change_pin(self, box: VoicemailBox, pin: str) -> None:
        salt = secrets.token_hex(SALT_BYTES)
        self._put(replace(self._of(box.number), pin=_salted(pin, salt), pin_of=_salted(box.pin, salt)))
        log.info("the PIN of a mailbox was changed by phone", mailbox=box.number)

    def _own(self, box: VoicemailBox) -> str:
        """The PIN that was set by phone, salted; nothing when the office has changed its own since."""
        found = self._of(box.number)
        salt, _, _ = found.pin_of.partition("$")
        return found.pin if found.pin and found.pin_of == _salted(box.pin, salt) else ""

    def _is_locked(self, number: str) -> bool:
        count, last = self._wrong.get(number, (0, 0.0))
        if count >= MOST_WRONG and self._now() - last >= LOCKED_S:
            del self._wrong[number]
            return False
        return count >= MOST_WRONG

    def _count(self, number: str, *, is_right: bool) -> None:
        if is_right:
            self._wrong.pop(number, None)
            return
        count = self._wrong.get(number, (0, 0.0))[0] + 1
        self._wrong[number] = count, self._now()
        log.warning("wrong PIN of a mailbox", mailbox=number, in_a_row=count, is_locked=count >= MOST_WRONG)

    # --- what is kept -----------------------------------------------------------------------------------------------

    def _of(self, number: str) -> Mailbox:
        return self._boxes.get(number) or Mailbox(number)

    def _put(self, mailbox: Mailbox) -> None:
        self._boxes[mailbox.id] = mailbox
        self._store.put(mailbox.id, mailbox)


def is_weak(pin: str) -> bool:
    """Too short, or one key all over."""
    return len(pin) < SHORTEST_PIN or len(set(pin)) == 1


def _salted(pin: str, salt: str) -> str:
    return f"{salt}${hashlib.blake2b(pin.encode(), salt=bytes.fromhex(salt), digest_size=16).hexdigest()}"
