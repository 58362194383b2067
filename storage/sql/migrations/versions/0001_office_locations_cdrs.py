"""The first schema: office, users, terminals, locations, call history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "offices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("timezone", sa.String, nullable=False),
        sa.Column("number_length", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offices"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("mobile", sa.String, nullable=False),
        sa.Column("mobile_dial", sa.String, nullable=False),
        sa.Column("position", sa.String, nullable=False),
        sa.Column("location", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("scope", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_table(
        "terminals",
        sa.Column("number", sa.String, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("password", sa.String, nullable=False),
        sa.Column("max_calls", sa.Integer, nullable=False),
        sa.Column("max_contacts", sa.Integer, nullable=False),
        sa.Column("dtmf", sa.String, nullable=False),
        sa.Column("transport", sa.String, nullable=False),
        sa.Column("network", sa.String, nullable=False),
        sa.Column("trust", sa.String, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_terminals"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_terminals_owner"),
    )
    op.create_table(
        "locations",
        sa.Column("aor", sa.String, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("bindings", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("aor", name="pk_locations"),
        sqlite_with_rowid=False,
    )
    _create_cdrs()


# Compared by code point, whatever language the database sorts in.
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _create_cdrs() -> None:
    op.create_table(
        "cdrs",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("linkedid", sa.String, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("answered_at", sa.Float),
        sa.Column("ended_at", sa.Float, nullable=False),
        sa.Column("talk_seconds", sa.Float, nullable=False),
        sa.Column("from_number", sa.String, nullable=False),
        sa.Column("from_name", sa.String, nullable=False),
        sa.Column("to_number", sa.String, nullable=False),
        sa.Column("to_name", sa.String, nullable=False),
        sa.Column("external_number", sa.String, nullable=False),
        sa.Column("provider_in", sa.String, nullable=False),
        sa.Column("provider_out", sa.String, nullable=False),
        sa.Column("disposition", sa.String, nullable=False),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("sip_call_ids", sa.String, nullable=False),
        sa.Column("recording", sa.String, nullable=False),
        sa.Column("quality", sa.String, nullable=False),
        sa.Column("from_key", KEY, nullable=False),
        sa.Column("to_key", KEY, nullable=False),
        sa.Column("external_key", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_cdrs"),
    )
    op.create_index("ix_cdrs_id", "cdrs", ["id"], unique=True)
    op.create_index("ix_cdrs_linkedid", "cdrs", ["linkedid"])
    op.create_index("ix_cdrs_started_at", "cdrs", ["started_at"])
    op.create_index("ix_cdrs_from_key", "cdrs", ["from_key", "started_at"])
    op.create_index("ix_cdrs_to_key", "cdrs", ["to_key", "started_at"])
    op.create_index("ix_cdrs_external_key", "cdrs", ["external_key", "started_at"])


def downgrade() -> None:
    for table in ("cdrs", "locations", "terminals", "users", "offices"):
        op.drop_table(table)
