"""An office in Russia: tones, names and letters in its language (LOC-3), numbers, calendar, operators (LOC-4)."""

import asyncio
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conf.load import parse_office
from conf.provider_templates import TEMPLATES
from pbx.tones import TONES, tones_of
from storage.records import Calendar, NumberRule, OutboundRoute, User
from tests.features.test_incoming import DID, NUMBER, TELCO, called, ringing, talk
from tests.pbx.mail.test_missed import rigged, row
from tests.support.builders import terminal
from tests.support.company import user_of
from tests.support.office import VirtualOffice

NAME = "Белкина Ирина Ёлкина"
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.row("LOC-3")
async def test_tones_names_and_letters_are_those_of_the_country_and_of_who_reads_them(tmp_path: Path) -> None:
    assert tones_of("", "ru") == TONES["ru"] != tones_of("", "en") == TONES["us"]
    assert tones_of("de", "ru") == TONES["de"]
    people = (User("oleg", "Олег Чёрный"),)
    async with called(terminals=(terminal("101", owner="oleg"),), users=people, language="ru") as (office, telco):
        call = telco.call(DID, "79161234567", name=NAME)
        ring = await ringing(office, "101")
        assert ring.invite is not None
        assert ring.invite.from_.display == NAME
        await talk(call, ring)
    assert (office.rows[0].from_name, office.rows[-1].to_name) == (NAME, "Олег Чёрный")
    async with rigged(tmp_path) as rig:  # anna reads Russian, boris English
        rig.call(row("102", from_name=NAME), row("103", "BUSY", from_name=NAME))
        letters = await rig.letters()
    assert letters["anna@x.org"].subject == f'Пропущенный вызов от "{NAME}" <74951234567>'
    assert "14 ноября 2023 г., 22:13" in letters["anna@x.org"].text
    assert "14 November 2023, 22:13" in letters["boris@x.org"].text


@pytest.mark.row("LOC-4")
async def test_numbers_with_eight_days_that_were_moved_operators_and_conversations_are_as_in_russia() -> None:
    calendar = Calendar("ru", base="ru", weekly={"mon-fri": ("09:00-18:00",)})
    async with called(
        number=NUMBER,
        calendars=(calendar,),
        number_rules=(NumberRule("eight", length=11, prefix="8", replace="7"),),
        outbound_routes=(OutboundRoute("Russia", TELCO.id, prefix="8", rest=10, strip=1, prepend="+7"),),
        timezone="Europe/Moscow",
    ) as (office, telco):
        call = telco.call(DID, "89161234567")
        ring = await ringing(office, "101")
        assert ring.invite is not None
        assert "79161234567" in str(ring.invite.from_)
        await talk(call, ring)
        phone = next(each for each in office.phones if each.number == "101")
        outgoing = phone.dial("89161234567")
        out = await telco.rung()
        assert user_of(out) == "+79161234567"
        out.answer()
        await outgoing.until_answered()
        await asyncio.sleep(1)
        outgoing.hangup()
        await out.until_over()
        for text, is_open in (
            ("2025-11-01T12:00", True),  # a Saturday that was worked for Monday, 3 November
            ("2025-11-01T17:30", False),  # and shortened
            ("2025-11-03T12:00", False),
            ("2026-01-08T12:00", False),
        ):
            at = datetime.fromisoformat(text).replace(tzinfo=MOSCOW).timestamp()
            assert office.pbx.calendars.decide("ru", at).is_open is is_open, text
        assert {"sipnet", "multifon", "mango", "uis", "novofon", "rostelecom", "zadarma"} <= set(TEMPLATES)
        document = '[[providers]]\nid = "t"\ntemplate = "multifon"\nlogin = "79160000000"\npassword = "x"\n'
        assert parse_office(document).providers[0].outbound_proxy == "sbc.megafon.ru"
        _are_identifiers_of_1c(office)


def _are_identifiers_of_1c(office: VirtualOffice) -> None:
    """AMB-23: a name, the second and a number, as 1C knows them; one for each conversation."""
    found = {each.linkedid for each in office.rows}
    assert len(found) == 2
    assert all(re.fullmatch(r"[\w-]+-\d{10}\.\d+", each) and len(each) <= 64 for each in found), found
