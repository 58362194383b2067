"""INVITE with Join (RFC 3911): whose conversation of two a third phone may come into.

A device of the terminal whose dialog is named may, and whoever may supervise it. What becomes of the three is the
affair of an app; the dialog that is named stays as it is when that fails.
"""

from typing import TYPE_CHECKING

from pbx.codecs import Codecs
from pbx.leg import Leg
from pbx.party import Party
from pbx.supervision import may_supervise
from sipcore.errors import ParseError
from sipcore.headers import Join

if TYPE_CHECKING:
    from pbx.core import Pbx
    from sipcore.message import Request
    from storage.records import Terminal


def judge_join(pbx: "Pbx", request: "Request", terminal: "Terminal") -> tuple[Leg | None, int]:
    """The leg of the dialog that an admitted INVITE wants to join, or the status to refuse with (§4)."""
    try:
        wanted = request.headers.all(Join)
    except ParseError:
        return None, 400
    if len(wanted) != 1 or "replaces" in request.headers:
        return None, 400
    leg = pbx.leg_of_dialog(wanted[0])
    if leg is None:
        return None, 481
    if leg.party.number != terminal.number and not may_supervise(pbx.directory, terminal.number, leg.party.number):
        return None, 403
    return (leg, 0) if _can_be_joined(leg, pbx.services.codecs) else (None, 488)


def who_is_joined(leg: Leg, terminal: "Terminal") -> Party:
    """Whom the call is with, as history tells it: another device of the terminal talks to the other end."""
    peer = leg.bridge.peer_of(leg) if leg.bridge is not None else None
    return peer.party if peer is not None and leg.party.number == terminal.number else leg.party


def _can_be_joined(leg: Leg, codecs: Codecs) -> bool:
    """Two talk there, and the engine can mix both."""
    peer = leg.bridge.peer_of(leg) if leg.bridge is not None else None
    if peer is None:
        return False
    used = [each.media.codec for each in (leg, peer) if each.is_answered]
    return len(used) == 2 and all(codec is not None and codecs.can_convert(codec) for codec in used)
