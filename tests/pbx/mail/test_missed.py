"""Who hears by mail of a call that nobody answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx import cause
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.conversations import Conversations
from pbx.events import CallEnded, CallLinked, CallStarted
from pbx.mail.mailer import Mailer
from pbx.mail.missed import MissedCallMail
from pbx.party import Party, PartyKind
from storage.memory import MemoryStorage
from storage.records import CdrRow, MissedCallsPolicy, Office, StoredLetter, Terminal, User
from tests.pbx.mail.test_outbox import ScriptedServer
from tests.support.office import WALL_AT_START

T = WALL_AT_START  # 14 November 2023, 22:13:20 UTC
SETTINGS = MailSettings(
    enabled=True, host="mail.example.com", from_address="pbx@example.com", common_address="all@x.org"
)
OFFICE = Office(
    "Horns",
    users=(
        User("anna", "Anna", email="anna@x.org", language="ru"),
        User("boris", "Boris", email="boris@x.org"),
        User("clara", "Clara"),
    ),
    terminals=(Terminal("101"), Terminal("102", "anna"), Terminal("103", "boris"), Terminal("104", "clara")),
)
OUTSIDE, ANNA = Party(PartyKind.OUTSIDE, "74951234567"), Party(PartyKind.TERMINAL, "102")


def row(to: str, disposition: str = "NOANSWER", **values: object) -> CdrRow:
    """A try to reach a number from outside, in vain, of the call c1."""
    plain: dict[str, object] = {
        "id": f"c1-{to}", "linkedid": "l1", "started_at": T, "ended_at": T + 20, "from_number": "gw",
        "from_name": "Иван", "external_number": "74951234567", "to_number": to, "to_name": "",
        "disposition": disposition, "cause": "no_answer",
    }  # fmt: skip
    return CdrRow(**{**plain, **values})  # type: ignore[arg-type]  # a test names only fields that exist


class Rig:
    def __init__(self, data: Path, settings: MailSettings, office: Office) -> None:
        loop = asyncio.get_running_loop()
        self.bus, self.storage = Bus(), MemoryStorage()
        clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        self.mailer = Mailer(settings, self.storage.letters, lambda: office, clock, data, self.bus, ScriptedServer())
        self.missed = Conversations(self.bus, MissedCallMail(self.mailer).over)

    def call(self, *rows: CdrRow, id: str = "c1", linkedid: str = "l1") -> None:
        self.bus.publish(CallStarted(T, id, linkedid, OUTSIDE, ANNA))
        self.end(*rows, id=id)

    def end(self, *rows: CdrRow, id: str = "c1") -> None:
        for each in rows:
            self.missed.row(each)
        self.bus.publish(CallEnded(T + 20, id, cause.NO_ANSWER))

    async def letters(self) -> dict[str, StoredLetter]:
        found = await self.storage.letters.load()
        assert len({each.recipient for each in found}) == len(found)
        return {each.recipient: each for each in found}


@asynccontextmanager
async def rigged(data: Path, settings: MailSettings = SETTINGS, office: Office = OFFICE) -> AsyncIterator[Rig]:
    rig = Rig(data, settings, office)
    yield rig
    assert (rig.missed._live, dict(rig.missed._rows)) == ({}, {})


@pytest.mark.row("NOT-3")
async def test_those_who_missed_it_get_one_letter_each_when_the_conversation_is_over(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.bus.publish(CallStarted(T, "c2", "l1", OUTSIDE, ANNA))  # of the same conversation
        rig.call(row("102"), row("103", "BUSY"), row("102", started_at=T + 10), row("104"))
        assert await rig.letters() == {}
        rig.end(id="c2")
        letters = await rig.letters()
        assert set(letters) == {"anna@x.org", "boris@x.org"}
        assert letters["boris@x.org"].subject == 'Missed call from "Иван" <74951234567>'


async def test_nobody_is_told_of_a_conversation_in_which_somebody_answered(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.call(row("102"), row("103", "ANSWERED"))
        rig.bus.publish(CallStarted(T, "c3", "l1", OUTSIDE, ANNA))
        rig.bus.publish(CallStarted(T, "c2", "l2", OUTSIDE, ANNA))
        rig.end(row("102", linkedid="l2"), id="c2")
        rig.bus.publish(CallStarted(T, "c4", "l3", OUTSIDE, ANNA))
        rig.bus.publish(CallLinked(T, "c4", "l1"))  # a transfer joins two conversations
        rig.end(row("102", id="x"), id="c4")
        rig.end(row("103", "ANSWERED", id="y"), id="c3")
        assert set(await rig.letters()) == {"anna@x.org"}, "only of l2"


@pytest.mark.parametrize(("recording", "is_told"), [("2023/11/14/22/m", False), ("", True)])
async def test_who_left_a_message_was_taken_care_of_and_who_hung_up_at_the_greeting_was_not(
    recording: str, is_told: bool, tmp_path: Path
) -> None:
    async with rigged(tmp_path) as rig:
        rig.call(row("102"), row("voicemail", "ANSWERED", stage="voicemail", recording=recording))
        assert bool(await rig.letters()) is is_told


@pytest.mark.parametrize(
    ("to", "caller", "external", "recipients"),
    [
        ("104", "gw", "74951234567", {"all@x.org"}),  # nobody has an address
        ("500", "74951234567", "", {"all@x.org"}),  # a queue without agents
        ("104", "101", "", set()),  # a colleague
        ("102", "101", "", {"anna@x.org"}),
    ],
)
async def test_the_common_address_hears_of_callers_from_outside_whom_nobody_else_hears_of(
    to: str, caller: str, external: str, recipients: set[str], tmp_path: Path
) -> None:
    async with rigged(tmp_path) as rig:
        rig.call(row(to, from_number=caller, external_number=external))
        assert set(await rig.letters()) == recipients


async def test_a_call_that_went_from_one_conversation_to_another_is_told_once(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.bus.publish(CallStarted(T, "c1", "l1", OUTSIDE, ANNA))
        rig.bus.publish(CallStarted(T, "c2", "l2", OUTSIDE, ANNA))
        rig.end(row("102", linkedid="l2"), id="c2")
        rig.bus.publish(CallLinked(T + 1, "c1", "l9"))
        rig.end(row("103", linkedid="l9"), id="c1")
        assert set(await rig.letters()) == {"anna@x.org", "boris@x.org"}


@pytest.mark.row("NOT-4")
async def test_the_letter_has_every_variable_in_the_language_of_its_reader_and_words_of_the_office(
    tmp_path: Path,
) -> None:
    async with rigged(tmp_path) as rig:
        rig.call(row("102", "BUSY", cause="busy", to_name="Anna"), row("103", "FAILED", cause="unavailable"))
        letters = await rig.letters()
        assert letters["anna@x.org"].subject == 'Пропущенный вызов от "Иван" <74951234567>'
        assert letters["anna@x.org"].text == (
            '"Иван" <74951234567> звонил(а) на "Anna" <102>: занято.\n\n'
            "Дата: 14 ноября 2023 г., 22:13\nОжидание: 0:20\n\n-- \nHorns\n"
        )
        assert (
            "called 103: not reachable.\n\nDate: 14 November 2023, 22:13\nWaited: 0:20" in letters["boris@x.org"].text
        )
    words = MissedCallsPolicy("{cause}", "{caller} {callee} {duration} {date}", "{office}!")
    async with rigged(tmp_path, office=replace(OFFICE, missed_calls=words)) as rig:
        rig.call(row("102", cause="cancelled"))
        (letter,) = (await rig.letters()).values()
        assert letter.subject == "звонивший положил трубку"
        assert letter.text == '"Иван" <74951234567> 102 0:20 14 ноября 2023 г., 22:13\n\nHorns!\n'


async def test_nothing_is_remembered_while_such_mail_is_not_wanted(tmp_path: Path) -> None:
    for settings in (MailSettings(), SETTINGS.model_copy(update={"missed_calls": False})):
        async with rigged(tmp_path, settings) as rig:
            rig.call(row("102"))
            assert await rig.letters() == {}
