"""A tone, then what somebody says, until a key, silence or the end of the time."""

import asyncio

from pbx.api import Leg, Recording, ToneSource, Wanted

BEEP = ToneSource((((1000.0,), 400),), loop=False, level_db=-20.0)
END_KEY = "#"


async def record_until_key(leg: Leg, wanted: Wanted) -> tuple[str, float]:
    """A tone, then a recording that the key ends as well; why it ended before its time, and how long it is in s."""
    await leg.play(BEEP)
    leg.digits.forget()
    recording = leg.record(wanted)
    try:
        await _key_or_end(leg, recording)
    finally:
        recording.stop()
    outcome = await asyncio.shield(recording.ended)
    return "" if outcome.reason == "finished" else outcome.reason, outcome.duration_ms / 1000


async def _key_or_end(leg: Leg, recording: Recording) -> None:
    pressed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def heard(digit: str) -> None:
        if digit == END_KEY and not pressed.done():
            pressed.set_result(None)

    leg.digits.listen(heard)
    try:
        await asyncio.wait((pressed, recording.ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leg.digits.listen(None)
        pressed.cancel()
