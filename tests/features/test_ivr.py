"""Voice menus."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from features.ivr import Choices, Menu
from media.api import FileSource, Play, Playlist, StopPlay
from pbx import cause
from pbx.events import StageLeft
from pbx.hearing import Heard, Listening
from pbx.leg import Leg
from storage.records import Ivr, Office, Queue, ShortNumber, Sound
from tests.support.builders import terminal
from tests.support.fakepbx import FakePbx
from tests.support.office import VirtualOffice, open_office

MENU = Ivr("700", "500", "Main", greeting="welcome", keys={"1": "201", "101": "202", "2": "600", "#": "hangup"})
SOUND_S = 5.0


def office(menu: Ivr = MENU, **terminals: object) -> FakePbx:
    pbx = FakePbx("700", terminal("201"), terminal("202"), terminal("310"))
    pbx.office = replace(pbx.office, sounds=(Sound("welcome", "/sounds/welcome.wav"),))
    pbx.start(Menu(menu))
    return pbx


def press(pbx: FakePbx, digits: str) -> None:
    pbx.engine.press(pbx.caller.media.endpoint, digits)


async def greeted(pbx: FakePbx) -> None:
    """The greeting is heard to its end."""
    await asyncio.sleep(SOUND_S)
    pbx.engine.finish_play(pbx.caller.media.endpoint)


def trail(pbx: FakePbx) -> str:
    left = [event for event in pbx.events if isinstance(event, StageLeft)]
    return left[0].digits


async def gone_to(pbx: FakePbx) -> list[str]:
    await pbx.until_ended()
    return pbx.went_to


@pytest.mark.row("IVR-3")
@pytest.mark.row("IVR-4")
async def test_a_key_during_the_greeting_ends_it_and_leads_to_its_target() -> None:
    pbx = office()
    await asyncio.sleep(1)
    assert pbx.caller.is_answered
    (play,) = pbx.engine.of(Play)
    assert play.source == FileSource("/sounds/welcome.wav")
    press(pbx, "2")
    assert await gone_to(pbx) == ["600"]
    assert [each.play for each in pbx.engine.of(StopPlay)] == [play.play]


@pytest.mark.row("IVR-4")
@pytest.mark.parametrize(("after_s", "target"), [(6.9, "600"), (7.1, "500")])
async def test_after_the_greeting_the_caller_has_the_whole_timeout(after_s: float, target: str) -> None:
    pbx = office(replace(MENU, attempts=1))
    await greeted(pbx)
    await asyncio.sleep(after_s)
    press(pbx, "2")
    assert await gone_to(pbx) == [target]


@pytest.mark.row("IVR-5")
async def test_the_longest_that_can_still_come_is_waited_for_two_seconds() -> None:
    loop = asyncio.get_running_loop()
    for digits, expected, lasts_s in (("1", "201", 2.0), ("101", "202", 0.0), ("10", "500", None)):
        pbx = office(replace(MENU, attempts=1))
        await asyncio.sleep(1)
        before = loop.time()
        press(pbx, digits)
        assert await gone_to(pbx) == [expected]
        if lasts_s is not None:
            assert loop.time() - before == pytest.approx(lasts_s, abs=0.1)


@pytest.mark.row("IVR-6")
@pytest.mark.row("IVR-7")
@pytest.mark.row("IVR-8")
@pytest.mark.row("IVR-9")
async def test_silence_and_wrong_keys_cost_an_attempt_each_and_then_the_default_target_is_called() -> None:
    pbx = office()
    await greeted(pbx)
    await asyncio.sleep(7.5)
    assert len(pbx.engine.of(Play)) == 2, "the greeting again"
    press(pbx, "9")
    await asyncio.sleep(2.5)
    assert len(pbx.engine.of(Play)) == 3
    await greeted(pbx)
    assert await gone_to(pbx) == ["500"]
    assert len(pbx.engine.of(Play)) == 3, "attempts, not repeats"
    assert trail(pbx) == "t,i,t"


async def test_the_digit_that_leads_on_ends_the_trail() -> None:
    pbx = office()
    await greeted(pbx)
    await asyncio.sleep(8)
    press(pbx, "2")
    assert await gone_to(pbx) == ["600"]
    assert trail(pbx) == "t,2"


@pytest.mark.row("IVR-10")
@pytest.mark.row("AMB-3")
@pytest.mark.parametrize(("allowed", "target"), [(True, "310"), (False, "500")])
async def test_any_internal_number_may_be_dialled_where_the_menu_allows_it(allowed: bool, target: str) -> None:
    pbx = office(replace(MENU, attempts=1, allow_internal=allowed))
    await asyncio.sleep(1)
    press(pbx, "310")
    assert await gone_to(pbx) == [target]


@pytest.mark.row("AMB-3")
@pytest.mark.parametrize("number", ["201", "500", "701"])
@pytest.mark.parametrize(
    ("public", "outside", "reached"), [(True, "+7495", True), (False, "+7495", False), (False, "", True)]
)
async def test_people_queues_and_menus_may_be_dialled_people_only_where_outside_callers_may_reach_them(
    number: str, public: bool, outside: str, reached: bool
) -> None:
    pbx = FakePbx("700", terminal("201", public_access=public))
    pbx.known |= {"500", "701"}
    pbx.office = replace(pbx.office, queues=(Queue("500"),), ivrs=(Ivr("701", "hangup"),))
    pbx.caller.party = replace(pbx.caller.party, presented=outside)
    pbx.start(Menu(Ivr("700", "busy", attempts=1, allow_internal=True)))
    await asyncio.sleep(1)
    press(pbx, number)
    assert await gone_to(pbx) == [number if reached or number != "201" else "busy"]


@pytest.mark.row("IVR-10")
async def test_a_number_that_the_office_does_not_have_is_a_wrong_choice() -> None:
    pbx = office(replace(MENU, attempts=1, allow_internal=True))
    await asyncio.sleep(1)
    press(pbx, "311")
    assert await gone_to(pbx) == ["500"]


@pytest.mark.row("IVR-11")
async def test_a_key_of_the_menu_stands_before_an_equal_number() -> None:
    pbx = office(replace(MENU, allow_internal=True, keys={"201": "hangup"}))
    await asyncio.sleep(1)
    press(pbx, "201")
    assert await gone_to(pbx) == ["hangup"]


@pytest.mark.row("EXT-24")
@pytest.mark.parametrize(("outside", "target"), [("", "310"), ("+74951234567", "500")])
async def test_terminals_that_are_not_public_are_hidden_from_outside_callers(outside: str, target: str) -> None:
    pbx = FakePbx("700", terminal("310", public_access=False))
    pbx.caller.party = replace(pbx.caller.party, presented=outside)
    pbx.start(Menu(replace(MENU, attempts=1, allow_internal=True)))
    await asyncio.sleep(1)
    press(pbx, "310")
    assert await gone_to(pbx) == [target]


@pytest.mark.parametrize(("outside", "target"), [("", "77"), ("+74951234567", "500")])
async def test_nobody_outside_dials_outside_again_by_a_short_number(outside: str, target: str) -> None:
    pbx = FakePbx("700")
    pbx.known |= {"77"}
    pbx.office = replace(pbx.office, short_numbers=(ShortNumber("77", "+441632960000"),))
    pbx.caller.party = replace(pbx.caller.party, presented=outside)
    pbx.start(Menu(replace(MENU, attempts=1, allow_internal=True)))
    await asyncio.sleep(1)
    press(pbx, "77")
    assert await gone_to(pbx) == [target]


@pytest.mark.row("IVR-12")
@pytest.mark.parametrize("how", ["missing", "broken"])
async def test_without_a_greeting_the_stock_prompt_is_heard(how: str) -> None:
    pbx = office(replace(MENU, greeting="gone" if how == "missing" else "welcome"))
    await asyncio.sleep(1)
    if how == "broken":
        pbx.engine.finish_play(pbx.caller.media.endpoint, "/sounds/welcome.wav is no sound")
        await asyncio.sleep(0.1)
    assert isinstance(pbx.engine.of(Play)[-1].source, Playlist)
    assert len(pbx.engine.of(Play)) == (1 if how == "missing" else 2)
    press(pbx, "2")
    assert await gone_to(pbx) == ["600"]


def test_input_is_complete_when_nothing_longer_begins_with_it() -> None:
    choices = Choices(("1", "101", "22"), frozenset(("2201", "305")))
    complete = [each for each in ("1", "10", "101", "2", "22", "220", "2201", "305", "9") if choices.is_complete(each)]
    assert complete == ["101", "2201", "305"]


# --- in an office ----------------------------------------------------------------------------------------------------

MENUS = Office(
    "Test",
    ivrs=(
        Ivr("700", "hangup", "Main", attempts=2, timeout=3, keys={"1": "701", "2": "102"}),
        Ivr("701", "700", "Second", attempts=1, timeout=3, keys={"3": "103", "0": "700"}),
    ),
)


async def menu(office: VirtualOffice, digits: str) -> None:
    for digit in digits:
        await asyncio.sleep(3)
        office.engine.press(office.leg_of("101").media.endpoint, digit)


@pytest.mark.row("IVR-2")
@pytest.mark.row("IVR-13")
@pytest.mark.row("CDR-3")
async def test_menus_lead_to_menus_and_at_last_to_somebody_who_answers() -> None:
    async with open_office(*map(terminal, ("101", "102", "103")), office=MENUS) as office:
        a, c = await office.registered("101"), await office.registered("103")
        call = a.dial("700")
        await call.until_answered()
        await menu(office, "13")
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(4)
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(10)
        assert office.hears("101") == "103"
        call.hangup()
        await ring.until_over()
    rows = [(row.stage, row.to_number, row.disposition, row.digits, row.talk_seconds > 0) for row in office.rows]
    assert rows == [
        ("ivr", "700", "NOANSWER", "1", False),
        ("ivr", "701", "NOANSWER", "3", False),
        ("dial", "103", "ANSWERED", "", True),
    ]
    assert office.rows[2].talk_seconds == pytest.approx(10, abs=0.5)
    assert len({row.linkedid for row in office.rows}) == 1


@pytest.mark.row("IVR-14")
async def test_a_caller_who_says_nothing_does_not_go_round_in_menus_for_ever() -> None:
    round_and_round = replace(MENUS, ivrs=(Ivr("700", "701", attempts=1, timeout=1), Ivr("701", "700", attempts=1)))
    async with open_office(terminal("101"), office=round_and_round) as office:
        a = await office.registered("101")
        call = a.dial("700")
        await call.until_answered()
        await call.until_over(3000)
        assert call.is_over
    assert office.rows[0].cause == "loop" or office.rows[-1].cause == "loop"


@pytest.mark.row("CDR-19")
async def test_who_hangs_up_in_a_menu_leaves_its_row() -> None:
    async with open_office(terminal("101"), office=MENUS) as office:
        a = await office.registered("101")
        call = a.dial("700")
        await call.until_answered()
        await asyncio.sleep(2)
        call.hangup()
    assert (office.row.stage, office.row.to_number, office.row.disposition) == ("ivr", "700", "NOANSWER")
    assert office.row.cause != cause.NOT_FOUND.name


class Ears:
    """A recogniser that hears what the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.heard: Heard | None = None

    def listen(self, leg: Leg, language: str, phrases: Collection[str], heard: Heard) -> Listening:
        self.asked.append((language, tuple(phrases)))
        self.heard = heard
        return self

    def stop(self) -> None:
        self.heard = None

    def say(self, phrase: str) -> None:
        assert self.heard is not None
        self.heard(phrase)


