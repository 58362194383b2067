"""What `zvon explain` tells: every rule that a call from one number to another meets now, and who would ring."""

from typing import TYPE_CHECKING

from pbx.apps import MOST_STAGES, App, GoTo, Next
from pbx.arrival import Arrival
from pbx.cause import LOOP, NOT_FOUND, UNAVAILABLE, Cause
from pbx.control.messages import ControlError, ExplanationView
from pbx.guests import GUESTS, is_guest
from pbx.identity import ANONYMOUS_NUMBER
from pbx.inquiry import Arrived, Explains, Inquiry
from pbx.isolation import may_call
from pbx.number_rules import normalised
from pbx.numbering import cleaned
from pbx.party import Party, PartyKind

if TYPE_CHECKING:
    from pbx.core import Pbx


def explain(pbx: "Pbx", from_number: str, to_number: str, at: float | None = None) -> ExplanationView:
    """Nothing waits in here, so the state is that of one moment; the caller takes part in the call. `at`: when the
    call comes, in UTC seconds, for what depends on the time. Raises `ControlError` with a sentence when the caller is
    none."""
    terminal = pbx.terminal(from_number)
    arrival = _arrival(pbx, from_number, to_number) if terminal is None else None
    if arrival is not None:
        return _explain_incoming(pbx, arrival, from_number, pbx.wall() if at is None else at)
    if terminal is None:
        is_there = from_number in pbx.directory.numbers
        what = "is disabled or no terminal: nobody calls from it" if is_there else "is none of this office"
        raise ControlError(
            f"{from_number} {what}; FROM is the number of a terminal, or one outside that calls an external number"
        )
    to_number = cleaned(to_number)
    to, app = pbx.dialled_app(terminal, to_number)
    asked = Inquiry(pbx.party(terminal), to, pbx.wall() if at is None else at)
    with pbx.services.active.reserved(from_number, "an explained call"):
        _explain_number(pbx, asked, app)
        barred = not may_call(pbx.directory, from_number, to_number)
        why = "a group of employees keeps its calls to itself" if barred else f"{from_number} may call {to_number}"
        asked.tried("isolation", matched=barred, why=why)
        end = _follow(pbx, asked, app)
    return _view(pbx, asked, from_number, end)


def _arrival(pbx: "Pbx", from_number: str, to_number: str) -> Arrival | None:
    """Such a call of somebody outside, where TO is an external number of the office, or FROM an address."""
    if "@" in from_number:
        return _guest(pbx, from_number, to_number)
    office, called = pbx.office, to_number.removeprefix("+")
    number = next((each for each in office.external_numbers if each.number == called), None)
    provider = next((each for each in office.providers if number is not None and each.id == number.provider), None)
    if provider is None or from_number in pbx.directory.numbers:
        return None
    caller = normalised(from_number.removeprefix("+"), provider.id, office.number_rules)
    return Arrival(provider, called, Party.outside(caller))


def _guest(pbx: "Pbx", address: str, to_number: str) -> Arrival:
    """Such a call of who has no account here (REG-17)."""
    if not pbx.office.inbound.guests:
        raise ControlError(f"{address} has no account here, and guests may not call: [inbound] guests = true lets them")
    return Arrival(GUESTS, cleaned(to_number).removeprefix("+"), Party.outside(ANONYMOUS_NUMBER, address))


def _explain_incoming(pbx: "Pbx", arrival: Arrival, from_number: str, moment: float) -> ExplanationView:
    to, app = pbx.apps.find_incoming(pbx, arrival)
    asked = Inquiry(arrival.caller, to, moment)
    asked.arrival = arrival
    if is_guest(arrival):
        asked.tried("guests", matched=True, why="meets the rules of any provider, and no others")
    _explain_number(pbx, asked, app)
    return _view(pbx, asked, from_number, _follow(pbx, asked, app))


def _view(pbx: "Pbx", asked: Inquiry, from_number: str, end: Arrived | Cause) -> ExplanationView:
    numbers = end.numbers if isinstance(end, Arrived) else ()
    cause = end.name if isinstance(end, Cause) else ""
    return ExplanationView(from_number, asked.to.number, tuple(asked.rules), numbers, _result(pbx, asked, end), cause)


def _follow(pbx: "Pbx", asked: Inquiry, app: App | None) -> Arrived | Cause:
    """From app to app, as `run_stages` does it."""
    for _ in range(MOST_STAGES):
        if app is None:
            return UNAVAILABLE if asked.at.kind is PartyKind.OUTSIDE else NOT_FOUND
        step = _step(pbx, asked, app)
        if not isinstance(step, GoTo):
            return step
        asked.at, app = pbx.route(step.target)
        _explain_number(pbx, asked, app)
    return LOOP


def _step(pbx: "Pbx", asked: Inquiry, app: App) -> Next | Arrived:
    if isinstance(app, Explains):
        return app.explain(asked, pbx)
    return Arrived((asked.at.number,), f"is answered by the server: {app.name}")


def _explain_number(pbx: "Pbx", asked: Inquiry, app: App | None) -> None:
    """What the number is."""
    asked.app = app.name if app is not None else ""
    if app is not None:
        why = f"it is of the kind: {app.name}"
    elif asked.at.number in pbx.directory.numbers:
        why = "its terminal is disabled"
    elif asked.at.kind is PartyKind.OUTSIDE:
        why = "it is outside of the office, and no way leads there"
    else:
        why = "nobody has this number"
    asked.tried("number", matched=app is not None, why=why)


def _result(pbx: "Pbx", asked: Inquiry, end: Arrived | Cause) -> str:
    """The last line: the final target, or why there is none."""
    if isinstance(end, Arrived):
        return f"final target: {', '.join(_who(pbx.route(each)[0]) for each in end.numbers)} {end.how}"
    return f"no target: the call ends at {_who(asked.at)} with {end.status} {end.name} ({end.text.lower()})"


def _who(party: Party) -> str:
    return f"{party.number} {party.name}".rstrip()
