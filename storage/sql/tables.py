"""The tables. What changes here needs a migration beside it; a test compares the two."""

from typing import Any, get_type_hints

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.types import TypeEngine

from storage.records import (
    OFFICE_LISTS,
    OFFICE_SECTIONS,
    AuditEntry,
    Happening,
    Mailbox,
    MissedCall,
    OfficeList,
    OfficeVersion,
    StoredLetter,
    StoredRecording,
    StoredState,
    VoiceMessage,
)

# Compared by code point, whatever language the database sorts in: a range of keys is a prefix of numbers.
KEY = String().with_variant(String(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
)

offices = Table(
    "offices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("language", String, nullable=False),
    Column("timezone", String, nullable=False),
    Column("number_length", Integer, nullable=False),
    Column("country", String, nullable=False, server_default=""),
    Column("login_suffix", String, nullable=False, server_default=""),
    *(Column(name, JSON, nullable=False, server_default="{}") for name in OFFICE_SECTIONS),
)

_COLUMN_TYPES: dict[object, type[TypeEngine[Any]]] = {str: String, int: Integer, bool: Boolean}
_REFERENCES = {"terminals.owner": "users.id"}  # empty text is stored as NULL


def _list_table(of: OfficeList) -> Table:
    """The table of one list of the office: a column a field, whatever is no plain value as JSON."""
    columns = [
        Column("ordinal", Integer, nullable=False),  # the order of the document
        *(_list_column(of, name, kind) for name, kind in get_type_hints(of.record).items()),
    ]
    return Table(of.name, metadata, *columns)


def _list_column(of: OfficeList, name: str, kind: object) -> Column[Any]:
    target = _REFERENCES.get(f"{of.name}.{name}")
    if target is not None:
        return Column(name, String, ForeignKey(target))
    return Column(name, _COLUMN_TYPES.get(kind, JSON), primary_key=name == of.key, nullable=False)


LIST_TABLES = {of.name: _list_table(of) for of in OFFICE_LISTS}

# One row an AOR: a refresh is one update, and nobody asks for single bindings in SQL.
locations = Table(
    "locations",
    metadata,
    Column("aor", String, primary_key=True),
    Column("expires_at", Float, nullable=False),  # of the binding that lives longest
    Column("bindings", String, nullable=False),  # JSON list of `Registration`
    sqlite_with_rowid=False,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String, primary_key=True),
    Column("expires_at", Float, nullable=False),
    Column("record", String, nullable=False),  # JSON of `StoredSubscription`
    sqlite_with_rowid=False,
)


def _record_table(name: str, record: type, *indexed: str) -> Table:
    """A column a field of records that have plain values and an id; `indexed` are those that are looked for."""
    kinds = {**_COLUMN_TYPES, float: Float}
    columns: list[Column[Any]] = [
        Column(each, kinds[kind], primary_key=each == "id", nullable=False, index=each in indexed or None)
        for each, kind in get_type_hints(record).items()
    ]
    return Table(name, metadata, *columns)


letters = _record_table("letters", StoredLetter)
voice_messages = _record_table("voice_messages", VoiceMessage)
mailboxes = _record_table("mailboxes", Mailbox)
missed = _record_table("missed", MissedCall)
happenings = _record_table("happenings", Happening, "at")
states = _record_table("states", StoredState)
recordings = _record_table("recordings", StoredRecording, "linkedid", "started_at", "state")
_LATEST = (locations, subscriptions, letters, voice_messages, mailboxes, missed, happenings, states, recordings)
LATEST_TABLES = {each.name: each for each in _LATEST}

office_versions = _record_table("office_versions", OfficeVersion)
audit = _record_table("audit", AuditEntry, "user", "object")

# Texts that wait for their addressee, in the order of `seq`.
texts = Table(
    "texts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True, index=True),
    Column("number", String, nullable=False),
    Column("sender", String, nullable=False),
    Column("sender_name", String, nullable=False),
    Column("sent_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("content_type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Days of history put together for reports, made again whenever the rows are others.
rollups = Table(
    "rollups",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("sum", BigInteger, nullable=False),
    Column("format", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),
)

cdrs = Table(
    "cdrs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True, index=True),
    Column("linkedid", String, nullable=False, index=True),
    Column("started_at", Float, nullable=False, index=True),
    Column("answered_at", Float),
    Column("ended_at", Float, nullable=False),
    Column("talk_seconds", Float, nullable=False),
    Column("from_number", String, nullable=False),
    Column("from_name", String, nullable=False),
    Column("to_number", String, nullable=False),
    Column("to_name", String, nullable=False),
    Column("external_number", String, nullable=False),
    Column("provider_in", String, nullable=False),
    Column("provider_out", String, nullable=False),
    Column("disposition", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("sip_call_ids", String, nullable=False),  # JSON list
    Column("recording", String, nullable=False),
    Column("digits", String, nullable=False, server_default=""),
    Column("quality", String, nullable=False),  # JSON object
    Column("transfer", String, nullable=False, server_default=""),
    # Both names as `storage.match.names_key` writes them: no database folds the case of every alphabet.
    Column("names_key", String, nullable=False, server_default=""),
    # `storage.match.number_key` of the three numbers. With the time an index answers "newest first" without sorting.
    Column("from_key", KEY, nullable=False),
    Column("to_key", KEY, nullable=False),
    Column("external_key", KEY, nullable=False),
    Index("ix_cdrs_from_key", "from_key", "started_at"),
    Index("ix_cdrs_to_key", "to_key", "started_at"),
    Index("ix_cdrs_external_key", "external_key", "started_at"),
)
