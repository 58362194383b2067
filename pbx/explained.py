"""What the last calls have met: each stage is explained when the call enters it, with the state of that moment."""

from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, cast

from pbx.apps import App, Next
from pbx.inquiry import Arrived, Explains, Inquiry
from pbx.party import Party
from pbx.said import Said, say

if TYPE_CHECKING:
    from pbx.api import AppContext
    from pbx.call import Call

KEPT = 1000  # calls; some kilobytes each


class Explanations:
    """By the id of a call: its rules so far, and where the last of them leave it."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[Inquiry, Next | Arrived]] = OrderedDict()

    def note(self, call: "Call", party: Party, app: App, ctx: "AppContext") -> None:
        """The call comes to `party`, where the app controls it."""
        known = self._of.get(call.id)
        asked = Inquiry(call.calling, call.to, call.moment) if known is None else known[0]
        asked.at, asked.app, asked.moment = party, app.name, call.moment
        asked.way, asked.arrival = call.way, call.arrival
        asked.transferred, asked.referred_by = call.transferred, call.referred_by
        asked.tried("number", matched=True, why=kind_of(app))
        self._of[call.id] = asked, step_of(asked, app, ctx)
        if len(self._of) > KEPT:
            self._of.popitem(last=False)

    def of(self, call: str) -> tuple[Inquiry, Next | Arrived] | None:
        return self._of.get(call)


def step_of(asked: Inquiry, app: App, ctx: "AppContext") -> Next | Arrived:
    """What the app makes of the call, each of its rules written down."""
    if _has_rules(type(app)):
        return cast("Explains", app).explain(asked, ctx)
    return Arrived((asked.at.number,), say("is answered by the server: {app}", app=say(app.name)))


@cache
def _has_rules(kind: type[App]) -> bool:
    """Kept by class, for a protocol takes long to look at an object."""
    return issubclass(kind, Explains)


def kind_of(app: App) -> Said:
    return say("it is of the kind: {app}", app=say(app.name))
