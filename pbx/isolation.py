"""Who may reach whom: groups of employees that keep to themselves (GRP-7, GRP-8), transfers outside (FEAT-10)."""

from pbx.directory import Directory
from pbx.masks import is_substitute
from storage.records import ShortNumber, Terminal, fits


def may_call(directory: Directory, caller: str, number: str) -> bool:
    """Whether the terminal `caller` may dial a number. What the office does not have is nobody's, so it is free."""
    calling, called = directory.terminal(caller), directory.entry(number)
    if calling is None or called is None or caller == number:
        return True
    ours = directory.employee_group(calling)
    theirs = directory.employee_group(called) if isinstance(called, Terminal) else None
    if ours is theirs and ours is not None:
        return True
    if ours is not None and ours.isolate:
        return any(fits(number, pattern) for pattern in ours.patterns)
    return theirs is None or not theirs.isolate


def may_transfer_to(directory: Directory, number: str) -> bool:
    """Whether anybody may be transferred to a number: to all but those outside, of these to the mobiles of the office
    and to those that it allows (FEAT-10)."""
    entry = directory.entry(number)
    if isinstance(entry, ShortNumber):
        number, entry = entry.to, None
    if is_substitute(directory.office, number):
        return False  # it leads outside
    party = directory.outside(number) if entry is None else None
    if party is None or directory.is_mobile(number):
        return True
    return any(fits(number.lstrip("+"), pattern) for pattern in directory.office.features.transfer_outside)


def may_pick_up(directory: Directory, picker: str, number: str) -> bool:
    """Whether the terminal `picker` may answer a call that rings at `number`: everybody may (GRP-4), but members of a
    group that keeps its pick-ups to itself, and of no other."""
    picking, ringing = directory.terminal(picker), directory.terminal(number)
    if picking is None or ringing is None:
        return False
    ours, theirs = directory.employee_group(picking), directory.employee_group(ringing)
    return ours is theirs or not any(group is not None and group.isolate_pickup for group in (ours, theirs))
