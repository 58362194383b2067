"""Calls that nobody answered, and alarms about them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "missed",
        *(sa.Column(name, sa.String, nullable=False) for name in ("id", "number", "name", "line", "provider")),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("missed_at", "waited_s")),
        *(sa.Column(name, sa.String, nullable=False) for name in ("stage", "at_number")),
        sa.Column("closed_at", sa.Float, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("closed_by", "closed_with")),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("tried_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_missed"),
    )
    op.create_table(
        "lost_call_alarms",
        sa.Column("ordinal", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("id", "number")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("calls", "minutes")),
        *(sa.Column(name, sa.String, nullable=False) for name in ("calendar", "email", "note")),
        sa.PrimaryKeyConstraint("id", name="pk_lost_call_alarms"),
    )


def downgrade() -> None:
    op.drop_table("lost_call_alarms")
    op.drop_table("missed")
