"""INVITE with Replaces: pick-up while another phone rings, a conversation that moves to another device (RFC 3891)."""

import asyncio

import pytest

from pbx.transfer import EXTENSIONS
from sipcore.build import response_to
from sipcore.stack import StackConfig
from storage.records import EmployeeGroup, Office, User
from tests.support.builders import BASIC, answer_sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall
from tests.support.watcher import Watcher

OFFICE = tuple(terminal(number, max_calls=4) for number in ("101", "102", "103"))


def named(call: PhoneCall, *more: str) -> str:
    """The dialog of a phone as we know it: our tag first."""
    dialog = call.on.dialog
    assert dialog is not None
    return ";".join((f"{call.on.request.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}", *more))


def replace(phone: Phone, wanted: str, *extra: tuple[str, str]) -> PhoneCall:
    return phone.dial("102", extra=(("Replaces", wanted), *extra))


async def ringing(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall, Phone]:
    """101 calls 102, which rings; the phone of 103."""
    a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
    call = a.dial("102")
    ring = await b.rung()
    ring.ring()
    await call.until_ringing()
    return call, ring, c


async def talking(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall, Phone]:
    """101 talks to 102; the phone of 103."""
    a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
    return (*await office.connect(a, b), c)


async def test_rfc_5359_2_16_call_pickup() -> None:
    async with open_office(*OFFICE, stack=StackConfig(extensions=EXTENSIONS)) as office:
        call, ring, c = await ringing(office)
        await asyncio.sleep(3)
        picked = replace(c, named(ring), ("Require", "replaces"))
        await picked.until_answered()
        await call.until_answered()
        assert await ring.until_over() == 487
        reason = ring.phone.requests("CANCEL")[0].headers.get("reason") or ""
        assert "cause=200" in reason, "nobody has missed a call"
        await asyncio.sleep(5)
        assert (office.hears("101"), office.hears("103")) == ("103", "101")
        call.hangup()
        await picked.until_over()
    first, second = office.rows
    assert (first.from_number, first.to_number, first.disposition) == ("101", "102", "NOANSWER")
    assert first.cause == "answered_elsewhere"
    assert (second.from_number, second.to_number, second.disposition) == ("101", "103", "ANSWERED")
    assert second.started_at == pytest.approx(second.answered_at, abs=0.2)
    assert second.talk_seconds == pytest.approx(5, abs=0.5)


@pytest.mark.row("GRP-4")
@pytest.mark.row("GRP-8")
@pytest.mark.parametrize("is_isolated", [False, True])
async def test_a_group_may_keep_its_pick_ups_to_itself(is_isolated: bool) -> None:
    sales = EmployeeGroup("sales", members=("boris",), isolate_pickup=is_isolated)
    terminals = (*OFFICE[:1], terminal("102", owner="boris"), *OFFICE[2:])
    people = Office("Test", employee_groups=(sales,))
    async with open_office(*terminals, users=[User("boris", "Boris")], office=people) as office:
        call, ring, c = await ringing(office)
        picked = replace(c, named(ring))
        if is_isolated:
            assert await picked.until_over() == 403
            ring.answer()
        else:
            await picked.until_answered()
        await call.until_answered()
        call.hangup()
        for each in (ring, picked):
            await each.until_over()


async def test_what_a_busy_lamp_shows_is_enough_to_pick_up() -> None:
    async with open_office(*OFFICE) as office:
        call, ring, c = await ringing(office)
        watched = await Watcher(c).watch("102")
        await asyncio.sleep(1)
        document = watched.bodies[-1].decode()
        call_id, ours, theirs = (part(document, name) for name in ("call-id", "local-tag", "remote-tag"))
        picked = replace(c, f"{call_id};to-tag={ours};from-tag={theirs}")
        await picked.until_answered()
        await ring.until_over()
        await asyncio.sleep(1)
        assert "call-id" not in watched.bodies[-1].decode(), "nobody can take over who talks"
        picked.hangup()
        await call.until_over()
        await watched.subscribe(0)


def part(document: str, name: str) -> str:
    return document.partition(f' {name}="')[2].partition('"')[0]


async def test_a_conversation_moves_to_another_device_of_the_same_terminal() -> None:
    async with open_office(*OFFICE) as office:
        call, ring, _ = await talking(office)
        other = await office.registered("102", "10.0.7.7")
        moved = replace(other, named(ring))
        await moved.until_answered()
        assert await ring.until_over() == 200
        await asyncio.sleep(4)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        assert not call.is_over
        assert not call.phone.requests("INVITE"), "the other end notices nothing"
        call.hangup()
        await moved.until_over()
    assert office.row.talk_seconds == pytest.approx(5, abs=1)
    assert (office.row.disposition, office.row.cause, len(office.row.sip_call_ids)) == ("ANSWERED", "normal", 3)


