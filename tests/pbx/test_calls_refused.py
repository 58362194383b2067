"""Calls that do not come about: every outcome, its answer to the caller and its history row."""

import asyncio

import pytest

from media.api import CreateEndpoint, DestroyEndpoint
from sipcore.build import response_to
from sipcore.message import Response
from tests.support.builders import sdp, terminal
from tests.support.office import VirtualOffice, open_office


def reason_of(response: Response | None) -> str:
    assert response is not None
    return response.headers.get("reason") or ""


async def refused(office: VirtualOffice, status: int) -> tuple[int, str]:
    """Call 102, which answers with `status`: what the caller is told."""
    a, b = await office.registered("101"), await office.registered("102")
    call = a.dial("102")
    ring = await b.rung()
    ring.ring()
    await asyncio.sleep(3)
    ring.reject(status)
    told = await call.until_over()
    assert call.ended is not None
    return told, reason_of(call.ended.response)


@pytest.mark.parametrize(
    ("status", "told", "disposition", "cause"),
    [
        (486, 486, "BUSY", "busy"),
        (600, 486, "BUSY", "busy"),
        (603, 603, "BUSY", "declined"),
        (480, 480, "NOANSWER", "not_responding"),
        (404, 404, "FAILED", "not_found"),
        (488, 488, "FAILED", "not_acceptable"),
        (401, 403, "FAILED", "forbidden"),
        (302, 480, "FAILED", "redirected"),
        (500, 500, "FAILED", "server_error"),
    ],
)
async def test_what_the_callee_answers_becomes_the_answer_to_the_caller_and_a_history_row(
    status: int, told: int, disposition: str, cause: str
) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        answer, reason = await refused(office, status)
        assert answer == told
        assert reason.startswith("Q.850;cause=")
    assert (office.row.disposition, office.row.cause) == (disposition, cause)
    assert (office.row.answered_at, office.row.talk_seconds) == (None, 0.0)


async def test_a_phone_rings_for_ten_minutes_at_most_then_the_caller_learns_that_nobody_answered() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        began = office.clock.now()
        await asyncio.sleep(599)
        assert not call.is_over
        assert await call.until_over() == 480
        assert office.clock.now() - began == pytest.approx(600, abs=1)
        assert call.ended is not None
        assert reason_of(call.ended.response) == 'Q.850;cause=19;text="No answer from user"'
        assert await ring.until_over() == 487
        (cancel,) = b.requests("CANCEL")
        assert cancel.headers.get("reason") == 'Q.850;cause=19;text="No answer from user"'
    assert (office.row.disposition, office.row.cause) == ("NOANSWER", "no_answer")


async def test_a_call_to_an_unregistered_terminal_is_refused_with_480_and_leaves_a_row() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        call = a.dial("102")
        assert await call.until_over() == 480
        assert call.ended is not None
        assert reason_of(call.ended.response) == 'Q.850;cause=20;text="Subscriber absent"'
        assert office.engine.of(CreateEndpoint) == []
    assert (office.row.to_number, office.row.disposition, office.row.cause) == ("102", "FAILED", "unavailable")


async def test_an_unknown_number_is_refused_with_404_and_leaves_a_row() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        assert await a.dial("999").until_over() == 404
    assert (office.row.to_number, office.row.cause) == ("999", "not_found")


async def test_a_caller_that_gives_up_cancels_the_ringing_phone() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        await asyncio.sleep(5)
        call.hangup()
        assert await call.until_over() == 487
        assert await ring.until_over() == 487
        assert len(b.requests("CANCEL")) == 1
        assert (b.requests("CANCEL")[0].headers.get("reason") or "").startswith("Q.850;cause=16")
    assert (office.row.disposition, office.row.cause) == ("NOANSWER", "cancelled")


