"""Queues in an office: real call control on the virtual network."""

import asyncio
from dataclasses import replace

import pytest

from media.api import Play, Playlist, SharedSource
from pbx.api import AgentBreak, BusEvent
from pbx.control.messages import QueueView
from pbx.reports.facts import Conversation, fold
from storage.match import scanned
from storage.memory import MemoryStorage
from storage.records import Ivr, Office, Queue, Sound, User
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

SALES = Queue("500", "Sales", agents=("201", "202", "203"), wrap_up=0, max_wait=0)
CALLERS = ("101", "102", "103")
PHONES = tuple(terminal(number) for number in (*CALLERS, "201", "202", "203", "204"))


def with_queue(queue: Queue = SALES, **more: object) -> Office:
    return replace(Office("Test", queues=(queue,)), **more)  # type: ignore[arg-type]


async def phones(office: VirtualOffice, *numbers: str) -> list[Phone]:
    return [await office.registered(number) for number in numbers]


async def answered(office: VirtualOffice, agent: Phone, after_s: float = 2.0) -> PhoneCall:
    ring = await agent.rung()
    ring.ring()
    await asyncio.sleep(after_s)
    ring.answer()
    await ring.until_confirmed()
    return ring


def view(office: VirtualOffice) -> QueueView:
    (found,) = office.pbx.queues()
    return found


def agent_state(office: VirtualOffice, number: str) -> str:
    return next(each.state for each in view(office).agents if each.number == number)


@pytest.mark.row("QUE-1")
@pytest.mark.row("QUE-3")
@pytest.mark.row("QUE-31")
async def test_a_caller_waits_while_all_are_busy_and_talks_to_the_first_who_is_free() -> None:
    queue = replace(SALES, agents=("201",))
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        first = a.dial("500")
        ring = await answered(office, agent)
        await first.until_answered()
        second = b.dial("500")
        await second.until_ringing()
        await asyncio.sleep(30)
        assert not second.is_answered
        assert [each.number for each in view(office).waiting] == ["102"]
        first.hangup()
        await ring.until_over()
        again = await answered(office, agent)
        await second.until_answered()
        await asyncio.sleep(5)
        assert office.hears("102") == "201"
        second.hangup()
        await again.until_over()
    rows = [(row.stage, row.from_number, row.to_number, row.disposition, row.talk_seconds > 0) for row in office.rows]
    assert rows == [
        ("queue", "101", "500", "ANSWERED", False),
        ("dial", "101", "201", "ANSWERED", True),
        ("queue", "102", "500", "ANSWERED", False),
        ("dial", "102", "201", "ANSWERED", True),
    ]


@pytest.mark.row("QUE-12")
async def test_an_agent_who_does_not_answer_in_time_has_missed_the_call_and_the_next_is_rung() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, strategy="linear"))) as office:
        a, first, second = await phones(office, "101", "201", "202")
        call = a.dial("500")
        loop = asyncio.get_running_loop()
        missed = await first.rung()
        missed.ring()
        before = loop.time()
        assert await missed.until_over() == 487
        assert loop.time() - before == pytest.approx(15, abs=0.5)
        ring = await second.rung()
        assert loop.time() - before == pytest.approx(16, abs=0.5)
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()
    assert [(row.to_number, row.disposition) for row in office.rows] == [
        ("500", "ANSWERED"), ("201", "NOANSWER"), ("202", "ANSWERED"),
    ]  # fmt: skip


@pytest.mark.row("QUE-13")
async def test_an_agent_rests_after_a_talk() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, agents=("201",), wrap_up=15))) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        call = a.dial("500")
        ring = await answered(office, agent)
        call.hangup()
        await ring.until_over()
        ended = asyncio.get_running_loop().time()
        second = b.dial("500")
        await asyncio.sleep(5)
        assert agent_state(office, "201") == "resting"
        again = await agent.rung()
        assert asyncio.get_running_loop().time() - ended == pytest.approx(15, abs=0.5)
        again.answer()
        await second.until_answered()
        second.hangup()
        await again.until_over()