async def test_who_called_may_move_to_another_device_too() -> None:
    async with open_office(*OFFICE) as office:
        call, ring, _ = await talking(office)
        other = await office.registered("101", "10.0.7.7")
        moved = replace(other, named(call))
        await moved.until_answered()
        await call.until_over()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        moved.hangup()
        assert await ring.until_over() == 200, "the caller's end is the call's end, on any device"
    assert office.row.cause == "normal"


async def test_who_moves_on_several_workers_stays_with_the_other_end() -> None:
    async with open_office(*OFFICE) as office:
        office.engine.workers = 3
        call, ring, _ = await talking(office)
        other = await office.registered("102", "10.0.7.7")
        moved = replace(other, named(ring))
        await moved.until_answered()
        await ring.until_over()
        assert office.hears("101") == "102"
        moved.hangup()
        await call.until_over()


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("a@b;to-tag=1;from-tag=2", 481),
        ("a@b;to-tag=1", 400),
        ("nonsense", 400),
        ("%s;early-only", 486),
        ("%s", 403),
    ],
)
async def test_what_cannot_be_replaced_is_refused_and_the_talk_goes_on(wanted: str, status: int) -> None:
    async with open_office(*OFFICE) as office:
        call, ring, c = await talking(office)
        wanted = wanted.replace("%s", named(ring))
        assert await replace(c, wanted).until_over() == status
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


async def test_one_replaces_and_no_join() -> None:
    async with open_office(*OFFICE) as office:
        call, ring, c = await talking(office)
        twice = c.dial("102", extra=(("Replaces", named(ring)), ("Replaces", named(ring))))
        assert await twice.until_over() == 400
        both = c.dial("102", extra=(("Replaces", named(ring)), ("Join", named(ring))))
        assert await both.until_over() == 400
        call.hangup()
        await ring.until_over()


async def test_an_early_dialog_that_is_not_ours_cannot_be_replaced() -> None:
    """RFC 3891 §3: 481 when the early dialog was not initiated by us."""
    async with open_office(*OFFICE) as office:
        call, ring, c = await ringing(office)
        wanted = f"{call.on.request.call_id};to-tag={call.tags[0]};from-tag={call.on.local_tag}"
        assert await replace(c, wanted).until_over() == 481
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


async def test_a_stranger_replaces_nothing() -> None:
    async with open_office(*OFFICE) as office:
        call, ring, c = await ringing(office)
        c.password = "wrong"
        assert await replace(c, named(ring)).until_over() == 401
        ring.reject(486)
        await call.until_over()


async def test_who_has_no_codec_in_common_does_not_disturb_the_ringing() -> None:
    async with open_office(*OFFICE) as office:
        call, ring, c = await ringing(office)
        picked = c.dial("102", None, "iLBC", extra=(("Replaces", named(ring)),))
        assert await picked.until_over() == 488
        assert not ring.is_over
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


async def test_a_caller_that_gives_up_meanwhile_ends_the_pickup() -> None:
    async with open_office(*OFFICE) as office:
        office.engine.answer_after_s = 1.0
        call, ring, c = await ringing(office)
        picked = replace(c, named(ring))
        await asyncio.sleep(0.3)
        call.hangup()
        assert await picked.until_over() in (487, 480, 603)
        await ring.until_over()


async def test_who_picks_up_may_leave_the_offer_to_us() -> None:
    async with open_office(*OFFICE[:2], terminal("103", trust="10.0.8.8")) as office:
        office.raw("103", "10.0.8.8")
        call, ring, _ = await ringing(office)
        raw = office.raw_phones[0]
        raw.send(raw.request("INVITE", "102", 1, f"Replaces: {named(ring)}"))
        answered = await raw.expect(200)
        assert b"m=audio" in answered.body
        mine = answer_sdp(answered.body, "10.0.8.8", 41000, BASIC)
        assert mine is not None
        raw.send(raw.request("ACK", "102", 1, body=mine))
        await call.until_answered()
        await ring.until_over()
        await asyncio.sleep(1)
        assert office.hears("103") == "101"
        call.hangup()
        bye = await raw.expect_request("BYE")
        raw.send(bytes(response_to(bye, 200)))
