"""What `zvon explain` tells: every rule that a call from one number to another meets now, and who would ring; and what
each of the last calls has met."""

from typing import TYPE_CHECKING

from pbx.apps import MOST_STAGES, App, GoTo, Next
from pbx.arrival import Arrival
from pbx.cause import LOOP, NOT_FOUND, UNAVAILABLE, Cause
from pbx.control.messages import ControlError, ExplanationView, RuleView
from pbx.explained import KEPT, kind_of, step_of
from pbx.guests import GUESTS, is_guest
from pbx.identity import ANONYMOUS_NUMBER
from pbx.inquiry import Arrived, Inquiry, Rule
from pbx.isolation import may_call
from pbx.number_rules import normalised
from pbx.numbering import cleaned
from pbx.party import Party, PartyKind
from pbx.said import Said, say, title_of

if TYPE_CHECKING:
    from pbx.core import Pbx


def explain(
    pbx: "Pbx", from_number: str, to_number: str, at: float | None = None, language: str = ""
) -> ExplanationView:
    """Nothing waits in here, so the state is that of one moment; the caller takes part in the call. `at`: when the call
    comes, in UTC seconds, for what depends on the time; `language` of the sentences, "" is that of the office. Raises
    `ControlError` with a sentence when the caller is none."""
    language, moment = language or pbx.office.language, pbx.wall() if at is None else at
    terminal = pbx.terminal(from_number)
    arrival = _arrival(pbx, from_number, to_number, language) if terminal is None else None
    if arrival is not None:
        return _view(pbx, *_incoming(pbx, arrival, moment), from_number, language)
    if terminal is None:
        is_there = from_number in pbx.directory.numbers
        refusal = say(
            "{number} {what}; FROM is the number of a terminal, or one outside that calls an external number",
            number=from_number,
            what=say("is disabled or no terminal: nobody calls from it" if is_there else "is none of this office"),
        )
        raise ControlError(refusal.within(language))
    to_number = cleaned(to_number)
    to, app = pbx.dialled_app(terminal, to_number)
    asked = Inquiry(pbx.party(terminal), to, moment)
    with pbx.services.active.reserved((from_number,), "an explained call"):
        _explain_number(pbx, asked, app)
        barred = not may_call(pbx.directory, from_number, to_number)
        closed = say("a group of employees keeps its calls to itself")
        may = say("{caller} may call {number}", caller=from_number, number=to_number)
        asked.tried("isolation", matched=barred, why=closed if barred else may)
        end = _follow(pbx, asked, app)
    return _view(pbx, asked, end, from_number, language)


def explained(pbx: "Pbx", call: str, language: str = "") -> ExplanationView:
    """What a call has met so far; raises `ControlError` with a sentence when nothing is known of it, or no longer."""
    language, found = language or pbx.office.language, pbx.services.explanations.of(call)
    if found is None:
        unknown = say("nothing is known of a call {call}; the last {n} calls are", call=call, n=KEPT)
        raise ControlError(unknown.within(language))
    asked, step = found
    return _view(pbx, asked, step, asked.calling.shown_number, language)


def _arrival(pbx: "Pbx", from_number: str, to_number: str, language: str) -> Arrival | None:
    """Such a call of somebody outside, where TO is an external number of the office, or FROM an address."""
    if "@" in from_number:
        return _guest(pbx, from_number, to_number, language)
    office, called = pbx.office, to_number.removeprefix("+")
    number = next((each for each in office.external_numbers if each.number == called), None)
    provider = next((each for each in office.providers if number is not None and each.id == number.provider), None)
    if provider is None or from_number in pbx.directory.numbers:
        return None
    caller = normalised(from_number.removeprefix("+"), provider.id, office.number_rules)
    return Arrival(provider, called, Party.outside(caller))


def _guest(pbx: "Pbx", address: str, to_number: str, language: str) -> Arrival:
    """Such a call of who has no account here (REG-17)."""
    if not pbx.office.inbound.guests:
        refusal = say(
            "{address} has no account here, and guests may not call: {key} lets them",
            address=address,
            key="[inbound] guests = true",
        )
        raise ControlError(refusal.within(language))
    return Arrival(GUESTS, cleaned(to_number).removeprefix("+"), Party.outside(ANONYMOUS_NUMBER, address))


def _incoming(pbx: "Pbx", arrival: Arrival, moment: float) -> tuple[Inquiry, Arrived | Cause]:
    to, app = pbx.apps.find_incoming(pbx, arrival)
    asked = Inquiry(arrival.caller, to, moment)
    asked.arrival = arrival
    if is_guest(arrival):
        asked.tried("guests", matched=True, why=say("meets the rules of any provider, and no others"))
    _explain_number(pbx, asked, app)
    return asked, _follow(pbx, asked, app)


def _follow(pbx: "Pbx", asked: Inquiry, app: App | None) -> Arrived | Cause:
    """From app to app, as `run_stages` does it."""
    for _ in range(MOST_STAGES):
        if app is None:
            return UNAVAILABLE if asked.at.kind is PartyKind.OUTSIDE else NOT_FOUND
        step = step_of(asked, app, pbx)
        if not isinstance(step, GoTo):
            return step
        asked.at, app = pbx.route(step.target)
        _explain_number(pbx, asked, app)
    return LOOP


def _explain_number(pbx: "Pbx", asked: Inquiry, app: App | None) -> None:
    """What the number is."""
    asked.app = app.name if app is not None else ""
    if app is not None:
        why = kind_of(app)
    elif asked.at.number in pbx.directory.numbers:
        why = say("its terminal is disabled")
    elif asked.at.kind is PartyKind.OUTSIDE:
        why = say("it is outside of the office, and no way leads there")
    else:
        why = say("nobody has this number")
    asked.tried("number", matched=app is not None, why=why)


def _view(pbx: "Pbx", asked: Inquiry, end: Next | Arrived, from_number: str, language: str) -> ExplanationView:
    rules = tuple(_rule_view(each, language) for each in asked.rules)
    numbers = end.numbers if isinstance(end, Arrived) else ()
    cause = end.name if isinstance(end, Cause) else ""
    result = _result(pbx, asked, end).within(language)
    return ExplanationView(from_number, asked.to.number, rules, numbers, result, cause, language)


def _rule_view(rule: Rule, language: str) -> RuleView:
    return RuleView(
        rule.at.number,
        rule.at.name,
        rule.app,
        rule.name,
        rule.matched,
        rule.why.within(language),
        title_of(rule.name, language),
        say(rule.app).within(language),
    )


def _result(pbx: "Pbx", asked: Inquiry, end: Next | Arrived) -> Said:
    """The last line: the final target, or why there is none."""
    if isinstance(end, Arrived):
        who = ", ".join(_who(pbx.route(each)[0]) for each in end.numbers)
        return say("final target: {who} {how}", who=who, how=end.how)
    if isinstance(end, GoTo):
        return say("goes on to {target}", target=end.target)
    return say(
        "no target: the call ends at {who} with {status} {cause} ({text})",
        who=_who(asked.at),
        status=end.status,
        cause=end.name,
        text=say(end.text.lower()),
    )


def _who(party: Party) -> str:
    return f"{party.number} {party.name}".rstrip()
