"""Setting up an office in the order in which it is done: what is there, what is missing, what to do next (CFG-4).

Pure: of the office, of the states of its lines, and of how many phones are registered.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from storage.records import Office

INBOUND = ("groups", "queues", "ivrs", "conferences", "voicemail_boxes", "applications")
WORKS = ("registered", "reachable", "unchecked")
ECHO = "10003246"


@dataclass(frozen=True, slots=True)
class Step:
    """`missing`: what keeps it from being done; `advice`: what to look at all the same; `resources` of the API are
    where it is done. An optional step can be left out."""

    id: str
    title: str
    resources: tuple[str, ...]
    is_optional: bool = False
    missing: tuple[str, ...] = ()
    advice: tuple[str, ...] = field(default=())

    @property
    def is_done(self) -> bool:
        return not self.missing


def steps(office: Office, lines: Mapping[str, str], phones: Collection[str]) -> tuple[Step, ...]:
    """`lines`: the state of each provider's line; `phones`: the numbers that have a phone registered."""
    return (
        _people(office),
        _places(office),
        _terminals(office),
        _inbound(office),
        _gateways(office, lines),
        _external_numbers(office),
        _test_calls(office, lines, phones),
        _tuning(office),
    )


def next_step(found: Collection[Step]) -> str:
    """The first one that has to be done and is not; "" when all are."""
    return next((each.id for each in found if not each.is_done and not each.is_optional), "")


def _people(office: Office) -> Step:
    missing = () if office.users else ("there are no people: enter them, or bring a table of them in",)
    advice = tuple(f"{each.name} has no e-mail address: missed calls and messages are not mailed"
                   for each in office.users if not each.email)  # fmt: skip
    return Step("people", "People", ("employees", "import/employees"), missing=missing, advice=advice)


def _places(office: Office) -> Step:
    missing = () if office.location_groups else ("there are no rooms or departments",)
    return Step("places", "Rooms and departments", ("location_groups",), is_optional=True, missing=missing)


def _terminals(office: Office) -> Step:
    owners = {each.owner for each in office.terminals}
    missing = () if office.terminals else ("there are no terminals: nobody can be called",)
    advice = [f"{each.name} has no number" for each in office.users if each.id not in owners]
    advice += [f"nobody owns {each.number}" for each in office.terminals if not each.owner]
    return Step("terminals", "Terminals with their owners and groups", ("terminals", "groups"), missing=missing,
                advice=tuple(advice))  # fmt: skip


def _inbound(office: Office) -> Step:
    there = any(getattr(office, name) for name in INBOUND)
    missing = () if there else ("there is no menu, queue or group: every external number leads to one terminal",)
    return Step("inbound", "Internal numbers that take calls from outside", INBOUND, is_optional=True, missing=missing)


def _gateways(office: Office, lines: Mapping[str, str]) -> Step:
    missing = () if office.providers else ("there is no provider or gateway: no calls from or to outside",)
    advice = tuple(f"the line {id} does not work: {state}" for id, state in lines.items() if state not in WORKS)
    return Step("gateways", "Providers and gateways", ("providers", "lines"), missing=missing, advice=advice)


def _external_numbers(office: Office) -> Step:
    missing = () if office.external_numbers else ("there is no external number: calls from outside have no way in",)
    served = {each.provider for each in office.external_numbers}
    advice = tuple(f"no number of {each.id} is known" for each in office.providers if each.id not in served)
    if office.providers and not office.outbound_routes:
        advice += ("there is no outbound route: nobody can call outside",)
    return Step("numbers", "External numbers", ("external_numbers", "inbound_rules", "outbound_routes"),
                missing=missing, advice=advice)  # fmt: skip


def _test_calls(office: Office, lines: Mapping[str, str], phones: Collection[str]) -> Step:
    missing = []
    if len(phones) < 2:
        missing.append("connect at least two phones")
    if not any(state in WORKS for state in lines.values()):
        missing.append("no line works: calls in and out cannot be tried")
    return Step("calls", "Test calls", ("registrations", "explain", "calls", "history"), missing=tuple(missing),
                advice=tuple(_calls(office, phones)))  # fmt: skip


def _calls(office: Office, phones: Collection[str]) -> Iterator[str]:
    """The calls to make, with numbers that are there."""
    first, *others = [*sorted(phones)[:2], "", ""][:2]
    if first:
        yield f"dial {ECHO} from {first}: you hear yourself"
    if first and others[0]:
        yield f"call {others[0]} from {first}, and {first} from {others[0]}"
    for each in office.external_numbers:
        yield f"call {each.number} from a mobile: {each.target or 'the default'} answers"
    if first and office.outbound_routes:
        yield f"call your mobile from {first}"


def _tuning(office: Office) -> Step:
    advice = [f"{each.number} rings {each.forward.ring_time} s" for each in office.terminals[:1]]
    advice += [f"{each.number} has no greeting" for each in office.external_numbers if not each.greeting]
    if not any(each.music for each in office.sounds):
        advice.append("music on hold is that of the installation")
    return Step("tuning", "Ring times, delays, greetings, music", ("terminals", "queues", "sounds", "calendars"),
                is_optional=True, advice=tuple(advice))  # fmt: skip
