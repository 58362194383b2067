"""Letters as messages of a Telegram bot (NOT-8): the same words, to one chat. The token is in the address of a request,
so no sentence here has any part of that."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPException

from conf.telegram import TelegramSettings
from pbx.mail.smtp import LetterRefused, Send, ServerUnavailable
from storage.ports import KeptStore
from storage.records import StoredLetter

PREFIX = "telegram:"  # of recipients
MOST = 4096  # characters of a message
TIMEOUT_S = 30.0
SIGN = "\n-- \n"  # what follows is the sender's name in a letter


class TelegramBot:
    """Takes letters as a mail server does."""

    def __init__(self, settings: TelegramSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Send]:
        yield self._send

    async def _send(self, letter: StoredLetter) -> str:
        body = {"chat_id": self._settings.chat, "text": _text(letter), "disable_web_page_preview": True}
        await asyncio.to_thread(self._post, json.dumps(body).encode())
        return f"the chat {self._settings.chat} has it"

    def _post(self, body: bytes) -> None:
        request = urllib.request.Request(
            f"{self._settings.api.rstrip('/')}/bot{self._settings.token}/sendMessage",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                answer.read(MOST)
        except urllib.error.HTTPError as error:
            with error:
                raise _meant(error.code, _description(error.read(MOST))) from None
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or type(error).__name__
            raise ServerUnavailable(f"Telegram cannot be reached: {why}") from None


class LettersOf:
    """The letters of a store that go one way."""

    def __init__(self, store: KeptStore[StoredLetter], *, to_chats: bool) -> None:
        self._store, self._to_chats = store, to_chats

    async def load(self) -> Sequence[StoredLetter]:
        return [each for each in await self._store.load() if each.recipient.startswith(PREFIX) is self._to_chats]

    def put(self, id: str, record: StoredLetter | None) -> None:
        self._store.put(id, record)


def _text(letter: StoredLetter) -> str:
    words, _, office = letter.text.partition(SIGN)
    return "\n\n".join(filter(None, (letter.subject, words.strip(), office.strip())))[:MOST]


def _description(body: bytes) -> str:
    """What the Bot API says of a failure."""
    try:
        found = json.loads(body)["description"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(found)[:200]


def _meant(status: int, said: str) -> Exception:
    if status in (401, 404):
        return ServerUnavailable("Telegram does not know the bot: look at [telegram] token")
    if status == 429 or status >= 500:
        return ServerUnavailable(f"Telegram takes no messages now: {said or status}")
    return LetterRefused(f"Telegram refuses the message: {said or status}", is_final=False)
