"""A call that nobody makes: what would become of it now, rule by rule, without ringing or changing anything."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from frozen import dataclass
from pbx.apps import Next
from pbx.cause import Cause
from pbx.diversion import Diverted, Way
from pbx.party import Party
from pbx.said import Said

if TYPE_CHECKING:
    from pbx.api import AppContext
    from pbx.arrival import Arrival


@dataclass(frozen=True, slots=True)
class Arrived:
    """The call would stay here for now: `numbers` ring or answer, `how` is the rest of a sentence about them."""

    numbers: tuple[str, ...]
    how: Said


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that a call meets at `at`, which the app `app` controls: whether it holds for the call, and why."""

    at: Party
    app: str
    name: str
    matched: bool
    why: Said


class Inquiry:
    """What rules of apps may know of a call, with the words of `Call`; `tried` writes down each rule in its order.
    `at` is whose rules are tried now, `moment` when the call comes, in UTC seconds."""

    transferred = ""
    referred_by: Party | None = None
    arrival: "Arrival | None" = None

    def __init__(self, calling: Party, to: Party, moment: float) -> None:
        self.calling, self.to, self.at, self.moment = calling, to, to, moment
        self.app = ""
        self.rules: list[Rule] = []
        self.way = Way()

    def send_on(self, party: Party, to: str, status: int, *, most: int, had_rung: bool = False) -> Cause | None:
        """As `Call.send_on`."""
        refusal = self.way.refusal(to, self.to.number, most)
        if refusal is None:
            self.way = self.way.further(Diverted(party, to, status, had_rung))
        return refusal

    def tried(self, rule: str, *, matched: bool, why: Said) -> None:
        self.rules.append(Rule(self.at, self.app, rule, matched, why))


@runtime_checkable
class Explains(Protocol):
    """An app with rules. The others answer whoever comes."""

    def explain(self, asked: Inquiry, ctx: "AppContext") -> Next | Arrived:
        """What `run` would do now with such a call, by the same rules."""
