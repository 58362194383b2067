"""Mail as the rest of the server sees it: who gets a letter of which kind, in which words; posting never waits. A chat
of Telegram is a recipient too."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from conf.schema import MailSettings
from conf.telegram import TelegramSettings
from frozen import dataclass
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.messages import ControlError
from pbx.events import MailSent
from pbx.mail.outbox import Outbox
from pbx.mail.smtp import LetterRefused, MailServer, ServerUnavailable, SmtpServer
from pbx.mail.telegram import PREFIX, LettersOf, TelegramBot
from pbx.mail.wording import Wording, date_text, wording
from pbx.party import Party, ShownTo
from storage.ports import KeptStore
from storage.records import Office, StoredLetter

SYSTEM = (
    *("line", "disk", "backup", "recording", "outside", "outside_cut", "outside_noticed"),
    *("password", "system_password", "attack", "version"),
)


def _switches(settings: MailSettings | TelegramSettings) -> dict[str, bool]:
    """Which kinds of letters are wanted."""
    return {
        "voicemail": settings.voicemail,
        "missed_calls": settings.missed_calls,
        "lost_calls": settings.missed_calls,
        "sign_in": settings.sign_ins,
        **dict.fromkeys(SYSTEM, settings.system),
    }


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address, and the language of who reads there."""

    address: str
    language: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """`file` is below the data folder, `name` is what the recipient sees."""

    file: str
    name: str


