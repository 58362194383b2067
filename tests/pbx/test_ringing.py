"""Several terminals rung for one caller, as groups and queues do it."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from pbx.api import NORMAL, AppContext, Apps, Call, Cause, DialOutcome, Next, Ringing, Terminal
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office

GROUP = "600"


@dataclass
class RingAll:
    """Rings terminals, then lets the first that answers talk."""

    numbers: tuple[str, ...]
    how: Ringing
    outcome: DialOutcome | None = None
    name: ClassVar[str] = "group"
    stage: ClassVar[str] = "group"

    async def run(self, call: Call, ctx: AppContext) -> Next:
        found = [each for each in map(ctx.terminal, self.numbers) if each is not None]
        self.outcome = await ctx.ring(call, *found, how=self.how)
        callee = self.outcome.answered
        if callee is None:
            return self.outcome.cause
        bridge = call.connect(call.caller, callee)
        call.caller.answer(callee.media.formats_for_other_side)
        gone = await bridge.until_one_left()
        return gone.cause or NORMAL


class _Dial:
    name: ClassVar[str] = "terminal"
    stage: ClassVar[str] = "dial"

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        outcome = await ctx.ring(call, self._terminal)
        return outcome.cause


def apps(group: RingAll) -> Apps:
    return Apps({Terminal: _Dial}, {GROUP: group}, {})


def names(causes: DialOutcome | None) -> dict[str, str]:
    assert causes is not None
    return {number: cause.name for number, cause in causes.refusals.items()}


def stage_rows(office: VirtualOffice) -> list[tuple[str, str, str]]:
    return [(row.stage, row.to_number, row.disposition) for row in office.rows]


async def test_all_ring_at_once_and_the_first_answer_wins() -> None:
    group = RingAll(("102", "103"), Ringing(label="Sales: "))
    async with open_office(*map(terminal, ("101", "102", "103")), apps=apps(group)) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call = a.dial(GROUP)
        rings = [await b.rung(), await c.rung()]
        for ring in rings:
            assert ring.invite is not None
            assert ring.invite.from_.display == "Sales: 101"
            ring.ring()
        await call.until_ringing()
        rings[1].answer()
        await call.until_answered()
        assert await rings[0].until_over() == 487
        assert office.hears("101") == "103"
        call.hangup()
        await rings[1].until_over()
    assert stage_rows(office) == [
        ("group", GROUP, "ANSWERED"),
        ("dial", "102", "NOANSWER"),
        ("dial", "103", "ANSWERED"),
    ]


async def test_who_declines_or_redirects_speaks_for_itself_only() -> None:
    group = RingAll(("102", "103", "104"), Ringing(ring_s=20.0))
    async with open_office(*map(terminal, ("101", "102", "103", "104")), apps=apps(group)) as office:
        a, *members = [await office.registered(number) for number in ("101", "102", "103", "104")]
        call = a.dial(GROUP)
        declines, redirects, rings = [await each.rung() for each in members]
        declines.reject(603)
        redirects.reject(302)
        rings.ring()
        await asyncio.sleep(5)
        assert not call.is_over
        assert await call.until_over() == 480
        assert await rings.until_over() == 487
    assert names(group.outcome) == {"102": "declined", "103": "redirected", "104": "no_answer"}


async def test_terminals_that_cannot_be_rung_are_left_out_and_their_reason_is_known() -> None:
    group = RingAll(("102", "103", "104"), Ringing(ring_s=5.0))
    async with open_office(*map(terminal, ("101", "102", "103", "104", "105")), apps=apps(group)) as office:
        a, b, c, e = [await office.registered(number) for number in ("101", "102", "103", "105")]
        talk = e.dial("103")
        (await c.rung()).ring()
        await talk.until_ringing()
        call = a.dial(GROUP)
        (await b.rung()).ring()
        assert await call.until_over() == 480
        assert names(group.outcome) == {"103": "busy", "104": "unavailable", "102": "no_answer"}
        talk.hangup()
        await talk.until_over()


async def test_a_queue_may_ring_who_has_as_many_calls_as_it_may() -> None:
    group = RingAll(("103",), Ringing(ring_s=5.0, ignores_limit=True))
    async with open_office(*map(terminal, ("101", "103", "105")), apps=apps(group)) as office:
        a, c, e = [await office.registered(number) for number in ("101", "103", "105")]
        talk = e.dial("103")
        (await c.rung()).ring()
        await talk.until_ringing()
        call = a.dial(GROUP)
        (await c.rung()).ring()
        assert await call.until_over() == 480
        talk.hangup()
        await talk.until_over()
