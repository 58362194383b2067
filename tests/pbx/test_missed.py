"""Calls from outside that nobody answered: they open, age, and are closed by whoever talks to the client (INB-6)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, CallMissed, CallsLost, MissedCallClosed
from pbx.mail.lost import LostCallMail
from pbx.mail.mailer import Mailer
from pbx.missed import KEPT_S, MissedCalls
from storage.memory import MemoryStorage
from storage.records import CdrRow, Ivr, LostCallAlarm, MissedCall, Office, User
from tests.features.test_incoming import CLIENT, DID, NUMBER, called, phone, ringing, talk
from tests.pbx.mail.test_missed import SETTINGS
from tests.pbx.mail.test_outbox import ScriptedServer

T = 1_700_000_000.0


class Ledger:
    """The missed calls of an office without any call, on a clock that is set by hand."""

    def __init__(self, *alarms: LostCallAlarm, storage: MemoryStorage | None = None) -> None:
        self.now, self.bus, self.open = T, Bus(), True
        self.storage = storage or MemoryStorage()
        self.events: list[BusEvent] = []
        self.bus.subscribe([CallMissed, MissedCallClosed, CallsLost], self.events.append)
        self.office = Office(lost_call_alarms=alarms, users=(User("anna", "Anna"),))
        self.clock = Clock(asyncio.get_running_loop(), lambda: self.now)
        self.calls = MissedCalls(self.storage.missed, lambda: self.office, lambda _: self.open, self.bus, self.clock)
        self._count = 0

    def call(self, client: str = CLIENT, *, answered: str = "", line: str = DID, stages: str = "dial") -> str:
        """A call of a client that is over."""
        self._count += 1
        id = f"c{self._count}-{self.now}"
        rows = [
            CdrRow(
                f"{id}-{number}", id, self.now + number, self.now + number + 10, client, answered or f"10{number}",
                "ANSWERED" if answered else "NOANSWER", stage=stage, external_number=line, provider_in="telco",
            )
            for number, stage in enumerate(stages.split())
        ]  # fmt: skip
        self.calls.over(rows)
        return id

    def back(self, client: str, *, by: str = "101", answered: bool = True) -> None:
        """Somebody of the office calls a number outside."""
        disposition = "ANSWERED" if answered else "NOANSWER"
        row = CdrRow(f"b{self.now}", "b", self.now, self.now + 9, by, client, disposition, provider_out="telco")
        self.calls.over([row])

    def of(self, kind: type[BusEvent]) -> list[BusEvent]:
        return [each for each in self.events if type(each) is kind]


async def test_an_open_item_says_who_called_where_how_long_and_where_the_call_was_last() -> None:
    ledger = Ledger()
    id = ledger.call(stages="incoming ivr queue")
    assert ledger.calls.all(open_only=True) == [MissedCall(id, CLIENT, "", DID, "telco", T, 12.0, "queue", "102")]
    assert len(ledger.of(CallMissed)) == 1


@pytest.mark.parametrize("written", [CLIENT, f"+{CLIENT}", f"8{CLIENT[1:]}"])
async def test_a_talk_with_the_client_closes_all_items_however_the_number_is_written(written: str) -> None:
    ledger = Ledger()
    ledger.call()
    ledger.call()
    ledger.call("79990000000")
    ledger.now += 600
    ledger.back(written, answered=False)
    assert [(each.tries, each.tried_at) for each in ledger.calls.all()][:2] == [(1, T + 600)] * 2
    assert len(ledger.calls.all(open_only=True)) == 3
    ledger.back(written, by="104")
    (still,) = ledger.calls.all(open_only=True)
    assert still.number == "79990000000"
    closed = ledger.calls.all()[:2]
    assert {(each.closed_by, each.closed_with, each.closed_at) for each in closed} == {("callback", "104", T + 600)}
    assert len(ledger.of(MissedCallClosed)) == 2


async def test_the_client_who_calls_again_and_reaches_somebody_closes_it_a_menu_does_not() -> None:
    ledger = Ledger()
    ledger.call()
    ledger.call(stages="incoming ivr")
    assert len(ledger.calls.all(open_only=True)) == 2
    ledger.call(answered="103")
    assert [(each.closed_by, each.closed_with) for each in ledger.calls.all()] == [("client", "103")] * 2


async def test_items_outlive_a_restart_and_closed_ones_go_after_three_months() -> None:
    ledger = Ledger()
    first, second = ledger.call(), ledger.call("79990000000")
    ledger.back(CLIENT)
    again = Ledger(storage=ledger.storage)
    await again.calls.restore()
    assert [each.id for each in again.calls.all(open_only=True)] == [second]
    again.now = T + KEPT_S + 1
    again.calls.sweep()
    assert [each.id for each in again.calls.all()] == [second]
    assert again.calls.close(second) is not None
    assert again.calls.close(second) is None
    assert again.calls.get(first) is None


@pytest.mark.row("NOT-7")
async def test_an_alarm_goes_off_at_once_when_so_many_calls_are_lost_in_so_many_minutes(tmp_path: Path) -> None:
    alarms = (
        LostCallAlarm("all", calls=3, minutes=10),
        LostCallAlarm("line", "78005553535", calls=2, minutes=5, email="sales@example.com"),
        LostCallAlarm("queue", "500", calls=1, minutes=60),
        LostCallAlarm("hours", calls=1, minutes=1, calendar="office-hours"),
    )
    ledger = Ledger(*alarms)
    settings: MailSettings = SETTINGS.model_copy(update={"administrator_address": "root@example.com"})
    mailer = Mailer(
        settings, ledger.storage.letters, lambda: ledger.office, ledger.clock, tmp_path, ledger.bus, ScriptedServer()
    )
    LostCallMail(mailer, ledger.bus)
    ledger.open = False
    ledger.call()
    ledger.now += 200
    ledger.call(line="78005553535")
    assert not ledger.of(CallsLost)  # outside the hours no alarm of a calendar goes off
    ledger.open = True
    ledger.now += 200
    ledger.call(line="78005553535")
    assert [(each.alarm, each.calls) for each in ledger.of(CallsLost) if isinstance(each, CallsLost)] == [
        *(("all", 3), ("line", 2), ("hours", 1))
    ]
    ledger.call()
    assert len(ledger.of(CallsLost)) == 3  # it is known already
    ledger.now += 3600
    ledger.call()
    ledger.call()
    ledger.call()
    lost = [each.alarm for each in ledger.of(CallsLost) if isinstance(each, CallsLost)]
    assert lost[3:] == ["hours", "all"]
    letters = {each.recipient: each for each in await ledger.storage.letters.load()}
    assert letters["sales@example.com"].subject == "Calls are being lost: 2 in 5 minutes"
    assert "78005553535" in letters["sales@example.com"].text
    assert "root@example.com" in letters


@pytest.mark.row("INB-6")
async def test_every_call_without_a_human_answer_is_open_until_somebody_talks_to_the_client() -> None:
    menu = Ivr("700", default="101", attempts=1, timeout=1)
    async with called(number=replace(NUMBER, target="700"), ivrs=(menu,)) as (office, telco):
        missed = MissedCalls(office.storage.missed, lambda: office.pbx.office, lambda _: True, office.bus, office.clock)
        office.over.append(missed.over)
        call = telco.call(DID, CLIENT, name="Client")
        await call.until_answered()  # by the menu, which is nobody
        await ringing(office, "101", 10)
        call.hangup()
        await asyncio.sleep(2)
        (item,) = missed.all(open_only=True)
        assert (item.number, item.name, item.line, item.provider) == (CLIENT, "Client", DID, "telco")
        assert (item.stage, item.at_number) == ("dial", "101")
        assert item.waited_s == pytest.approx(3, abs=2)
        again = telco.call(DID, CLIENT)
        await again.until_answered()
        await talk(again, await ringing(office, "101", 10), is_answered=True)
        await asyncio.sleep(1)
        assert not missed.all(open_only=True)
        assert missed.all()[0].closed_by == "client"
        inside = phone(office, "102").dial("103")
        (await ringing(office, "103")).reject(486)
        await inside.until_over()
        await asyncio.sleep(1)
        assert len(missed.all()) == 1  # colleagues miss no clients
