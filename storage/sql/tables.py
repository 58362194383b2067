"""The tables. What changes here needs a migration beside it; a test compares the two."""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table

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
)

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("ordinal", Integer, nullable=False),  # the order of the document
    Column("name", String, nullable=False),
    Column("email", String, nullable=False),
    Column("mobile", String, nullable=False),
    Column("mobile_dial", String, nullable=False),
    Column("position", String, nullable=False),
    Column("location", String, nullable=False),
    Column("role", String, nullable=False),
    Column("scope", JSON, nullable=False),
)

terminals = Table(
    "terminals",
    metadata,
    Column("number", String, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("owner", String, ForeignKey("users.id")),
    Column("password", String, nullable=False),
    Column("max_calls", Integer, nullable=False),
    Column("max_contacts", Integer, nullable=False),
    Column("dtmf", String, nullable=False),
    Column("transport", String, nullable=False),
    Column("network", String, nullable=False),
    Column("trust", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
)

providers = Table(
    "providers",
    metadata,
    Column("id", String, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("host", String, nullable=False),
    Column("name", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("transport", String, nullable=False),
    Column("outbound_proxy", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("login", String, nullable=False),
    Column("password", String, nullable=False),
    Column("qualify", Integer, nullable=False),
    Column("note", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
)

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
    Column("quality", String, nullable=False),  # JSON object
    # `storage.match.number_key` of the three numbers. With the time an index answers "newest first" without sorting.
    Column("from_key", String, nullable=False),
    Column("to_key", String, nullable=False),
    Column("external_key", String, nullable=False),
    Index("ix_cdrs_from_key", "from_key", "started_at"),
    Index("ix_cdrs_to_key", "to_key", "started_at"),
    Index("ix_cdrs_external_key", "external_key", "started_at"),
)
