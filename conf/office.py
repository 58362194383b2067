"""`office.toml`: the whole company document. Its sections stand in `conf.office_…` by subject.

What needs more than one section (a number used twice, an owner who does not exist) stands in `conf.office_rules`.
"""

import difflib
import zoneinfo
from typing import Annotated

from pydantic import Field, PlainValidator

from conf.countries import COUNTRIES
from conf.fields import choice, text, whole_number
from conf.model import Section
from conf.office_calendars import CalendarSection, OffHoursSection
from conf.office_fields import LANGUAGES, MAX_NUMBER_LENGTH, MIN_NUMBER_LENGTH, Login, Name
from conf.office_inbound import (
    CallerListSection,
    ExternalNumberSection,
    InboundRuleSection,
    InboundSection,
    NumberRuleSection,
)
from conf.office_networks import NetworkSection
from conf.office_numbers import (
    ApplicationSection,
    ConferenceSection,
    GroupSection,
    IvrSection,
    LampListSection,
    PagingSection,
    QueueSection,
    ShortNumberSection,
    SoundSection,
    VoicemailBoxSection,
)
from conf.office_outside import OutboundRouteSection, OutboundSection, ProviderSection
from conf.office_people import EmployeeGroupSection, LocationGroupSection, TerminalSection, UserSection
from conf.office_policies import (
    FeaturesSection,
    ForwardingSection,
    LostCallAlarmSection,
    MissedCallsSection,
    RecordingSection,
    VoicemailSection,
)
from conf.office_tariffs import TariffSection


def _timezone(value: object) -> str:
    found = text(value)
    if found == "UTC":
        return found
    try:
        zoneinfo.ZoneInfo(found)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(_unknown_timezone(found)) from None
    return found


def _unknown_timezone(name: str) -> str:
    known = zoneinfo.available_timezones()
    if not known:
        return 'this machine has no time zone database: install the package tzdata, or use "UTC"'
    near = difflib.get_close_matches(name, known, n=1) or ["Europe/Moscow"]
    return f'unknown time zone "{name}"; a name such as "{near[0]}" is needed'


class OfficeSection(Section):
    """`[office]`."""

    name: Name = ""
    language: Annotated[str, PlainValidator(choice(*LANGUAGES))] = "en"
    timezone: Annotated[str, PlainValidator(_timezone)] = "UTC"
    # Three digits are enough for 900 people and quick to dial (AMB-1).
    number_length: Annotated[int, PlainValidator(whole_number(MIN_NUMBER_LENGTH, MAX_NUMBER_LENGTH))] = 3
    # REG-18: whose tones callers hear; empty follows the language.
    country: Annotated[str, PlainValidator(choice("", *COUNTRIES))] = ""
    # EXT-3: a name that cannot be guessed has to be typed into every phone, so whoever wants it chooses it.
    login_suffix: Login = ""


class OfficeDocument(Section):
    """The whole of `office.toml`."""

    office: OfficeSection = OfficeSection()
    location_groups: Annotated[tuple[LocationGroupSection, ...], Field(strict=False)] = ()
    users: Annotated[tuple[UserSection, ...], Field(strict=False)] = ()
    employee_groups: Annotated[tuple[EmployeeGroupSection, ...], Field(strict=False)] = ()
    networks: Annotated[tuple[NetworkSection, ...], Field(strict=False)] = ()
    terminals: Annotated[tuple[TerminalSection, ...], Field(strict=False)] = ()
    providers: Annotated[tuple[ProviderSection, ...], Field(strict=False)] = ()
    sounds: Annotated[tuple[SoundSection, ...], Field(strict=False)] = ()
    groups: Annotated[tuple[GroupSection, ...], Field(strict=False)] = ()
    queues: Annotated[tuple[QueueSection, ...], Field(strict=False)] = ()
    ivrs: Annotated[tuple[IvrSection, ...], Field(strict=False)] = ()
    conferences: Annotated[tuple[ConferenceSection, ...], Field(strict=False)] = ()
    paging: Annotated[tuple[PagingSection, ...], Field(strict=False)] = ()
    applications: Annotated[tuple[ApplicationSection, ...], Field(strict=False)] = ()
    short_numbers: Annotated[tuple[ShortNumberSection, ...], Field(strict=False)] = ()
    voicemail_boxes: Annotated[tuple[VoicemailBoxSection, ...], Field(strict=False)] = ()
    lamp_lists: Annotated[tuple[LampListSection, ...], Field(strict=False)] = ()
    calendars: Annotated[tuple[CalendarSection, ...], Field(strict=False)] = ()
    off_hours: Annotated[tuple[OffHoursSection, ...], Field(strict=False)] = ()
    outbound_routes: Annotated[tuple[OutboundRouteSection, ...], Field(strict=False)] = ()
    external_numbers: Annotated[tuple[ExternalNumberSection, ...], Field(strict=False)] = ()
    inbound_rules: Annotated[tuple[InboundRuleSection, ...], Field(strict=False)] = ()
    number_rules: Annotated[tuple[NumberRuleSection, ...], Field(strict=False)] = ()
    caller_lists: Annotated[tuple[CallerListSection, ...], Field(strict=False)] = ()
    tariffs: Annotated[tuple[TariffSection, ...], Field(strict=False)] = ()
    lost_call_alarms: Annotated[tuple[LostCallAlarmSection, ...], Field(strict=False)] = ()
    features: FeaturesSection = FeaturesSection()
    forwarding: ForwardingSection = ForwardingSection()
    recording: RecordingSection = RecordingSection()
    voicemail: VoicemailSection = VoicemailSection()
    missed_calls: MissedCallsSection = MissedCallsSection()
    outbound: OutboundSection = OutboundSection()
    inbound: InboundSection = InboundSection()