async def test_a_caller_that_gives_up_before_the_callee_said_anything_cancels_it_all_the_same() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102", trust="10.0.9.8")) as office:
        raw, callee = office.raw("101", "10.0.9.9"), office.raw("102", "10.0.9.8")
        raw.send(raw.request("INVITE", "102", 1, body=sdp("10.0.9.9", 41000), branch="one"))
        invite = await callee.expect_request("INVITE")
        await raw.expect(100)
        raw.send(raw.request("CANCEL", "102", 1, branch="one", to_tag=""))
        refusal = await raw.expect(487)
        raw.to_tag = refusal.to.tag or ""
        raw.send(raw.request("ACK", "102", 1, branch="one"))
        await asyncio.sleep(1)
        assert not any(getattr(message, "method", "") == "CANCEL" for message in callee.received), "§9.1: no 1xx yet"
        callee.send(bytes(response_to(invite, 180, to_tag="x")))
        cancel = await callee.expect_request("CANCEL")
        callee.send(bytes(response_to(cancel, 200, to_tag="x")))
        callee.send(bytes(response_to(invite, 487, to_tag="x")))
        await callee.expect_request("ACK")


async def test_a_caller_that_gives_up_before_the_engine_answered_leaves_no_endpoint() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        office.engine.answer_after_s = 3.0
        call = a.dial("102")
        await asyncio.sleep(1)
        call.hangup()
        assert await call.until_over() == 487
        await asyncio.sleep(5)
        assert not b.is_ringing
        assert len(office.engine.of(DestroyEndpoint)) == 2
    assert office.row.cause == "cancelled"


async def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        call.hangup()
        ring.answer()
        assert await ring.until_over() == 200
        await call.until_over()
        assert len(b.requests("BYE")) + len(a.requests("BYE")) >= 1


async def test_an_engine_without_ports_refuses_calls_with_503() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        office.may_log.add("no media ports for the call")
        office.engine.fail("All RTP ports are in use.")
        call = a.dial("102")
        assert await call.until_over() == 503
        assert not b.is_ringing
        office.engine.fail("")
        office.engine.refused.clear()
    assert (office.row.disposition, office.row.to_number) == ("FAILED", "102")


@pytest.mark.parametrize("left", [1, 2])
async def test_an_engine_that_has_ports_for_some_of_the_phones_only_gives_them_back(left: int) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        for n in (1, 2):
            await office.registered("102", f"10.0.2.{n}")
        office.may_log.add("no media ports for the call")
        office.engine.ports_left = left
        assert await a.dial("102").until_over() == 503
        assert len(office.engine.of(DestroyEndpoint)) == left


async def test_a_body_that_is_no_description_is_refused_with_415() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        raw = office.raw("101", "10.0.9.9")
        text = raw.request("INVITE", "102", 1, body=b"hello").replace(b"application/sdp", b"text/plain")
        raw.send(text.replace(b"branch=z9hG4bKraw101-1", b"branch=z9hG4bKfix"))
        refusal = await raw.expect(415)
        raw.to_tag = refusal.to.tag or ""
        raw.send(raw.request("ACK", "102", 1, branch="fix"))
    assert office.row.disposition == "FAILED"


@pytest.mark.parametrize("body", [b"v=0\r\nnonsense", b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n"])
async def test_a_broken_description_or_one_without_audio_is_refused_without_ringing(body: bytes) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102", body)
        assert await call.until_over() in (400, 488)
        assert not b.is_ringing


async def test_a_phone_that_went_away_without_a_word_is_given_up_after_timer_b() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        office.unplug(b)
        began = office.clock.now()
        assert await a.dial("102").until_over() == 480
        assert office.clock.now() - began == pytest.approx(32, abs=1)
    assert (office.row.disposition, office.row.cause) == ("FAILED", "timeout")


async def test_a_tcp_phone_whose_connection_cannot_be_opened_again_is_unreachable_at_once() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        b = await office.registered("102", transport="TCP")
        b.stream.close()
        await asyncio.sleep(1)
        assert await a.dial("102").until_over(5) == 480
    assert office.row.disposition == "FAILED"
