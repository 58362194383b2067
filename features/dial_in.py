"""Employees who call the office from their mobiles and dial on as if they were at their desks (INB-31).

The caller's number alone says who it is, and it can be forged: employees dial on only where the office says so, and who
has a mailbox with a PIN gives it first.
"""

from features.dialogue import Dialogue
from pbx.api import PIN_TRIES, AppContext, Call, Collect, ExternalNumber, GoTo, Party, Terminal, collect, own_box

MOST_DIGITS, FIRST_S = 11, 3.0
SAME_DIGITS, FEWEST_DIGITS = 10, 7


async def dial_in(call: Call, ctx: AppContext, number: ExternalNumber, caller: Party) -> GoTo | None:
    """Where the employee wants to go; None for everybody else, and for whoever dials nothing."""
    desk = desk_of(ctx, caller) if number.employee_dial else None
    if desk is None:
        return None
    await ctx.prepare(call)
    call.caller.answer()
    dialogue = Dialogue(call.caller, ctx)
    if not await _is_known(ctx, desk, dialogue):
        return None
    wanted = Collect(MOST_DIGITS, FIRST_S, FIRST_S, end="#")
    dialled = (await collect(call.caller, wanted, dialogue.prompt("ivr-enter-number"))).digits
    if not dialled:
        return None
    call.log.info("an employee dials on", employee=desk.number, mobile=caller.number, number=dialled)
    call.stage_digits = dialled
    call.referred_by = ctx.party(desk)  # whose rights and number count
    return GoTo(dialled)


def desk_of(ctx: AppContext, caller: Party) -> Terminal | None:
    """The terminal of the employee whose mobile it is; nobody's while the number is hidden or shorter than any."""
    digits = caller.shown_number.lstrip("+")[-SAME_DIGITS:]
    if caller.is_private or len(digits) < FEWEST_DIGITS or not digits.isdecimal():
        return None
    users = {each.id for each in ctx.office.users if each.mobile and each.mobile.lstrip("+")[-SAME_DIGITS:] == digits}
    return next((each for each in ctx.office.terminals if each.owner in users and not each.disabled), None)


async def _is_known(ctx: AppContext, desk: Terminal, dialogue: Dialogue) -> bool:
    box, settings = own_box(ctx.office, desk.number), ctx.mailboxes.settings
    if box is None or not settings.has_pin(box):
        return True
    prompt = "voicemail-enter-pin"
    for _ in range(PIN_TRIES):
        if settings.pin_is_right(box, await dialogue.digits(prompt)):
            return True
        prompt = "voicemail-wrong-pin"
    return False
