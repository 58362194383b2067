"""Letters on their way: kept on disk until a server takes them, tried again less and less often, given up in the end.

Whoever posts a letter never waits. A server that cannot be used pauses the whole box; a letter that is refused for now
waits by itself, and one that is refused for good, or grows too old, is dropped with a line in the log.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from pbx.clock import Clock
from pbx.mail.smtp import LetterRefused, MailServer, Send, ServerUnavailable
from storage.ports import KeptStore
from storage.records import StoredLetter

FOLDER = "mail"  # of attachments, below the data folder
MOST = 1000
KEEP_S = 3 * 86400.0
RETRY_S = (60.0, 300.0, 900.0, 1800.0, 3600.0)  # after each refusal of a letter; the last one again and again
PAUSE_S, PAUSE_MAX_S = 30.0, 1800.0  # of the box, doubled each time

log = structlog.get_logger("mail")


class Outbox:
    """One per server. `start` when the loop runs, `close` at the end; `sent` hears of each letter that is gone."""

    def __init__(
        self,
        store: KeptStore[StoredLetter],
        server: MailServer,
        clock: Clock,
        data: Path,
        sent: Callable[[StoredLetter], None] = lambda _: None,
    ) -> None:
        self._store, self._server, self._clock, self._data, self._tell = store, server, clock, data, sent
        self._letters: dict[str, StoredLetter] = {}
        self._paused_until, self._pause_s = 0.0, PAUSE_S
        self._last_error = ""
        self._counts: Counter[str] = Counter()
        self._posted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Take up what waited before the restart; returns how many letters."""
        self._letters = {letter.id: letter for letter in await self._store.load()}
        self._forget_files()
        self._task = asyncio.ensure_future(self._run())
        return len(self._letters)

    async def close(self) -> None:
        """What waits stays on disk."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def post(self, letter: StoredLetter) -> bool:
        """Send it as soon as possible. Its attachment belongs to the box from now on. False when the box is full."""
        if len(self._letters) >= MOST:
            self._drop(letter, "the box is full")
            return False
        self._keep(letter)
        self._posted.set()
        return True

    def describe(self) -> dict[str, object]:
        known = ("sent", "postponed", "dropped")
        return {
            "waiting": len(self._letters),
            **{name: self._counts[name] for name in known},
            "last_error": self._last_error,
        }

    # --- the task ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._posted.clear()
            due = self._due()
            if due:
                await self._deliver(due)
                continue
            try:
                async with asyncio.timeout(self._quiet_s()):
                    await self._posted.wait()
            except TimeoutError:
                pass

    def _due(self) -> list[StoredLetter]:
        now = self._clock.wall()
        for letter in [each for each in self._letters.values() if each.created_at + KEEP_S <= now]:
            self._drop(letter, "no server has taken it for days")
        if self._clock.now() < self._paused_until:
            return []
        return sorted((each for each in self._letters.values() if each.due_at <= now), key=lambda each: each.due_at)

    def _quiet_s(self) -> float | None:
        """How long nothing is due."""
        if not self._letters:
            return None
        first = min(each.due_at for each in self._letters.values())
        return max(0.01, first - self._clock.wall(), self._paused_until - self._clock.now())

    async def _deliver(self, due: list[StoredLetter]) -> None:
        try:
            async with self._server.session() as send:
                for letter in due:
                    await self._send(send, letter)
        except ServerUnavailable as error:
            self._pause(str(error))

    async def _send(self, send: Send, letter: StoredLetter) -> None:
        try:
            said = await send(letter)
        except LetterRefused as refusal:
            self._refused(letter, refusal)
            return
        except ServerUnavailable:
            raise
        except Exception as error:  # a bug with this one must not stop the mail of others
            log.exception("a letter could not be sent")
            self._refused(letter, LetterRefused(repr(error), is_final=False))
            return
        if self._last_error:
            log.info("mail is sent again")
        self._pause_s, self._last_error = PAUSE_S, ""
        self._counts["sent"] += 1
        self._forget(letter)
        self._tell(letter)
        log.info("mail sent", kind=letter.kind, recipient=letter.recipient, server_said=said)

    def _refused(self, letter: StoredLetter, refusal: LetterRefused) -> None:
        if refusal.is_final:
            self._drop(letter, str(refusal))
            return
        wait_s = RETRY_S[min(letter.attempts, len(RETRY_S) - 1)]
        self._counts["postponed"] += 1
        self._keep(replace(letter, attempts=letter.attempts + 1, due_at=self._clock.wall() + wait_s))
        log.info(
            "mail is refused for now", kind=letter.kind, recipient=letter.recipient, why=str(refusal), again_s=wait_s
        )

    def _pause(self, why: str) -> None:
        if why != self._last_error:
            log.error("mail cannot be sent", why=why, waiting=len(self._letters))
        self._last_error = why
        self._paused_until = self._clock.now() + self._pause_s
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)

    # --- what is kept -----------------------------------------------------------------------------------------------

    def _keep(self, letter: StoredLetter) -> None:
        self._letters[letter.id] = letter
        self._store.put(letter.id, letter)

    def _drop(self, letter: StoredLetter, why: str) -> None:
        self._counts["dropped"] += 1
        log.error("a letter is given up", kind=letter.kind, recipient=letter.recipient, why=why)
        self._forget(letter)

    def _forget(self, letter: StoredLetter) -> None:
        if self._letters.pop(letter.id, None) is not None:
            self._store.put(letter.id, None)
        if letter.attachment and letter.attachment not in self.attachments():
            (self._data / letter.attachment).unlink(missing_ok=True)

    def attachments(self) -> set[str]:
        """Of letters that wait."""
        return {letter.attachment for letter in self._letters.values()}

    def _forget_files(self) -> None:
        """Attachments whose letter never reached the disk, or went while nobody could remove them."""
        named = self.attachments()
        folder = self._data / FOLDER
        for file in folder.iterdir() if folder.is_dir() else ():
            if f"{FOLDER}/{file.name}" not in named:
                file.unlink(missing_ok=True)