@pytest.mark.row("QUE-14")
@pytest.mark.row("EXT-8")
@pytest.mark.parametrize("in_use", [False, True])
async def test_agents_who_talk_are_rung_where_the_queue_says_so_whatever_their_own_limit(in_use: bool) -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, agents=("201",), ring_in_use=in_use))) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        talk, ring = await office.connect(a, agent)
        waiting = b.dial("500")
        await asyncio.sleep(5)
        assert agent.is_ringing is in_use
        if in_use:
            again = await agent.rung()
            again.reject(486)
        waiting.hangup()
        talk.hangup()
        await ring.until_over()
        await asyncio.sleep(30)


@pytest.mark.row("QUE-15")
async def test_an_agent_who_rejects_is_left_alone_for_a_while_and_nobody_is_waited_for() -> None:
    queue = replace(SALES, agents=("201", "202"), strategy="linear", reject_pause=40)
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, first, second = await phones(office, "101", "201", "202")
        a.dial("500")
        loop = asyncio.get_running_loop()
        (await first.rung()).reject(603)
        rejected = loop.time()
        ring = await second.rung()
        assert loop.time() - rejected < 2
        ring.ring()
        await ring.until_over()
        ring = await second.rung()
        ring.ring()
        await ring.until_over()
        again = await first.rung()
        assert loop.time() - rejected >= 40
        again.answer()
        await again.until_confirmed()
        again.hangup()
        await asyncio.sleep(1)


@pytest.mark.row("QUE-16")
@pytest.mark.row("QUE-17")
@pytest.mark.row("SND-6")
@pytest.mark.parametrize("hears", ["ringing", "music"])
async def test_music_takes_the_call_off_the_hook_and_ringing_does_not(hears: str) -> None:
    queue = replace(SALES, caller_hears=hears, music="advert")
    sounds = (Sound("advert", "/sounds/advert.mp3"),)
    async with open_office(*PHONES, office=with_queue(queue, sounds=sounds)) as office:
        a, agent = await phones(office, "101", "201")
        call = a.dial("500")
        ring = await agent.rung()
        await asyncio.sleep(3)
        assert call.is_answered is (hears == "music")
        plays = [each.source for each in office.engine.of(Play)]
        assert plays == ([SharedSource(("/sounds/advert.mp3",))] if hears == "music" else [])
        assert (180 in call.statuses) is (hears == "ringing")
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(1)
        assert office.hears("101") == "201"
        call.hangup()
        await ring.until_over()


@pytest.mark.row("QUE-4")
async def test_the_agent_sees_the_short_name_before_who_calls() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, short_name="consult"))) as office:
        a, agent = await phones(office, "101", "201")
        call = a.dial("500")
        ring = await agent.rung()
        assert ring.invite is not None
        assert ring.invite.from_.display == "consult:101"
        call.hangup()
        await ring.until_over()


@pytest.mark.row("QUE-18")
@pytest.mark.row("QUE-20")
@pytest.mark.row("QUE-21")
async def test_places_and_the_extra_announcement_are_said_while_all_are_busy_again_and_again() -> None:
    queue = replace(SALES, agents=("201",), announce_position=True, announcement="news", announce_every=30)
    sounds = (Sound("news", "/sounds/news.wav"),)
    async with open_office(*PHONES, office=with_queue(queue, sounds=sounds)) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        first = a.dial("500")
        ring = await answered(office, agent, after_s=14)
        await first.until_answered()
        assert not [each for each in office.engine.of(Play) if isinstance(each.source, Playlist)], "one rang: not busy"
        second = b.dial("500")
        await asyncio.sleep(1)
        said = [each.source for each in office.engine.of(Play) if isinstance(each.source, Playlist)]
        assert [source.files[-1].path for source in said if isinstance(source, Playlist)] == ["/sounds/news.wav"]
        await asyncio.sleep(30)
        said = [each.source for each in office.engine.of(Play) if isinstance(each.source, Playlist)]
        assert len(said) == 1, "thirty seconds after the end of the one before"
        await asyncio.sleep(5)
        said = [each.source for each in office.engine.of(Play) if isinstance(each.source, Playlist)]
        assert len(said) == 2
        assert not second.is_answered, "as early media"
        second.hangup()
        first.hangup()
        await ring.until_over()