SPOKEN = replace(
    MENUS,
    ivrs=(
        Ivr("700", "hangup", attempts=2, timeout=3, keys={"1": "701", "22": "102"}, phrases={"22": ("sales", "shop")}),
        Ivr("701", "hangup", attempts=1, timeout=3, keys={"3": "103"}),
    ),
)


@pytest.mark.row("AMB-25")
async def test_what_is_said_counts_as_its_key_while_the_menu_listens_and_keys_work_too() -> None:
    ears = Ears()
    async with open_office(*map(terminal, ("101", "102")), office=SPOKEN) as office:
        office.services.hearing = ears
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("700")
        await call.until_answered()
        await asyncio.sleep(1)
        ears.say("shop")
        ring = await b.rung()
        assert ears.heard is None, "nobody listens after the menu"
        ring.answer()
        await ring.until_confirmed()
        call.hangup()
        await ring.until_over()
        call = a.dial("700")
        await call.until_answered()
        await menu(office, "1")
        await asyncio.sleep(1)
        assert ears.heard is None
        await call.until_over()
    assert ears.asked == [("en", ("sales", "shop"))] * 2, "a menu without phrases does not listen"
    assert [row.digits for row in office.rows if row.stage == "ivr"] == ["22", "1", "t"]


@pytest.mark.row("FEAT-35")
async def test_services_end_a_call_or_say_that_the_line_is_busy() -> None:
    services = replace(MENUS, ivrs=(Ivr("700", "hangup", keys={"1": "hangup", "2": "busy"}, attempts=1, timeout=2),))
    async with open_office(terminal("101"), office=services) as office:
        a = await office.registered("101")
        for key, lasts_s in (("1", 0.0), ("2", 5.0)):
            call = a.dial("700")
            await call.until_answered()
            await menu(office, key)
            before = asyncio.get_running_loop().time()
            await call.until_over()
            assert asyncio.get_running_loop().time() - before == pytest.approx(lasts_s, abs=0.5)
