"""Paging: real call control on the virtual network."""

import asyncio

import pytest

from storage.records import Office, Paging
from tests.support.builders import terminal
from tests.support.office import open_office

PHONES = tuple(map(terminal, ("101", "102", "103", "104")))
HALL = Office("Test", paging=(Paging("850", "Hall", members=("101", "102", "103", "104")),))


@pytest.mark.row("FEAT-27")
async def test_phones_answer_by_themselves_and_hear_who_speaks_and_nobody_else() -> None:
    async with open_office(*PHONES, office=HALL) as office:
        a, b, c, busy = [await office.registered(number) for number in ("101", "102", "103", "104")]
        talk, other = busy.dial("102"), await b.rung()
        other.answer()
        await talk.until_answered()
        page = a.dial("850")
        await page.until_answered()
        ring = await c.rung()
        assert ring.invite is not None
        assert "answer-after=0" in (ring.invite.headers.get("call-info") or "")
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(1)
        assert (office.hears_all("103"), office.hears_all("101")) == (["101"], [])
        assert not b.is_ringing
        page.hangup()
        assert await ring.until_over() == 200
        talk.hangup()
        await other.until_over()


async def test_when_nobody_can_be_paged_the_number_is_busy() -> None:
    async with open_office(*PHONES, office=HALL) as office:
        a = await office.registered("101")
        assert await a.dial("850").until_over() == 486


async def test_a_page_that_is_over_before_the_phones_answer_leaves_nothing() -> None:
    async with open_office(*PHONES, office=HALL) as office:
        a, c = await office.registered("101"), await office.registered("103")
        page = a.dial("850")
        await page.until_answered()
        ring = await c.rung()
        page.hangup()
        assert await ring.until_over() == 487
