"""A transfer by the keys of a phone leaves the same rows of history as one by codes (FEAT-11)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.features.test_transfer_codes import press
from tests.pbx.test_transfer_attended import OFFICE, replacing
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone, PhoneCall

Transfer = Callable[[VirtualOffice, PhoneCall, Phone], Awaitable[PhoneCall]]


async def answered(target: Phone) -> PhoneCall:
    ring = await target.rung()
    ring.ring()
    await asyncio.sleep(2)
    ring.answer()
    await ring.until_confirmed()
    await asyncio.sleep(3)
    return ring


async def blind_by_refer(office: VirtualOffice, mine: PhoneCall, target: Phone) -> PhoneCall:
    assert (await Referrer(mine.phone).refer(mine, target.number)).status == 202
    return await answered(target)


async def blind_by_code(office: VirtualOffice, mine: PhoneCall, target: Phone) -> PhoneCall:
    press(office, mine.phone.number, f"**{target.number}#")
    return await answered(target)


async def attended_by_refer(office: VirtualOffice, mine: PhoneCall, target: Phone) -> PhoneCall:
    mine.hold()
    await mine.until_modified()
    consulted = mine.phone.dial(target.number)
    ring = await answered(target)
    assert (await Referrer(mine.phone).refer(mine, replacing(consulted, target.number))).status == 202
    await consulted.until_over()
    return ring


async def attended_by_code(office: VirtualOffice, mine: PhoneCall, target: Phone) -> PhoneCall:
    press(office, mine.phone.number, f"##{target.number}#")
    ring = await answered(target)
    mine.hangup()
    return ring


async def history(transfer: Transfer, *, by_callee: bool) -> list[tuple[object, ...]]:
    """The rows of a conversation of 101 and 102 that 101 transfers to 103; all under one linkedid."""
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        theirs, mine = reversed(await office.connect(a, b)) if not by_callee else await office.connect(b, a)
        ring = await transfer(office, mine, c)
        await mine.until_over()
        await asyncio.sleep(10)
        assert (office.hears("102"), office.hears("103")) == ("103", "102")
        theirs.hangup()
        assert await ring.until_over() == 200
    assert len({row.linkedid for row in office.rows}) == 1, "both conversations are one"
    assert all(row.talk_seconds > 0 for row in office.rows)
    return [
        (row.stage, row.from_number, row.to_number, row.disposition, row.transfer, row.cause) for row in office.rows
    ]


@pytest.mark.row("FEAT-11")
@pytest.mark.parametrize("by_callee", [False, True])
@pytest.mark.parametrize(
    ("by_keys", "by_code", "transfers"),
    [
        (blind_by_refer, blind_by_code, [("transfer", "102", "103", "blind")]),
        (
            attended_by_refer,
            attended_by_code,
            [("transfer", "101", "103", "consultation"), ("transfer", "102", "103", "attended")],
        ),
    ],
)
async def test_keys_of_a_phone_and_codes_leave_the_same_history(
    by_keys: Transfer, by_code: Transfer, transfers: list[tuple[str, ...]], *, by_callee: bool
) -> None:
    rows = await history(by_keys, by_callee=by_callee)
    assert rows == await history(by_code, by_callee=by_callee)
    first = ("dial", "102", "101", "") if by_callee else ("dial", "101", "102", "")
    assert [(stage, a, b, transfer) for stage, a, b, _, transfer, _ in rows] == [first, *transfers]