@pytest.mark.row("QUE-22")
@pytest.mark.row("QUE-26")
async def test_after_the_longest_wait_the_call_goes_to_the_target() -> None:
    queue = replace(SALES, agents=("201",), max_wait=40, timeout_target="700")
    menu = Ivr("700", "hangup", keys={"1": "204"})
    async with open_office(*PHONES, office=with_queue(queue, ivrs=(menu,))) as office:
        a, agent, _ = await phones(office, "101", "201", "204")
        call = a.dial("500")
        ring = await agent.rung()
        ring.ring()
        loop = asyncio.get_running_loop()
        before = loop.time()
        await call.until_answered()
        assert loop.time() - before == pytest.approx(40, abs=1)
        await asyncio.sleep(1)
        call.hangup()
    assert [row.stage for row in office.rows if row.stage != "dial"] == ["queue", "ivr"]
    assert next(row for row in office.rows if row.stage == "queue").cause == "queue_timeout"


@pytest.mark.row("QUE-23")
@pytest.mark.row("AMB-4")
@pytest.mark.row("AMB-5")
async def test_without_a_target_the_call_ends_after_five_minutes() -> None:
    async with open_office(*PHONES, office=with_queue(Queue("500", "Sales", agents=("201",)))) as office:
        (a,) = await phones(office, "101")
        call = a.dial("500")
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert await call.until_over() == 480
        assert loop.time() - before == pytest.approx(300, abs=1)


@pytest.mark.row("QUE-24")
async def test_when_no_agent_is_registered_the_call_goes_to_the_other_target_at_once_or_later() -> None:
    queue = replace(SALES, agents=("201",), empty_target="204")
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, b, agent, reserve = await phones(office, "101", "102", "201", "204")
        talk, busy = await office.connect(b, agent)
        call = a.dial("500")
        await asyncio.sleep(20)
        assert not reserve.is_ringing, "busy agents count as there"
        await agent.register(0)
        ring = await reserve.rung()
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()
        talk.hangup()
        await busy.until_over()
        straight = a.dial("500")
        (await reserve.rung()).reject(486)
        await straight.until_over()
    assert next(row for row in office.rows if row.stage == "queue").cause == "no_agent"


@pytest.mark.row("QUE-25")
async def test_after_so_many_attempts_the_call_goes_elsewhere() -> None:
    queue = replace(SALES, agents=("201",), max_attempts=2, attempts_target="204")
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, agent, reserve = await phones(office, "101", "201", "204")
        call = a.dial("500")
        for _ in range(2):
            ring = await agent.rung()
            ring.ring()
            await ring.until_over()
        ring = await reserve.rung()
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


@pytest.mark.row("QUE-27")
@pytest.mark.row("FWD-9")
async def test_an_agent_that_redirects_or_forwards_is_not_followed() -> None:
    from storage.records import Forward

    forwards = terminal("202", forward=Forward(always="204"))
    office_phones = [each for each in PHONES if each.number != "202"]
    queue = replace(SALES, agents=("201", "202"))
    async with open_office(*office_phones, forwards, office=with_queue(queue)) as office:
        a, redirects, agent, target = await phones(office, "101", "201", "202", "204")
        call = a.dial("500")
        (await redirects.rung()).reject(302)
        ring = await answered(office, agent)
        await call.until_answered()
        assert not target.is_ringing
        call.hangup()
        await ring.until_over()


@pytest.mark.row("QUE-28")
async def test_a_key_leads_out_of_the_queue() -> None:
    queue = replace(SALES, agents=("201",), caller_hears="music", exit_keys={"9": "204"})
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, reserve = await phones(office, "101", "204")
        call = a.dial("500")
        await call.until_answered()
        for key in "19":
            await asyncio.sleep(2)
            office.engine.press(office.leg_of("101").media.endpoint, key)
        ring = await reserve.rung()
        ring.answer()
        await ring.until_confirmed()
        call.hangup()
        await ring.until_over()


async def test_a_key_leads_out_of_the_queue_also_while_an_agent_rings_or_something_is_said() -> None:
    queue = replace(SALES, agents=("201",), caller_hears="music", announce_position=True, exit_keys={"9": "204"})
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, agent, reserve = await phones(office, "101", "201", "204")
        for is_busy in (False, True):
            busy = await office.connect(await office.registered("103"), agent) if is_busy else None
            call = a.dial("500")
            await call.until_answered()
            in_vain = None if is_busy else await agent.rung()
            await asyncio.sleep(1)
            office.engine.press(office.leg_of("101").media.endpoint, "9")
            ring = await reserve.rung(3)
            ring.answer()
            await ring.until_confirmed()
            if in_vain is not None:
                await in_vain.until_over()
            call.hangup()
            await ring.until_over()
            if busy is not None:
                busy[0].hangup()
                await busy[1].until_over()


