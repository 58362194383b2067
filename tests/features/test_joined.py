"""INVITE with Join (RFC 3911): a third phone comes into a conversation."""

import asyncio
from dataclasses import replace

import pytest

from media.api import RecordRoom
from pbx.transfer import EXTENSIONS
from sipcore.stack import StackConfig
from storage.records import Conference, RecordingPolicy
from tests.features.test_conference import hear_each_other
from tests.features.test_supervise import PHONES, SALES, USERS
from tests.pbx.test_replaces import named
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

STACK = StackConfig(extensions=EXTENSIONS)


def join(phone: Phone, wanted: str, *codecs: str, extra: tuple[tuple[str, str], ...] = ()) -> PhoneCall:
    return phone.dial("102", None, *codecs, extra=(("Join", wanted), *extra))


async def talking(office: VirtualOffice, *codecs: str) -> tuple[PhoneCall, PhoneCall]:
    """101 talks to 102."""
    return await office.connect(await office.registered("101"), await office.registered("102"), *codecs)


@pytest.mark.parametrize("first", ["101", "102", "110"])
async def test_three_hear_each_other_and_whoever_leaves_leaves_two(first: str) -> None:
    async with open_office(*PHONES, users=USERS, office=SALES, stack=STACK) as office:
        call, ring = await talking(office)
        boss = await office.registered("110")
        joined = join(boss, named(ring), extra=(("Require", "join"),))
        await joined.until_answered()
        await asyncio.sleep(2)
        assert hear_each_other(office, "101", "102", "110")
        assert not call.is_over
        assert not ring.is_over
        parties = {"101": call, "102": ring, "110": joined}
        parties.pop(first).hangup()
        await asyncio.sleep(2)
        second, third = parties
        assert (office.hears(second), office.hears(third)) == (third, second)
        parties[second].hangup()
        await parties[third].until_over()
    assert len({row.linkedid for row in office.rows}) == 1, "one conversation in the history"
    rows = sorted((row.stage, row.from_number, row.to_number, row.disposition) for row in office.rows)
    assert rows == [
        ("conference", "101", "102", "ANSWERED"),
        ("conference", "102", "101", "ANSWERED"),
        ("conference", "110", "102", "ANSWERED"),
        ("dial", "101", "102", "ANSWERED"),
    ]


async def test_another_device_of_the_same_terminal_comes_in() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        other = await office.registered("101", "10.0.7.7")
        joined = join(other, named(call))
        await joined.until_answered()
        await asyncio.sleep(1)
        assert office.hears_all("102") == ["101", "101"]
        for each in (call, joined, ring):
            each.hangup()


async def test_who_is_on_hold_is_not_joined_by_music() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        call.hold()
        await call.until_modified()
        assert office.endpoint_of("102").play is not None
        joined = join(await office.registered("110"), named(ring))
        await joined.until_answered()
        await asyncio.sleep(1)
        assert office.endpoint_of("102").play is None
        assert (office.hears("102"), office.hears("110")) == ("110", "102")
        call.resume()
        await call.until_modified()
        assert office.hears_all("102") == ["101", "110"]
        for each in (call, joined, ring):
            each.hangup()


@pytest.mark.parametrize(
    ("wanted", "watcher", "status"),
    [
        ("a@b;to-tag=1;from-tag=2", "110", 481),
        ("a@b;to-tag=1", "110", 400),
        ("%s", "103", 403),
        ("%s", "101", 403),
    ],
)
async def test_what_may_not_be_joined_is_refused_and_the_talk_goes_on(wanted: str, watcher: str, status: int) -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        phone = call.phone if watcher == "101" else await office.registered(watcher)
        assert await join(phone, wanted.replace("%s", named(ring))).until_over() == status
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


async def test_supervisors_join_within_their_scope_only() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        lead = await office.registered("111")
        a, b = [await office.registered(number) for number in ("101", "103")]
        call, ring = await office.connect(a, b)
        assert await join(lead, named(ring)).until_over() == 403
        call.hangup()
        await ring.until_over()


async def test_one_join_and_no_replaces() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        boss = await office.registered("110")
        assert await join(boss, named(ring), extra=(("Join", named(ring)),)).until_over() == 400
        assert await join(boss, named(ring), extra=(("Replaces", named(ring)),)).until_over() == 400
        call.hangup()
        await ring.until_over()


async def test_where_only_one_is_there_or_a_room_nobody_can_join() -> None:
    rooms = replace(SALES, conferences=(Conference("800", "Daily"),))
    async with open_office(*PHONES, users=USERS, office=rooms) as office:
        boss, ann = [await office.registered(number) for number in ("110", "102")]
        b = await office.registered("103")
        call = ann.dial("103")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        assert await join(boss, named(ring)).until_over() == 488
        ring.reject(486)
        await call.until_over()
        meeting = ann.dial("800")
        await meeting.until_answered()
        assert await join(boss, named(meeting)).until_over() == 488
        meeting.hangup()


async def test_who_has_no_codec_in_common_leaves_the_talk_as_it_is() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        assert await join(await office.registered("110"), named(ring), "iLBC").until_over() == 488
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


async def test_a_party_that_hangs_up_meanwhile_ends_the_attempt() -> None:
    async with open_office(*PHONES, users=USERS, office=SALES) as office:
        call, ring = await talking(office)
        boss = await office.registered("110")
        office.engine.answer_after_s = 1.0
        joined = join(boss, named(ring))
        await asyncio.sleep(0.3)
        call.hangup()
        assert await joined.until_over() == 603
        await ring.until_over()


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_what_three_say_is_recorded_where_conversations_are(is_recorded: bool) -> None:
    policy = replace(SALES, recording=RecordingPolicy(enabled=is_recorded, internal=True))
    async with open_office(*PHONES, users=USERS, office=policy) as office:
        call, ring = await talking(office)
        joined = join(await office.registered("110"), named(ring))
        await joined.until_answered()
        await asyncio.sleep(1)
        assert len(office.engine.of(RecordRoom)) == is_recorded
        for each in (call, ring, joined):
            each.hangup()
