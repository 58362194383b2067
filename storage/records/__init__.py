"""The records of Zvon: frozen dataclasses, standard library only. Everything stored or sent between processes is one.

Times named `…_at` are wall clock, UTC, seconds since the epoch as float; encoders at the edges print ISO 8601.
"""

from storage.records.calendars import Calendar, OffHours
from storage.records.journal import AuditEntry, OfficeVersion
from storage.records.live import (
    CdrRow,
    Mailbox,
    Registration,
    StoredLetter,
    StoredRecording,
    StoredState,
    StoredSubscription,
    StoredText,
    VoiceMessage,
)
from storage.records.numbers import (
    Application,
    Callback,
    Conference,
    Group,
    Ivr,
    LampList,
    Paging,
    Queue,
    Sound,
    VoicemailBox,
)
from storage.records.office import (
    OFFICE_LISTS,
    OFFICE_SECTIONS,
    OFFICE_VALUES,
    SECRETS,
    Entry,
    Office,
    OfficeList,
    office_of,
    record_of,
    secret_of,
)
from storage.records.outside import Provider
from storage.records.people import EmployeeGroup, Forward, LocationGroup, Terminal, User
from storage.records.policies import (
    CALL_CODES,
    DIALLED_CODES,
    Features,
    ForwardingPolicy,
    MissedCallsPolicy,
    Parking,
    RecordingPolicy,
    VoicemailPolicy,
)

__all__ = [
    "CALL_CODES",
    "DIALLED_CODES",
    "OFFICE_LISTS",
    "OFFICE_SECTIONS",
    "OFFICE_VALUES",
    "SECRETS",
    "Application",
    "AuditEntry",
    "Calendar",
    "Callback",
    "CdrRow",
    "Conference",
    "EmployeeGroup",
    "Entry",
    "Features",
    "Forward",
    "ForwardingPolicy",
    "Group",
    "Ivr",
    "LampList",
    "LocationGroup",
    "Mailbox",
    "MissedCallsPolicy",
    "OffHours",
    "Office",
    "OfficeList",
    "OfficeVersion",
    "Paging",
    "Parking",
    "Provider",
    "Queue",
    "RecordingPolicy",
    "Registration",
    "Sound",
    "StoredLetter",
    "StoredRecording",
    "StoredState",
    "StoredSubscription",
    "StoredText",
    "Terminal",
    "User",
    "VoiceMessage",
    "VoicemailBox",
    "VoicemailPolicy",
    "office_of",
    "record_of",
    "secret_of",
]
