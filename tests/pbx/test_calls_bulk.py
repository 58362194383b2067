"""A thousand calls through the virtual network leave nothing behind."""

import asyncio

from media.api import CreateEndpoint, DestroyEndpoint
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

PAIRS = 50
ROUNDS = 20


def answers(ring: PhoneCall) -> None:
    ring.ring()
    asyncio.get_running_loop().call_later(2, ring.answer)


async def talk(office: VirtualOffice, caller: Phone, callee: Phone) -> None:
    for n in range(ROUNDS):
        call = caller.dial(callee.number)
        await call.until_answered()
        await asyncio.sleep(10)
        (call if n % 2 else callee.calls[-1]).hangup()
        await call.until_over()
        await callee.calls[-1].until_over()
        await asyncio.sleep(0.1)


async def test_a_thousand_calls_leave_no_call_leg_room_endpoint_transaction_timer_or_task() -> None:
    numbers = [str(1000 + n) for n in range(2 * PAIRS)]
    async with open_office(*[terminal(number) for number in numbers]) as office:
        phones = [office.phone(number, f"10.1.{n // 100}.{n % 100 + 1}") for n, number in enumerate(numbers)]
        for phone in phones:
            phone.on_ring = answers
            await phone.register()
        pairs = zip(phones[:PAIRS], phones[PAIRS:], strict=True)
        await asyncio.gather(*(talk(office, caller, callee) for caller, callee in pairs))
        assert office.leg_numbers() == []
        made, destroyed = office.engine.of(CreateEndpoint), office.engine.of(DestroyEndpoint)
        assert len(made) == len(destroyed) == 2 * PAIRS * ROUNDS
    assert len(office.rows) == PAIRS * ROUNDS
    assert {(row.disposition, row.cause) for row in office.rows} == {("ANSWERED", "normal")}
    assert {round(row.talk_seconds) for row in office.rows} == {10}
    assert office.stack.drops == {}
