"""Rows of tables ↔ records. The only place that knows how a record is laid out in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, fields, replace
from math import isfinite
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from sqlalchemy import RowMapping, Table

from storage.match import names_key, number_key
from storage.records import (
    OFFICE_SECTIONS,
    OFFICE_VALUES,
    AuditEntry,
    CdrRow,
    Entry,
    Happening,
    Mailbox,
    MissedCall,
    Office,
    OfficeVersion,
    Registration,
    StoredLetter,
    StoredRecording,
    StoredState,
    StoredSubscription,
    StoredText,
    VoiceMessage,
)

Journal = OfficeVersion | AuditEntry
PlainRecord = StoredLetter | StoredRecording | VoiceMessage | Mailbox | StoredState | MissedCall | Happening
R = TypeVar("R", bound=CdrRow | Registration | StoredSubscription | StoredText | Journal | PlainRecord)
RowValues = dict[str, Any]
LatestValues = tuple[Any, ...]  # a row in the order of its columns, the key first

_CDR_FIELDS = tuple(field.name for field in fields(CdrRow))
_CDR_ENCODED = ("sip_call_ids", "quality")
_CDR_PLAIN = tuple(name for name in _CDR_FIELDS if name not in _CDR_ENCODED)
_cdr_plain_values = attrgetter(*_CDR_PLAIN)

CDR_COLUMNS = (*_CDR_PLAIN, *_CDR_ENCODED, "from_key", "to_key", "external_key", "names_key")

_encode = msgspec.json.Encoder().encode
_decode_bindings = msgspec.json.Decoder(tuple[Registration, ...]).decode
_decode_subscription = msgspec.json.Decoder(StoredSubscription).decode
_decode_cdr = msgspec.json.Decoder(CdrRow).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_numbers = msgspec.json.Decoder(dict[str, float]).decode


def storable(row: CdrRow) -> CdrRow:
    """The row itself, or one that every encoding takes: a phone may send octets that are no text."""
    if row.quality and not all(map(isfinite, row.quality.values())):
        row = replace(row, quality={name: value for name, value in row.quality.items() if isfinite(value)})
    try:
        is_clean = b"\\u0000" not in _encode(row)
    except UnicodeEncodeError:
        is_clean = False
    return row if is_clean else readable(row)


def storable_text(text: str) -> str:
    """Octets that were no UTF-8 when they were read stand as lone surrogates: each becomes a question mark, and so does
    U+0000, which PostgreSQL takes in no text."""
    text = text.replace("\0", "?")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def readable(record: R) -> R:
    """The record with texts that every encoding takes."""

    def clean(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(clean, value))
        return storable_text(value) if isinstance(value, str) else value

    return replace(record, **{field.name: clean(getattr(record, field.name)) for field in fields(record)})


def cdr_values(row: CdrRow) -> tuple[Any, ...]:
    """A row of call history in the order of `CDR_COLUMNS`."""
    return (
        *_cdr_plain_values(row),
        _encode(row.sip_call_ids).decode(),
        _encode(row.quality).decode(),
        number_key(row.from_number),
        number_key(row.to_number),
        number_key(row.external_number),
        names_key(row.from_name, row.to_name),
    )


def cdr_row(columns: RowMapping) -> CdrRow:
    values = {name: columns[name] for name in _CDR_FIELDS}
    values["sip_call_ids"] = _decode_texts(values["sip_call_ids"])
    values["quality"] = _decode_numbers(values["quality"])
    return CdrRow(**values)


def cdr_line(row: CdrRow) -> bytes:
    """A row as one line of the spool."""
    return bytes(_encode(row)) + b"\n"


def cdr_of_line(line: bytes) -> CdrRow:
    """Raises `msgspec.DecodeError` when the line is not a whole row."""
    return _decode_cdr(line)


def location_values(aor: str, registrations: Sequence[Registration]) -> LatestValues:
    """The row of one AOR; it has at least one binding."""
    longest = max(each.expires_at for each in registrations)
    try:
        return aor, longest, _encode(registrations).decode()
    except UnicodeEncodeError:
        return storable_text(aor), longest, _encode(tuple(map(readable, registrations))).decode()


def registrations_of(bindings: str) -> tuple[Registration, ...]:
    return _decode_bindings(bindings)


def subscription_values(subscription: StoredSubscription) -> LatestValues:
    clean = readable(subscription)
    return clean.id, clean.expires_at, _encode(clean).decode()


def subscription_of(record: str) -> StoredSubscription:
    return _decode_subscription(record)


def plain_values(record: PlainRecord) -> LatestValues:
    return astuple(readable(record))


def text_values(text: StoredText) -> RowValues:
    return asdict(readable(text))


def stored_text(columns: RowMapping) -> StoredText:
    return StoredText(**{field.name: columns[field.name] for field in fields(StoredText)})


def office_values(office: Office) -> RowValues:
    """The row of the office: its own values, a section as one JSON object."""
    return {
        "id": 1,
        **{name: getattr(office, name) for name in OFFICE_VALUES},
        **{name: msgspec.to_builtins(getattr(office, name)) for name in OFFICE_SECTIONS},
    }


def section(record: type[Any], stored: Any) -> Any:
    """A section of the office; keys that an older program did not know have their defaults."""
    return msgspec.convert(stored, record)


def entry_values(table: Table, entries: Iterable[Entry]) -> list[RowValues]:
    """Rows of a list of the office without their place in it; a reference to nothing is NULL."""
    references = [column.name for column in table.columns if column.foreign_keys]
    return [
        {**values, **{name: values[name] or None for name in references}}
        for values in map(msgspec.to_builtins, entries)
    ]


def entry(record: type[Entry], columns: RowMapping) -> Entry:
    """One entry of a list of the office."""
    texts = {each.name for each in fields(record) if each.type is str}
    values = {each.name: columns[each.name] for each in fields(record)}
    filled = {name: "" if value is None and name in texts else value for name, value in values.items()}
    return msgspec.convert(filled, record)
