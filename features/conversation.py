"""Two parties talk."""

from pbx.api import NORMAL, Call, Cause, Leg


async def talk(call: Call, callee: Leg) -> Cause:
    """Connect the caller with who has answered, until one of them hangs up; the cause for which that was."""
    bridge = callee.bridge or call.connect(call.caller, callee)
    call.caller.answer(callee.media.formats_for_other_side)
    gone = await bridge.until_one_left()
    return gone.cause or NORMAL