async def test_an_agent_who_is_free_while_something_is_said_to_the_caller_is_rung_after_it() -> None:
    queue = replace(SALES, agents=("201",), caller_hears="music", announce_position=True)
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        busy, talk = await office.connect(b, agent)
        call = a.dial("500")
        await call.until_answered()
        await asyncio.sleep(1)
        busy.hangup()
        await talk.until_over()
        ring = await agent.rung(10)
        call.hangup()
        await ring.until_over()


@pytest.mark.row("QUE-29")
async def test_agents_log_in_and_out_and_take_a_break_by_codes_also_over_a_restart() -> None:
    queue = replace(SALES, agents=("201",), dynamic_agents=True)
    storage = MemoryStorage()
    async with open_office(*PHONES, office=with_queue(queue), storage=storage) as office:
        a, agent, other = await phones(office, "101", "201", "204")
        breaks: list[BusEvent] = []
        office.bus.subscribe([AgentBreak], breaks.append)

        async def dial(phone: Phone, code: str) -> None:
            call = phone.dial(code)
            await call.until_answered()
            await call.until_over()

        await dial(other, "*91500")
        assert agent_state(office, "204") == "idle"
        await dial(agent, "*46")
        assert agent_state(office, "201") == "paused"
        assert [(each.number, each.is_over) for each in breaks if isinstance(each, AgentBreak)] == [("201", False)]
        call = a.dial("500")
        ring = await other.rung()
        assert not agent.is_ringing
        call.hangup()
        await ring.until_over()
        await dial(agent, "*90500")
        assert [each.number for each in view(office).agents] == ["204"]
    async with open_office(*PHONES, office=with_queue(queue), storage=storage) as office:
        assert [each.number for each in view(office).agents] == ["204"]


async def test_who_gives_up_while_an_agent_is_rung_has_given_up_in_the_queue() -> None:
    async with open_office(*PHONES, office=with_queue(SALES)) as office:
        a, agent = await phones(office, "101", "201")
        call = a.dial("500")
        ring = await agent.rung()
        await asyncio.sleep(3)
        call.hangup()
        await ring.until_over()
    found: dict[str, Conversation] = {}
    fold(sorted(map(scanned, office.rows), key=lambda row: row.started_at), found)
    (told,) = found.values()
    assert {row.stage for row in office.rows} == {"queue", "dial"}
    assert told.abandoned_in == "queue"


@pytest.mark.row("FEAT-23")
async def test_agents_who_want_no_calls_get_none() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, agents=("201", "202")))) as office:
        a, agent, other = await phones(office, "101", "201", "202")
        code = agent.dial("*78")
        await code.until_answered()
        await code.until_over()
        call = a.dial("500")
        ring = await other.rung()
        assert not agent.is_ringing
        call.hangup()
        await ring.until_over()


async def test_only_agents_with_the_skills_of_the_queue_are_rung() -> None:
    users = [User("ann", "Ann", skills=("german",)), User("bob", "Bob")]
    own = [terminal("101"), terminal("201", owner="ann"), terminal("202", owner="bob")]
    async with open_office(*own, users=users, office=with_queue(replace(SALES, skills=("german",)))) as office:
        a, agent, other = await phones(office, "101", "201", "202")
        call = a.dial("500")
        ring = await agent.rung()
        assert not other.is_ringing
        call.hangup()
        await ring.until_over()


async def test_callers_are_served_in_their_order_by_different_agents_at_the_same_time() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, strategy="linear"))) as office:
        a, b, c, first, second = await phones(office, *CALLERS, "201", "202")
        calls = [a.dial("500")]
        one = await first.rung()
        calls.append(b.dial("500"))
        two = await second.rung()
        calls.append(c.dial("500"))
        await asyncio.sleep(2)
        assert [each.number for each in view(office).waiting] == ["101", "102", "103"]
        one.answer()
        two.answer()
        await asyncio.sleep(2)
        assert (office.hears("101"), office.hears("102")) == ("201", "202")
        assert [each.number for each in view(office).waiting] == ["103"]
        for call in calls:
            call.hangup()
        await asyncio.sleep(2)


