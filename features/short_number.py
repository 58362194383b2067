"""Short numbers (FEAT-31): a number of the office that dials one outside, and presses keys there for who calls, so that
extensions of offices abroad are reached by one number."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from features._keys import press_keys
from features.outside_call import OutsideCall
from features.spending import Spending
from pbx.api import AppContext, Arrived, Call, Cause, Inquiry, Leg, Next, ShortNumber, say


class ShortCall(OutsideCall):
    """The app behind a short number: the call outside, with the rights and the limits of who calls."""

    name: ClassVar[str] = "short number"
    stage: ClassVar[str] = "short"

    def __init__(self, short: ShortNumber, spending: Spending) -> None:
        super().__init__(short.to, spending, short.number)
        self._digits = short.digits

    async def _talk(self, call: Call, ctx: AppContext, callee: Leg, *, is_limited: bool) -> Cause:
        pressing = asyncio.ensure_future(press_keys(callee, self._digits))
        try:
            return await super()._talk(call, ctx, callee, is_limited=is_limited)
        finally:
            pressing.cancel()

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        found = super().explain(asked, ctx)
        if not self._digits or not isinstance(found, Arrived):
            return found
        return replace(found, how=say("{how}, then {keys} is pressed", how=found.how, keys=self._digits))
