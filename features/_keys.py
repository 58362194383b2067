"""Keys that the office presses at the other end, once somebody or a machine has answered there."""

import asyncio

from pbx.api import Leg

PAUSE = ","
PAUSE_S = 1.0  # a machine that has answered listens by then


async def press_keys(leg: Leg, keys: str) -> None:
    """The first key a pause after the answer."""
    for key in f"{PAUSE}{keys}":
        if key == PAUSE:
            await asyncio.sleep(PAUSE_S)
        else:
            leg.tell_digit(key)
