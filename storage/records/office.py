"""The office as one snapshot, and what its lists and sections are."""

from collections.abc import Callable, Mapping
from dataclasses import field, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, get_type_hints

from frozen import dataclass
from storage.records.calendars import Calendar, OffHours
from storage.records.inbound import CallerList, ExternalNumber, InboundPolicy, InboundRule, NumberRule
from storage.records.networks import NetworkFilter
from storage.records.numbers import (
    Application,
    Conference,
    Group,
    Ivr,
    LampList,
    Paging,
    Queue,
    ShortNumber,
    Sound,
    VoicemailBox,
)
from storage.records.outside import OutboundPolicy, OutboundRoute, Provider
from storage.records.people import EmployeeGroup, LocationGroup, Terminal, User
from storage.records.policies import (
    Features,
    ForwardingPolicy,
    LostCallAlarm,
    MissedCallsPolicy,
    RecordingPolicy,
    VoicemailPolicy,
)
from storage.records.reports import Tariff

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Office:
    """The whole office as it is applied: immutable snapshot, replaced as one. `login_suffix` follows the number in the
    user name of every terminal that has no `login` of its own (EXT-3)."""

    name: str = ""
    language: str = "en"
    timezone: str = "UTC"
    number_length: int = 3
    users: tuple[User, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    providers: tuple[Provider, ...] = ()
    sounds: tuple[Sound, ...] = ()
    country: str = ""
    login_suffix: str = ""
    location_groups: tuple[LocationGroup, ...] = ()
    employee_groups: tuple[EmployeeGroup, ...] = ()
    groups: tuple[Group, ...] = ()
    queues: tuple[Queue, ...] = ()
    ivrs: tuple[Ivr, ...] = ()
    conferences: tuple[Conference, ...] = ()
    paging: tuple[Paging, ...] = ()
    applications: tuple[Application, ...] = ()
    short_numbers: tuple[ShortNumber, ...] = ()
    voicemail_boxes: tuple[VoicemailBox, ...] = ()
    lamp_lists: tuple[LampList, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    off_hours: tuple[OffHours, ...] = ()
    outbound_routes: tuple[OutboundRoute, ...] = ()
    external_numbers: tuple[ExternalNumber, ...] = ()
    inbound_rules: tuple[InboundRule, ...] = ()
    number_rules: tuple[NumberRule, ...] = ()
    caller_lists: tuple[CallerList, ...] = ()
    lost_call_alarms: tuple[LostCallAlarm, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    networks: tuple[NetworkFilter, ...] = ()
    features: Features = field(default_factory=Features)
    forwarding: ForwardingPolicy = field(default_factory=ForwardingPolicy)
    recording: RecordingPolicy = field(default_factory=RecordingPolicy)
    voicemail: VoicemailPolicy = field(default_factory=VoicemailPolicy)
    missed_calls: MissedCallsPolicy = field(default_factory=MissedCallsPolicy)
    outbound: OutboundPolicy = field(default_factory=OutboundPolicy)
    inbound: InboundPolicy = field(default_factory=InboundPolicy)


Entry = (
    User | Terminal | Provider | Sound | LocationGroup | EmployeeGroup | Group | Queue | Ivr | Conference | Paging
    | Application | ShortNumber | VoicemailBox | LampList | Calendar | OffHours | OutboundRoute
    | ExternalNumber | InboundRule | NumberRule | CallerList | LostCallAlarm | Tariff | NetworkFilter
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OfficeList:
    """One list of the office: its name in `Office` and in the document, what one entry is and is called, and which
    field tells entries apart."""

    name: str
    record: type[Entry]
    kind: str
    key: str = "number"

    def of(self, office: Office) -> tuple[Entry, ...]:
        entries: tuple[Entry, ...] = getattr(office, self.name)
        return entries

    def key_of(self, entry: Entry) -> str:
        return str(getattr(entry, self.key))

    def by_key(self, office: Office) -> dict[str, Entry]:
        """The entries by their keys, in their order."""
        entries = self.of(office)
        return dict(zip(map(attrgetter(self.key), entries), entries, strict=True))


# In the order in which they are stored: an entry may refer to those of lists before its own.
OFFICE_LISTS = (
    OfficeList("location_groups", LocationGroup, "location group", "id"),
    OfficeList("users", User, "user", "id"),
    OfficeList("employee_groups", EmployeeGroup, "employee group", "id"),
    OfficeList("networks", NetworkFilter, "network", "id"),
    OfficeList("terminals", Terminal, "terminal"),
    OfficeList("providers", Provider, "provider", "id"),
    OfficeList("sounds", Sound, "sound", "id"),
    OfficeList("groups", Group, "group"),
    OfficeList("queues", Queue, "queue"),
    OfficeList("ivrs", Ivr, "IVR"),
    OfficeList("conferences", Conference, "conference"),
    OfficeList("paging", Paging, "paging"),
    OfficeList("applications", Application, "application"),
    OfficeList("short_numbers", ShortNumber, "short number"),
    OfficeList("voicemail_boxes", VoicemailBox, "voicemail box"),
    OfficeList("lamp_lists", LampList, "lamp list", "id"),
    OfficeList("calendars", Calendar, "calendar", "id"),
    OfficeList("off_hours", OffHours, "off-hours rule", "id"),
    OfficeList("outbound_routes", OutboundRoute, "outbound route", "name"),
    OfficeList("external_numbers", ExternalNumber, "external number"),
    OfficeList("inbound_rules", InboundRule, "inbound rule", "id"),
    OfficeList("number_rules", NumberRule, "number rule", "id"),
    OfficeList("caller_lists", CallerList, "caller list", "id"),
    OfficeList("lost_call_alarms", LostCallAlarm, "alarm of lost calls", "id"),
    OfficeList("tariffs", Tariff, "tariff", "id"),
)
# Sections of the document beside `[office]`, one record each.
OFFICE_SECTIONS: Mapping[str, type[Any]] = {
    "features": Features,
    "forwarding": ForwardingPolicy,
    "recording": RecordingPolicy,
    "voicemail": VoicemailPolicy,
    "missed_calls": MissedCallsPolicy,
    "outbound": OutboundPolicy,
    "inbound": InboundPolicy,
}
# Shown and exported on request only; an entry has at most one of them.
SECRETS = ("password", "pin")
OFFICE_VALUES = tuple(
    each.name for each in fields(Office) if each.name not in {*OFFICE_SECTIONS, *(lst.name for lst in OFFICE_LISTS)}
)


def secret_of(record: type[Any]) -> str:
    """The name of the field of an entry that is its secret, "" when it has none."""
    return next((each.name for each in fields(record) if each.name in SECRETS), "")


def login_of(office: Office, terminal: Terminal) -> str:
    """The user name that a phone of the terminal has to prove (EXT-3)."""
    return terminal.login or f"{terminal.number}{office.login_suffix}"


def office_of(values: Mapping[str, Any], sections: Mapping[str, Any], lists: Mapping[str, tuple[Entry, ...]]) -> Office:
    """The office with these values of its own, these sections and these lists, by name."""
    return Office(**{**values, **sections, **lists})


def record_of(kind: Callable[..., R], values: Mapping[str, Any]) -> R:
    """A record from plain values: what is a record inside is a mapping there."""
    kinds = _kinds(kind)
    return kind(**{
        name: record_of(kinds[name], value) if is_dataclass(kinds[name]) else value for name, value in values.items()
    })  # fmt: skip


@cache
def _kinds(record: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(record)
