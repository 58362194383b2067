"""Mail that waits to be sent, mailboxes with their voice messages, and the index of recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("attachment", sa.String, nullable=False),
        sa.Column("attachment_name", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
    )
    op.create_table(
        "voice_messages",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("from_number", sa.String, nullable=False),
        sa.Column("from_name", sa.String, nullable=False),
        sa.Column("linkedid", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voice_messages"),
    )
    op.create_table(
        "mailboxes",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("greeting", sa.String, nullable=False),
        sa.Column("pin", sa.String, nullable=False),
        sa.Column("pin_of", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mailboxes"),
    )
    _create_recordings()


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("call", sa.String, nullable=False),
        sa.Column("linkedid", sa.String, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("from_number", sa.String, nullable=False),
        sa.Column("to_number", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("channels", sa.Integer, nullable=False),
        sa.Column("caller_channel", sa.Integer, nullable=False),
        sa.Column("format", sa.String, nullable=False),
        sa.Column("suffix", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
    )
    op.create_index("ix_recordings_linkedid", "recordings", ["linkedid"])
    op.create_index("ix_recordings_started_at", "recordings", ["started_at"])
    op.create_index("ix_recordings_state", "recordings", ["state"])


def downgrade() -> None:
    for table in ("recordings", "mailboxes", "voice_messages", "letters"):
        op.drop_table(table)
