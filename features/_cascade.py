"""Which rules a call from outside meets, in their order, and whether it is let in at all. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from frozen import dataclass
from pbx.api import Arrival, ExternalNumber, InboundRule, Office, breadth, fits_number, is_guest

IGNORES_TIME = "ignore_time"  # the variable of a script


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of the cascade. `timeout_s` 0: no limit; `rule` is its name for people."""

    rule: str
    target: str
    timeout_s: float = 0.0
    sound: str = ""


def external_number(office: Office, arrival: Arrival) -> ExternalNumber | None:
    """The number of the office that was called: of the account that brings the call, or of one at the same server
    (INB-25)."""
    accounts = {arrival.provider.id, *(each.id for each in arrival.siblings)}
    found = (each for each in office.external_numbers if each.provider in accounts and not each.disabled)
    return next((each for each in found if each.number == arrival.called), None)


def steps(office: Office, arrival: Arrival) -> Sequence[Step]:
    """The target of the number, its rules, broader ones of the account, those of any account (INB-11, AMB-12)."""
    accounts = {arrival.provider.id, *(each.id for each in arrival.siblings)}
    fitting = [each for each in office.inbound_rules if not each.disabled and fits_number(arrival.called, each.number)]
    own = sorted((each for each in fitting if each.provider in accounts), key=_order)
    anyones = sorted((each for each in fitting if not each.provider), key=_order)
    number = external_number(office, arrival)
    found = [Step(f"external number {number.number}", number.target, float(number.timeout))] if number else []
    found = [each for each in found if each.target]
    rules = [*own, *anyones]
    if office.inbound.only_own_number and rules:
        rules = own or anyones
        wanted = arrival.called if found else rules[0].number
        rules = [each for each in rules if each.number == wanted]
    return [*found, *(Step(f"rule {each.id}", each.target, float(each.timeout), each.sound) for each in rules)]


def leads_somewhere(office: Office, arrival: Arrival) -> bool:
    """Guests only reach what a rule is for; whoever a provider brings reaches the default of the office."""
    return not is_guest(arrival) or bool(steps(office, arrival))


def refusing_list(office: Office, arrival: Arrival) -> str:
    """The id of the list that turns the caller away (INB-27), "" for none."""
    number = arrival.caller.shown_number
    for each in office.caller_lists:
        if each.provider in ("", arrival.provider.id):
            is_on = any(fits_number(number, pattern) for pattern in each.callers)
            if is_on is (each.kind == "black"):
                return each.id
    return ""


def asks_no_calendar(office: Office, arrival: Arrival, variables: Mapping[str, str] = MappingProxyType({})) -> bool:
    """CAL-14: interconnections, callers who may always come, and those of whom a script says so."""
    policy = office.inbound
    if variables.get(IGNORES_TIME, "") not in ("", "0"):
        return True
    is_always = arrival.provider.id in policy.always_open_providers
    return is_always or any(fits_number(arrival.caller.shown_number, each) for each in policy.always_open_callers)


def _order(rule: InboundRule) -> tuple[tuple[int, ...], int]:
    return breadth(rule.number), rule.priority
