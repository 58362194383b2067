"""Calls from outside (INB-*), with a provider and real phones on the virtual network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from media.api import FileSource, Play
from pbx.explain import explain
from storage.memory import MemoryStorage
from storage.records import (
    Calendar,
    CallerList,
    CdrRow,
    Conference,
    ExternalNumber,
    Forward,
    Group,
    InboundPolicy,
    InboundRule,
    Ivr,
    NumberRule,
    OffHours,
    Office,
    Provider,
    Queue,
    RecordingPolicy,
    Sound,
    Terminal,
    User,
    VoicemailBox,
)
from tests.support.builders import terminal
from tests.support.office import WALL_AT_START, VirtualOffice, open_office
from tests.support.telco import Telco
from tests.support.ua import Phone, PhoneCall

DID, CLIENT = "74951234567", "79161234567"
TELCO = Provider("telco", "192.0.2.10", login="74950000000", password="Secret_1")
TERMINALS = tuple(terminal(number, max_calls=2) for number in ("101", "102", "103", "104"))
NUMBER = ExternalNumber(DID, "telco", "101")
# The tests begin on Tuesday, 14 November 2023, at 22:13:20 UTC.
SHUT = Calendar("shut", weekly={"mon-fri": ("09:00-18:00",)})
SOUNDS = (Sound("welcome", "/sounds/welcome.wav"), Sound("moment", "/sounds/moment.wav"))


@asynccontextmanager
async def called(
    *rules: InboundRule,
    number: ExternalNumber | None = NUMBER,
    terminals: tuple[Terminal, ...] = TERMINALS,
    storage: MemoryStorage | None = None,
    users: tuple[User, ...] = (),
    **settings: object,
) -> AsyncIterator[tuple[VirtualOffice, Telco]]:
    """An office with that number and these rules, its provider, all phones registered."""
    numbers = () if number is None else (number,)
    office = replace(
        Office("Test", providers=(TELCO,), external_numbers=numbers, inbound_rules=rules, sounds=SOUNDS),
        **settings,  # type: ignore[arg-type]
    )
    async with open_office(*terminals, office=office, storage=storage, users=users) as opened:
        telco = opened.telco("192.0.2.10")
        for each in terminals:
            if not each.disabled:
                await opened.registered(each.number)
        await asyncio.sleep(1)
        yield opened, telco


def phone(office: VirtualOffice, number: str) -> Phone:
    return next(each for each in office.phones if each.number == number)


async def ringing(office: VirtualOffice, number: str, within_s: float = 5.0) -> PhoneCall:
    ring = await phone(office, number).rung(within_s)
    ring.ring()
    return ring


async def talk(call: PhoneCall, ring: PhoneCall, *, is_answered: bool = False) -> None:
    """`is_answered`: the caller has heard something before."""
    ring.answer()
    if not is_answered:
        await call.until_answered()
    await asyncio.sleep(2)
    call.hangup()
    await ring.until_over()
    await asyncio.sleep(1)


def stages(office: VirtualOffice) -> list[tuple[str, str, str]]:
    return [(row.to_number, row.stage, row.disposition) for row in office.rows]


def played(office: VirtualOffice) -> list[str]:
    """Files of the office that were played, by name."""
    sources = [each.source for each in office.engine.of(Play)]
    return [each.path.rpartition("/")[2] for each in sources if isinstance(each, FileSource)]


async def finish_play(office: VirtualOffice, caller: str = CLIENT) -> None:
    await asyncio.sleep(1)
    office.engine.finish_play(office.leg_of(caller).media.endpoint)


@pytest.mark.row("INB-1")
@pytest.mark.row("INB-4")
@pytest.mark.parametrize("target", ["101", "600", "500", "700", "800"])
async def test_a_number_of_an_account_leads_to_its_target(target: str) -> None:
    things: dict[str, Any] = {
        "groups": (Group("600", members=("101",)),),
        "queues": (Queue("500", agents=("101",)),),
        "ivrs": (Ivr("700", default="101", attempts=1, timeout=1),),
        "conferences": (Conference("800"),),
    }
    async with called(number=replace(NUMBER, target=target), **things) as (office, telco):
        call = telco.call(DID, CLIENT, name="Client")
        if target == "700":
            await call.until_answered()
            await asyncio.sleep(4)
        if target == "800":
            await call.until_answered()
            await asyncio.sleep(2)
            call.hangup()
        else:
            await talk(call, await ringing(office, "101", 30), is_answered=target == "700")
    first = office.rows[0]
    assert (first.to_number, first.stage, first.provider_in, first.external_number) == (DID, "incoming", "telco", DID)
    assert (first.from_number, first.from_name) == (CLIENT, "Client")
    assert office.rows[-1].disposition == "ANSWERED"
    assert len({row.linkedid for row in office.rows}) == 1


@pytest.mark.row("INB-2")
async def test_a_greeting_is_heard_before_anybody_rings() -> None:
    async with called(number=replace(NUMBER, greeting="welcome")) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        assert not phone(office, "101").calls
        assert played(office) == ["welcome.wav"]
        await finish_play(office)
        await talk(call, await ringing(office, "101"), is_answered=True)
        without = telco.call(DID.replace("7", "8"), CLIENT)
        assert await without.until_over() == 486
    assert office.rows[1].talk_seconds == pytest.approx(2, abs=0.5)


@pytest.mark.row("INB-3")
async def test_a_number_dialled_during_or_after_the_greeting_rings_and_no_other_one_does() -> None:
    hidden = replace(TERMINALS[2], public_access=False)
    terminals = (*TERMINALS[:2], hidden, TERMINALS[3])
    direct = replace(NUMBER, greeting="welcome", direct_dial=True, dial_attempts=2)
    async with called(number=direct, terminals=terminals) as (office, telco):
        for dialled, rings in (("102", "102"), ("103", "101"), ("999", "101"), ("", "101")):
            call = telco.call(DID, CLIENT)
            await call.until_answered()
            began = office.clock.now()
            for attempt in range(1 if dialled == "102" else 2):
                await asyncio.sleep(4 if attempt else 1)  # after the last digit
                if dialled:
                    office.engine.press(office.leg_of(CLIENT).media.endpoint, dialled)
                elif attempt == 0:
                    office.engine.finish_play(office.leg_of(CLIENT).media.endpoint)
                    await asyncio.sleep(7.5)
                else:
                    office.engine.finish_play(office.leg_of(CLIENT).media.endpoint)
            await talk(call, await ringing(office, rings, 20), is_answered=True)
            if not dialled:
                assert office.clock.now() - began > 15


@pytest.mark.row("INB-5")
@pytest.mark.row("CAL-15")
@pytest.mark.row("CAL-16")
@pytest.mark.row("VM-8")
async def test_outside_its_hours_a_number_offers_a_message_in_its_own_box() -> None:
    number = replace(NUMBER, calendar="shut", greeting="welcome")
    boxes = (VoicemailBox(DID), VoicemailBox("101"))
    async with called(number=number, calendars=(SHUT,), voicemail_boxes=boxes) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(12)  # we are closed, please leave a message, the tone
        call.hangup()
        await asyncio.sleep(3)
        (message,) = office.pbx.mailboxes.messages(DID)
        assert message.from_number == CLIENT
        assert "welcome.wav" not in played(office)
        inside = phone(office, "102").dial("101")
        await talk(inside, await ringing(office, "101"))  # no calendar of a number is asked for internal calls
    assert stages(office)[:3] == [
        (DID, "incoming", "NOANSWER"),
        ("outworktimes", "outworktimes", "NOANSWER"),
        ("voicemail", "voicemail", "ANSWERED"),
    ]


@pytest.mark.row("CAL-11")
@pytest.mark.row("CAL-12")
@pytest.mark.row("CAL-8")
@pytest.mark.row("CAL-7")
async def test_rules_about_off_hours_are_for_all_numbers_or_some_and_play_or_send_on() -> None:
    other = ExternalNumber("78005553535", "telco", "101")
    rules = (
        OffHours("later", priority=9, target="104"),
        OffHours("never", first_date="2024-01-01", last_date="2024-01-02", target="104"),
        OffHours("sound", first_day="tue", last_day="tue", first_time="22:00", numbers=(DID,), sound="moment"),
        OffHours("all", first_time="20:00", last_time="06:00", target="103"),
    )
    async with called(external_numbers=(NUMBER, other), off_hours=rules) as (office, telco):
        await talk(telco.call("78005553535", CLIENT), await ringing_after(office, telco, "103"))
    async with called(external_numbers=(NUMBER, other), off_hours=rules[:3]) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        assert played(office) == ["moment.wav"]
        await finish_play(office)
        await call.until_over()
        assert not phone(office, "101").calls


async def ringing_after(office: VirtualOffice, telco: Telco, number: str) -> PhoneCall:
    return await ringing(office, number)


@pytest.mark.row("CAL-1")
@pytest.mark.row("CAL-19")
async def test_what_happens_on_a_number_at_a_time_is_explained() -> None:
    number = replace(NUMBER, calendar="shut", closed_target="104", target="500")
    queue = Queue("500", agents=("102",))
    async with called(number=number, calendars=(SHUT,), queues=(queue,), timezone="Europe/Moscow") as (office, _):
        night = explain(office.pbx, CLIENT, DID)
        day = explain(office.pbx, "+" + CLIENT, "+" + DID, WALL_AT_START + 9 * 3600)
    assert night.targets == ("104",)
    assert [(each.rule, each.why) for each in night.rules if each.number == DID and each.rule != "number"] == [
        ("caller_lists", "nothing turns the caller away"),
        ("calendar", "shut: hours of wed"),
    ]
    assert day.targets == ("102",)
    assert day.result == "final target: 102 of queue 500, strategy ringall"
    assert [each.rule for each in day.rules if each.matched and each.rule != "number"] == [
        f"external number {DID}", "agent 102",
    ]  # fmt: skip


@pytest.mark.row("INB-9")
@pytest.mark.row("INB-12")
@pytest.mark.row("INB-15")
@pytest.mark.row("INB-16")
async def test_rules_are_tried_one_after_the_other_each_for_its_time_then_the_default() -> None:
    rules = (
        InboundRule("second", "telco", DID, "102", 20, priority=2, sound="moment"),
        InboundRule("first", "telco", DID, "101", 10, priority=1),
    )
    async with called(*rules, number=None, inbound=InboundPolicy("103")) as (office, telco):
        began = office.clock.now()
        call = telco.call(DID, CLIENT)
        first = await ringing(office, "101")
        assert await first.until_over() == 487
        assert office.clock.now() - began == pytest.approx(10, abs=1)
        await call.until_answered()  # for the sound
        assert played(office) == ["moment.wav"]
        assert not phone(office, "102").calls
        await finish_play(office)
        began = office.clock.now()
        second = await ringing(office, "102")
        await talk(call, await ringing(office, "103", 30), is_answered=True)
        assert second.is_over
        assert office.clock.now() - began == pytest.approx(20 + 3, abs=2)
        assert played(office) == ["moment.wav"]
    assert stages(office) == [
        (DID, "incoming", "NOANSWER"), ("101", "dial", "NOANSWER"), ("102", "dial", "NOANSWER"),
        ("103", "dial", "ANSWERED"),
    ]  # fmt: skip
    for policy, status in ((InboundPolicy(), 486), (InboundPolicy("hangup"), 480)):
        async with called(number=None, inbound=policy) as (office, telco):
            assert await telco.call("7000", CLIENT).until_over() == status


@pytest.mark.row("INB-13")
async def test_the_time_of_a_rule_runs_in_menus_and_queues_and_only_a_human_answer_stops_it() -> None:
    menu = Ivr("700", default="500", attempts=1, timeout=5)
    queue = Queue("500", agents=("101",), caller_hears="music", ring_time=300, max_wait=0)
    rules = (InboundRule("menu", "telco", DID, "700", 25), InboundRule("desk", "telco", DID, "102", 30, priority=1))
    async with called(*rules, number=None, ivrs=(menu,), queues=(queue,)) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()  # by the menu
        began = office.clock.now()
        agent = await ringing(office, "101", 20)
        desk = await ringing(office, "102", 40)
        assert office.clock.now() - began == pytest.approx(25, abs=1)
        assert await agent.until_over() == 487
        assert not office.pbx.queues()[0].waiting
        desk.answer()
        await asyncio.sleep(60)  # longer than the time of any rule
        assert office.hears(CLIENT) == "102"
        call.hangup()
        await desk.until_over()


@pytest.mark.row("INB-14")
async def test_the_service_busy_ends_the_cascade_a_busy_employee_does_not() -> None:
    after = InboundRule("after", "telco", DID, "102", 30, priority=9)
    for target, status in (("busy", 486), ("hangup", 480)):
        async with called(InboundRule("first", "telco", DID, target), after, number=None) as (office, telco):
            assert await telco.call(DID, CLIENT).until_over() == status
            assert not phone(office, "102").calls
    async with called(InboundRule("first", "telco", DID, "101"), after, number=None) as (office, telco):
        call = telco.call(DID, CLIENT)
        (await ringing(office, "101")).reject(486)
        await talk(call, await ringing(office, "102"))


@pytest.mark.row("AMB-12")
@pytest.mark.row("INB-11")
@pytest.mark.row("INB-20")
@pytest.mark.row("INB-24")
async def test_the_most_specific_number_comes_first_then_broader_ones_then_those_of_any_provider() -> None:
    rules = (
        InboundRule("any-provider", "", "", "104", 5),
        InboundRule("any-number", "telco", "", "103", 5),
        InboundRule("pattern", "telco", "7495XXXXXXX", "102", 5),
        InboundRule("exact", "telco", DID, "101", 5, priority=7),
        InboundRule("other", "telco", "7800.", "104", 5),
        InboundRule("off", "telco", DID, "104", 5, disabled=True),
    )
    async with called(*rules, number=None) as (office, telco):
        assert await telco.call(DID, CLIENT).until_over() == 486
    assert [row.to_number for row in office.rows][:6] == [DID, "101", "102", "103", "104", "busy"]
    async with called(*rules, number=None) as (office, telco):
        await talk(telco.call(TELCO.login, CLIENT), await ringing_soon(office, "102"))
    only = InboundPolicy(only_own_number=True)
    async with called(*rules, number=None, inbound=only) as (office, telco):
        assert await telco.call(DID, CLIENT).until_over() == 486
    assert [row.to_number for row in office.rows] == [DID, "101", "busy"]


@pytest.mark.row("INB-25")
async def test_accounts_at_one_server_share_their_rules() -> None:
    second = Provider("second", "192.0.2.10", login="74957654321", password="Secret_1")
    rule = InboundRule("of-second", "second", "78005553535", "102")
    async with called(rule, providers=(TELCO, second)) as (office, telco):
        await talk(telco.call("78005553535", CLIENT, to=TELCO.login), await ringing_soon(office, "102"))


async def ringing_soon(office: VirtualOffice, number: str) -> PhoneCall:
    return await ringing(office, number)


@pytest.mark.row("INB-18")
async def test_did2user_leads_to_the_terminal_with_the_number_that_was_called() -> None:
    async with called(InboundRule("trunk", "telco", "1XX", "did2user"), number=None) as (office, telco):
        call = telco.call("102", CLIENT)
        await talk(call, await ringing(office, "102"))
        assert await telco.call("199", CLIENT).until_over() not in (200, 486)


@pytest.mark.row("INB-27")
async def test_callers_on_a_black_list_and_others_than_a_white_list_has_are_turned_away() -> None:
    lists = (
        CallerList("spam", callers=("7999XXXXXXX",)),
        CallerList("friends", "white", "telco", (CLIENT, "7999.")),
        CallerList("of another account", "white", "other", ("74950000001",)),
    )
    async with called(caller_lists=lists) as (office, telco):
        assert await telco.call(DID, "79991234567").until_over() == 603
        assert await telco.call(DID, "74950000001").until_over() == 603
        assert not phone(office, "101").calls
        call = telco.call(DID, CLIENT)
        await talk(call, await ringing(office, "101"))


async def test_numbers_are_written_in_one_way_before_anybody_sees_them() -> None:
    rules = (NumberRule("trunk", length=11, prefix="8", replace="7"),)
    async with called(number_rules=rules) as (office, telco):
        call = telco.call(DID, "89161234567")
        await talk(call, await ringing(office, "101"))
    assert office.rows[0].from_number == CLIENT


def talked(linkedid: str, at: float, from_number: str, to_number: str, talk_s: float = 30.0) -> CdrRow:
    return CdrRow(
        linkedid, linkedid, at, at + 60, from_number, to_number, "ANSWERED", answered_at=at, talk_seconds=talk_s,
        external_number=DID if from_number == CLIENT else "",
    )  # fmt: skip


async def history(*rows: CdrRow) -> MemoryStorage:
    storage = MemoryStorage()
    for row in rows:
        storage.cdrs.append(row)
    return storage


@pytest.mark.row("INB-7")
async def test_whoever_talked_to_the_caller_last_is_rung_first() -> None:
    now, day = WALL_AT_START, 86_400.0
    storage = await history(
        talked("old", now - 20 * day, CLIENT, "104"),
        talked("newest", now - 2 * day, CLIENT, "102"),
        talked("not-a-talk", now - day, CLIENT, "103", 0.0),
        talked("other", now - day, "79990000000", "103"),
        talked("outgoing", now - 3 * day, "103", f"+{CLIENT}"),
    )
    number = replace(NUMBER, last_agent=True, last_agent_ring=20)
    async with called(number=number, storage=storage) as (office, telco):
        began = office.clock.now()
        call = telco.call(DID, CLIENT)
        agent = await ringing(office, "102")
        await talk(call, await ringing(office, "101", 30))  # in vain: the usual way goes on
        assert agent.is_over
        assert office.clock.now() - began == pytest.approx(20 + 3, abs=2)
        colleague = phone(office, "104").dial("102")
        busy = await ringing(office, "102")
        busy.answer()
        await colleague.until_answered()
        call = telco.call(DID, CLIENT)
        await talk(call, await ringing(office, "101"))  # at once: the agent is busy
        colleague.hangup()
        await busy.until_over()
    settings: dict[str, Any]
    for settings, rings in (
        ({"last_agent_days": 1}, "101"),
        ({"last_agent": False}, "101"),
        ({}, "103"),
    ):
        kept = await history(talked("outgoing", now - 3 * day, "103", f"+{CLIENT}"))
        async with called(number=replace(number, **settings), storage=kept) as (office, telco):
            await talk(telco.call(DID, CLIENT), await ringing_soon(office, rings))
    kept = await history(talked("outgoing", now - 3 * day, "103", f"+{CLIENT}"))
    async with called(number=replace(number, last_agent_inbound=True), storage=kept) as (office, telco):
        await talk(telco.call(DID, CLIENT), await ringing_soon(office, "101"))


@pytest.mark.row("INB-28")
async def test_phones_show_the_line_where_the_number_says_so() -> None:
    number = replace(NUMBER, name="Sales", show_name=True)
    async with called(number=number) as (office, telco):
        call = telco.call(DID, CLIENT, name="Client")
        ring = await ringing(office, "101")
        assert ring.invite is not None
        assert str(ring.invite.headers.get("from")).startswith('"Sales: Client"')
        await talk(call, ring)


@pytest.mark.row("INB-29")
async def test_callers_from_outside_transfer_nothing() -> None:
    async with called() as (office, telco):
        call = telco.call(DID, CLIENT)
        ring = await ringing(office, "101")
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        for digit in "**102":
            office.engine.press(office.leg_of(CLIENT).media.endpoint, digit)
            await asyncio.sleep(0.2)
        await asyncio.sleep(10)
        assert not phone(office, "102").calls
        assert office.hears(CLIENT) == "101"
        call.hangup()
        await ring.until_over()


@pytest.mark.row("INB-30")
async def test_who_hangs_up_at_the_greeting_is_in_the_history() -> None:
    async with called(number=replace(NUMBER, greeting="welcome")) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(1)
        call.hangup()
        await asyncio.sleep(1)
    assert (office.row.to_number, office.row.external_number, office.row.disposition) == (DID, DID, "NOANSWER")
    assert (office.row.from_number, office.row.provider_in, office.row.talk_seconds) == (CLIENT, "telco", 0.0)


@pytest.mark.row("INB-8")
@pytest.mark.row("REC-3")
async def test_an_external_number_says_whether_its_calls_are_recorded() -> None:
    for wanted, enabled, is_recorded in (
        *((None, True, True), (None, False, False)),
        *((False, True, False), (True, False, True)),
    ):
        number = replace(NUMBER, record_in=wanted)
        async with called(number=number, recording=RecordingPolicy(enabled=enabled)) as (office, telco):
            call = telco.call(DID, CLIENT)
            ring = await ringing(office, "101")
            ring.answer()
            await call.until_answered()
            await asyncio.sleep(1)
            assert bool(office.engine.recordings) is is_recorded
            call.hangup()
            await ring.until_over()


@pytest.mark.row("INB-17")
async def test_a_conference_answers_at_once_and_counts_as_an_answer() -> None:
    rules = (InboundRule("room", "telco", DID, "800", 5), InboundRule("desk", "telco", DID, "101", priority=1))
    async with called(*rules, number=None, conferences=(Conference("800"),)) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(20)
        assert not phone(office, "101").calls
        call.hangup()
        await asyncio.sleep(1)


async def test_the_rules_of_an_employee_are_followed_within_a_step() -> None:
    rules = InboundRule("first", "telco", DID, "101", 60)
    terminals = (terminal("101", forward=Forward(no_answer="102", ring_time=10)), *TERMINALS[1:])
    async with called(rules, number=None, terminals=terminals) as (office, telco):
        call = telco.call(DID, CLIENT)
        await ringing(office, "101")
        await talk(call, await ringing(office, "102", 20))
