"""The service flows of RFC 5359, by the names of its sections.

Proven elsewhere, the number of the section in the name or the words of the test: 2.4 transfer unattended
(`tests/pbx/test_transfer_blind.py`), 2.5 attended (`test_transfer_attended.py`), 2.7 forwarding by the phone
(`test_diversion.py`), 2.7 to 2.9 by rules of the server, 2.14 calls that may not be made (`tests/features/
test_forwarding.py`, `tests/pbx/test_isolation.py`), 2.16 call pickup (`test_replaces.py`), 2.18 click to dial
(`test_originate.py`).

Not here: 2.6 (a transfer asked for by MESSAGE: phones use REFER), 2.10 and 2.11 (three in a room), 2.13 (incoming calls
screened), 2.15 (parking).
"""

import asyncio

from media.api import Play
from sipcore.sdp.model import Direction
from tests.support.builders import direction_of, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall
from tests.support.watcher import Watcher

OFFICE = (terminal("101", max_calls=2), terminal("102"), terminal("103"))


async def talking(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall]:
    """101 talks to 102."""
    a, b = [await office.registered(number) for number in ("101", "102")]
    return await office.connect(a, b)


async def test_rfc_5359_2_1_call_hold() -> None:
    async with open_office(*OFFICE) as office:
        call, ring = await talking(office)
        call.hold()
        held = await call.until_modified()
        assert direction_of(held.sdp) in (Direction.RECVONLY, Direction.INACTIVE)
        assert office.hears("101") is None
        call.resume()
        await call.until_modified()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        ring.hangup()
        assert await call.until_over() == 200


async def test_rfc_5359_2_2_consultation_hold() -> None:
    async with open_office(*OFFICE) as office:
        c = await office.registered("103")
        call, ring = await talking(office)
        call.hold()
        await call.until_modified()
        consulted, third = await office.connect(call.phone, c)
        assert office.hears("103") == "101"
        consulted.hangup()
        await third.until_over()
        call.resume()
        await call.until_modified()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()
    assert [(row.from_number, row.to_number, row.disposition) for row in office.rows] == [
        ("101", "103", "ANSWERED"),
        ("101", "102", "ANSWERED"),
    ]


async def test_rfc_5359_2_3_who_is_held_hears_that_the_line_is_alive() -> None:
    async with open_office(*OFFICE) as office:
        call, ring = await talking(office)
        call.hold()
        await call.until_modified()
        assert [each.source for each in office.engine.of(Play)] == [office.pbx.services.sound.hold]
        assert office.endpoint_of("102").play is not None
        call.resume()
        await call.until_modified()
        await asyncio.sleep(1)
        assert office.endpoint_of("102").play is None
        call.hangup()
        await ring.until_over()


async def test_rfc_5359_2_12_find_me_at_every_phone() -> None:
    async with open_office(*OFFICE) as office:
        a = await office.registered("101")
        desk, mobile = await office.registered("102"), await office.registered("102", "10.0.7.7")
        call = a.dial("102")
        at_desk, on_the_way = await desk.rung(), await mobile.rung()
        at_desk.ring()
        on_the_way.ring()
        await call.until_ringing()
        on_the_way.answer()
        await call.until_answered()
        assert await at_desk.until_over() == 487
        assert "cause=200" in (desk.requests("CANCEL")[0].headers.get("reason") or "")
        call.hangup()
        await on_the_way.until_over()


async def test_rfc_5359_2_17_automatic_redial() -> None:
    """A phone that finds 102 busy watches it, and calls as soon as it is free."""
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        earlier, ring = await office.connect(c, b)
        assert await a.dial("102").until_over() == 486
        lamp = await Watcher(a).watch("102")
        await asyncio.sleep(1)
        assert [each.state for each in lamp.lamps] == ["confirmed"]
        earlier.hangup()
        await ring.until_over()
        await asyncio.sleep(1)
        assert lamp.lamps == []
        again = a.dial("102")
        (await b.rung()).answer()
        await again.until_answered()
        await lamp.subscribe(0)
        again.hangup()
        await again.until_over()