class Mailer:
    """One per server; `office` is the one in force."""

    def __init__(
        self,
        settings: MailSettings,
        store: KeptStore[StoredLetter],
        office: Callable[[], Office],
        clock: Clock,
        data: Path,
        bus: Bus,
        server: MailServer | None = None,
        telegram: TelegramSettings | None = None,
        shown_to: ShownTo = lambda _, party: party,
    ) -> None:
        """`shown_to`: a party as the terminal with a number may see it."""
        self._shown_to, telegram = shown_to, telegram or TelegramSettings()
        self._settings, self._telegram, self._office, self._clock = settings, telegram, office, clock
        self._server = server or SmtpServer(settings, data)
        self._bus = bus
        self._outbox = Outbox(LettersOf(store, to_chats=False), self._server, clock, data, self._sent)
        self._bot = TelegramBot(telegram)
        self._chats = Outbox(LettersOf(store, to_chats=True), self._bot, clock, data / "telegram")
        self._kinds = {**_switches(settings), "report": True, "fax": True}
        self._told = _switches(telegram)

    async def start(self) -> None:
        """Take up what waited before the restart."""
        if self._settings.enabled:
            await self._outbox.start()
        if self._telegram.enabled:
            await self._chats.start()

    async def close(self) -> None:
        await self._outbox.close()
        await self._chats.close()

    def describe(self) -> dict[str, object]:
        telegram = {"enabled": self._telegram.enabled, **self._chats.describe()}
        return {"enabled": self._settings.enabled, **self._outbox.describe(), "telegram": telegram}

    def mails(self, kind: str) -> bool:
        """Whether letters of that kind are wanted (NOT-2)."""
        return self._settings.enabled and self._kinds[kind]

    def sends(self, kind: str) -> bool:
        """Whether anybody is told of it, by mail or in the chat."""
        return self.mails(kind) or (self._telegram.enabled and self._told.get(kind, False))

    @property
    def common(self) -> Recipient | None:
        """Who gets what belongs to nobody in particular."""
        return self.recipient(self._settings.common_address)

    @property
    def administrator(self) -> Recipient | None:
        """Who is told how the server is (NOT-6)."""
        return self.recipient(self._settings.administrator_address) or self.common

    @property
    def chat(self) -> Recipient | None:
        """The chat of Telegram, which hears of everything that it wants to (NOT-8)."""
        return self.recipient(f"{PREFIX}{self._telegram.chat}") if self._telegram.enabled else None

    @property
    def administrators(self) -> Sequence[Recipient]:
        """Everybody who is told how the server is."""
        return [each for each in (self.administrator, self.chat) if each is not None]

    def recipient(self, address: str, language: str = "") -> Recipient | None:
        """Whoever reads there, in a language of their own or that of the office."""
        return Recipient(address, language or self._office().language) if address else None

    def owner_of(self, number: str) -> Recipient | None:
        """The person at a terminal, when there is one with an address."""
        office = self._office()
        owner = next((each.owner for each in office.terminals if each.number == number), "")
        person = next((each for each in office.users if each.id == owner), None)
        return None if person is None else self.recipient(person.email, person.language)

    def seen_by(self, to: Recipient, caller: Party, number: str) -> Party:
        """A caller from outside as the letter to somebody may name it, that is about a call to `number`: as who reads
        there sees it on the phone."""
        people = {each.id for each in self._office().users if each.email == to.address}
        own = [each.number for each in self._office().terminals if each.owner in people]
        for viewer in (number, *own):
            caller = self._shown_to(viewer, caller)
        return caller

    def post(
        self,
        kind: str,
        to: Recipient,
        values: Mapping[str, str],
        *,
        at: float | None = None,
        own: Wording | None = None,
        attachment: Attachment | None = None,
    ) -> bool:
        """Send a letter about what was at that time. `own` are the office's texts, `values` their variables; the date
        and the name of the office are among them anyway. False when it is not wanted or cannot be kept."""
        if to == self.chat:
            return self._told.get(kind, False) and self._chats.post(self._letter(kind, to, values, at, own, None))
        if not self.mails(kind):
            return False
        return self._outbox.post(self._letter(kind, to, values, at, own, attachment))

    async def test(self, address: str) -> str:
        """Send a letter now, whatever the switches say; returns a sentence. "telegram" is the chat. Raises
        `ControlError`."""
        if address == "telegram":
            return await self._test_chat()
        return await self.send("test", Recipient(address, self._office().language), {})

    async def send(self, kind: str, to: Recipient, values: Mapping[str, str]) -> str:
        """Send a letter now, whatever the switches say; it is kept nowhere. A sentence; raises `ControlError`."""
        if not (self._settings.host and self._settings.from_address):
            raise ControlError("no mail can be sent: give [mail] host and from_address in the settings of the server")
        letter = self._letter(kind, to, values, None, None, None)
        try:
            async with self._server.session() as send:
                said = await send(letter)
        except (ServerUnavailable, LetterRefused) as error:
            raise ControlError(str(error)) from None
        is_off = "" if self._settings.enabled else "; mail is switched off otherwise ([mail] enabled = false)"
        return f"the mail server {self._settings.host} took the letter to {to.address} ({said}){is_off}"

    async def _test_chat(self) -> str:
        if not (self._telegram.token and self._telegram.chat):
            raise ControlError("no message can be sent: give [telegram] token and chat in the settings of the server")
        to = Recipient(f"{PREFIX}{self._telegram.chat}", self._office().language)
        try:
            async with self._bot.session() as send:
                said = await send(self._letter("test", to, {}, None, None, None))
        except (ServerUnavailable, LetterRefused) as error:
            raise ControlError(str(error)) from None
        is_off = "" if self._telegram.enabled else "; it is switched off otherwise ([telegram] enabled = false)"
        return f"Telegram took the message: {said}{is_off}"

    def attachments(self) -> Collection[str]:
        """Of letters that wait, below the data folder."""
        return self._outbox.attachments()

    @property
    def office(self) -> Office:
        return self._office()

    def _sent(self, letter: StoredLetter) -> None:
        self._bus.publish(MailSent(self._clock.wall(), letter.kind, letter.recipient, letter.attachment))

    def _letter(
        self,
        kind: str,
        to: Recipient,
        values: Mapping[str, str],
        at: float | None,
        own: Wording | None,
        attachment: Attachment | None,
    ) -> StoredLetter:
        office, now = self._office(), self._clock.wall()
        date = date_text(now if at is None else at, to.language, office.timezone)
        texts = wording(kind, to.language, own)
        subject, text = texts.filled({"office": office.name, "date": date, **values})
        return StoredLetter(
            id=uuid.uuid4().hex,
            kind=kind,
            recipient=to.address,
            subject=subject,
            text=text,
            created_at=now,
            due_at=now,
            attachment=attachment.file if attachment else "",
            attachment_name=attachment.name if attachment else "",
        )