async def test_two_agents_who_answer_in_the_same_moment_do_not_both_win_the_caller() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, agents=("201", "202")))) as office:
        a, first, second = await phones(office, "101", "201", "202")
        call = a.dial("500")
        rings = [await first.rung(), await second.rung()]
        for ring in rings:
            ring.answer()
        await call.until_answered()
        await asyncio.sleep(2)
        assert office.hears("101") in ("201", "202")
        assert sum(not ring.is_over for ring in rings) == 1
        call.hangup()
        await asyncio.sleep(2)


async def test_a_caller_who_hangs_up_while_an_agent_answers_leaves_nothing() -> None:
    async with open_office(*PHONES, office=with_queue()) as office:
        a, agent = await phones(office, "101", "201")
        call = a.dial("500")
        ring = await agent.rung()
        ring.answer()
        call.hangup()
        await asyncio.sleep(5)
        assert ring.is_over
        assert view(office).waiting == ()


@pytest.mark.row("QUE-32")
async def test_a_changed_queue_counts_for_those_who_wait() -> None:
    async with open_office(*PHONES, office=with_queue(replace(SALES, agents=("201",)))) as office:
        a, new = await phones(office, "101", "204")
        call = a.dial("500")
        await call.until_ringing()
        await asyncio.sleep(5)
        changed = replace(office.pbx.office, queues=(replace(SALES, agents=("204",)),))
        office.pbx.office_changed(replace(office.pbx.directory, office=changed))
        await new.register()
        ring = await new.rung()
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


def said(office: VirtualOffice) -> list[list[str]]:
    """The prompts that were played, as the files of each list."""
    plays = [each.source for each in office.engine.of(Play)]
    return [[file.path for file in source.files] for source in plays if isinstance(source, Playlist)]


@pytest.mark.row("QUE-19")
async def test_the_expected_wait_is_said_once_it_is_known() -> None:
    queue = replace(SALES, agents=("201",), announce_wait=True, announce_every=30)
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        call = a.dial("500")
        ring = await answered(office, agent)
        await asyncio.sleep(120)
        call.hangup()
        await ring.until_over()
        first = a.dial("500")
        ring = await answered(office, agent)
        await first.until_answered()
        assert said(office) == []
        second = b.dial("500")
        await asyncio.sleep(5)
        (prompts,) = said(office)
        assert [name for name in prompts if "queue-wait" in name]
        assert [name for name in prompts if name.endswith("number/2")], "two minutes"
        second.hangup()
        first.hangup()
        await ring.until_over()


@pytest.mark.row("AMB-27")
async def test_an_agent_who_rings_is_not_busy_so_nothing_is_said_to_who_waits_behind() -> None:
    queue = replace(SALES, agents=("201",), ring_time=60, announce_position=True)
    async with open_office(*PHONES, office=with_queue(queue)) as office:
        a, b, agent = await phones(office, "101", "102", "201")
        first = a.dial("500")
        ring = await agent.rung()
        ring.ring()
        second = b.dial("500")
        await asyncio.sleep(10)
        assert office.engine.of(Play) == []
        ring.answer()
        await first.until_answered()
        await asyncio.sleep(1)
        (said,) = [each for each in office.engine.of(Play) if isinstance(each.source, Playlist)]
        assert said.endpoint == office.leg_of("102").media.endpoint, "all are busy now"
        for call in (second, first):
            call.hangup()
        await ring.until_over()


@pytest.mark.row("FEAT-25")
@pytest.mark.parametrize(("music", "expected"), [("", "office"), ("advert", "advert")])
async def test_who_is_put_on_hold_hears_the_music_of_the_office_or_of_the_queue(music: str, expected: str) -> None:
    sounds = (Sound("office", "/sounds/office.wav", music=True), Sound("advert", "/sounds/advert.wav"))
    queue = replace(SALES, agents=("201",), music=music)
    async with open_office(*PHONES, office=with_queue(queue, sounds=sounds)) as office:
        a, agent = await phones(office, "101", "201")
        call = a.dial("500")
        ring = await answered(office, agent)
        await call.until_answered()
        await asyncio.sleep(1)
        ring.hold()
        await asyncio.sleep(1)
        (held,) = [each for each in office.engine.of(Play) if each.endpoint == office.leg_of("101").media.endpoint][-1:]
        assert held.source == SharedSource((f"/sounds/{expected}.wav",))
        ring.hold("sendrecv")
        await asyncio.sleep(1)
        assert office.endpoint_of("101").play is None
        call.hangup()
        await ring.until_over()
