"""The garbage collector, kept from holding up calls.

A look through all objects takes half a second at 5,000 calls and 100,000 registrations, as long as a phone waits before
it sends again (T1, RFC 3261 §17.1.1.1). Calls and registrations leave no cycles when they end, so it is enough to look
through what is young, and through everything while no call is in progress; a server that is never quiet does so after
some hours.
"""

import asyncio
import gc
from collections.abc import Callable

import huge_pages

YOUNG, MIDDLE, NEVER = 10_000, 2, 1_000_000
LOOK_EVERY_S = 60.0
ENOUGH, TOO_MUCH = 50, 50_000  # middle generations looked through since the last time for all


class Collector:
    """`rest` while the process is loaded, `begin` once everything is made that lives as long as it."""

    @staticmethod
    def rest() -> None:
        """Nothing is looked at: what is loaded stays."""
        gc.disable()

    @staticmethod
    def begin() -> None:
        """What there is now is never looked at again; later objects are while they are young."""
        gc.collect()
        gc.freeze()
        gc.enable()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        huge_pages.collapse()

    @staticmethod
    def look(*, is_quiet: bool) -> bool:
        """Look through everything, if it is due; whether it was."""
        since = gc.get_count()[2]
        if since < (ENOUGH if is_quiet else TOO_MUCH):
            return False
        gc.collect()
        return True

    async def run(self, is_quiet: Callable[[], bool]) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look(is_quiet=is_quiet())
