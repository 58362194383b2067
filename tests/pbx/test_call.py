"""The life of a call, whatever its app does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from pbx import cause
from pbx.call import REPORT_TIMEOUT_S, Call
from pbx.cause import Cause
from pbx.events import CallEnded, LegEnded
from pbx.media_endpoint import MediaRefused
from tests.support.fakepbx import FakePbx

Body = Callable[[Call], Awaitable[Cause]]


def start(pbx: FakePbx, body: Body) -> None:
    pbx.call.run(body, pbx.ended.set_result)


def ends(pbx: FakePbx) -> list[Cause]:
    return [event.cause for event in pbx.events if isinstance(event, CallEnded)]


async def forever(_: Call) -> Cause:
    await asyncio.Event().wait()
    raise AssertionError


async def test_the_cause_of_the_app_ends_every_leg() -> None:
    pbx = FakePbx()
    callee = await pbx.callee()

    async def busy(_: Call) -> Cause:
        return cause.BUSY

    start(pbx, busy)
    assert await pbx.until_ended() == cause.BUSY
    assert pbx.caller_side.said == [("reject", cause.BUSY)]
    assert callee.cause == cause.BUSY
    assert ends(pbx) == [cause.BUSY]
    assert len([event for event in pbx.events if isinstance(event, LegEnded)]) == 2
    await pbx.call.wait()


async def test_the_end_of_the_caller_interrupts_the_app_where_it_waits_and_its_clean_up_runs() -> None:
    pbx = FakePbx()
    cleaned: list[str] = []

    async def app(_: Call) -> Cause:
        try:
            return await forever(pbx.call)
        finally:
            await asyncio.sleep(1)
            cleaned.append("done")

    start(pbx, app)
    await asyncio.sleep(1)
    pbx.caller.hung_up(cause.CANCELLED)
    assert await pbx.until_ended() == cause.CANCELLED
    assert cleaned == ["done"]


async def test_a_caller_that_goes_before_the_app_begins_keeps_it_from_beginning() -> None:
    pbx = FakePbx()
    started: list[str] = []

    async def app(_: Call) -> Cause:
        started.append("app")
        return cause.NORMAL

    start(pbx, app)
    pbx.caller.hung_up(cause.CANCELLED)
    assert await pbx.until_ended() == cause.CANCELLED
    assert started == []


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError("a bug"), cause.SERVER_ERROR),
        (MediaRefused("no ports", 503), cause.SERVER_BUSY),
        (MediaRefused("no codec"), cause.NOT_ACCEPTABLE),
        (MediaRefused("nonsense", 400), cause.BAD_REQUEST),
        (MediaRefused("no endpoint", 500), cause.MEDIA_FAILED),
        (asyncio.CancelledError(), cause.CANCELLED),
    ],
)
async def test_whatever_an_app_raises_ends_its_call_and_nothing_else(raised: BaseException, expected: Cause) -> None:
    pbx = FakePbx()

    async def app(_: Call) -> Cause:
        raise raised

    with capture_logs() as logs:
        start(pbx, app)
        assert await pbx.until_ended() == expected
    assert bool(logs) is isinstance(raised, ValueError), "a bug is logged, a refusal is not"
    assert pbx.caller.cause == expected


async def test_the_first_reason_to_end_counts() -> None:
    pbx = FakePbx()
    start(pbx, forever)
    await asyncio.sleep(1)
    pbx.call.end(cause.OPERATOR)
    pbx.call.end(cause.SHUTDOWN)
    pbx.caller.hung_up(cause.CANCELLED)
    assert await pbx.until_ended() == cause.OPERATOR
    pbx.call.end(cause.SHUTDOWN)
    assert ends(pbx) == [cause.OPERATOR]


async def test_an_app_that_hangs_up_the_caller_itself_goes_on_to_its_end() -> None:
    pbx = FakePbx()
    steps: list[str] = []

    async def app(call: Call) -> Cause:
        call.caller.hangup(cause.FORBIDDEN)
        await asyncio.sleep(1)
        steps.append("after")
        return cause.NORMAL

    start(pbx, app)
    assert await pbx.until_ended() == cause.FORBIDDEN
    assert steps == ["after"]


async def test_a_report_that_does_not_come_is_not_waited_for_long() -> None:
    pbx = FakePbx()
    await pbx.prepare(pbx.call)
    endpoint = pbx.caller.media.endpoint
    del pbx.engine.endpoints[endpoint]
    start(pbx, forever)
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    pbx.call.end(cause.OPERATOR)
    await pbx.until_ended()
    assert asyncio.get_running_loop().time() - began == REPORT_TIMEOUT_S
    assert ends(pbx) == [cause.OPERATOR]


async def test_a_call_counts_as_answered_when_the_callee_or_an_app_answers() -> None:
    pbx = FakePbx()
    assert pbx.call.answered_at is None
    await pbx.prepare(pbx.call)
    pbx.caller.answer()
    assert pbx.call.answered_at == pbx.caller.answered_at
    await asyncio.sleep(3)
    waiting = await pbx.callee(answered=False)
    assert pbx.call.answered_at is None
    await asyncio.sleep(3)
    callee = await pbx.callee()
    assert pbx.call.answered_at == callee.answered_at
    for leg in (pbx.caller, waiting, callee):
        leg.hangup()
