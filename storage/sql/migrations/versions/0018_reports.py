"""The journal of events, and tariffs."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "happenings",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "subject", "text")),
        sa.PrimaryKeyConstraint("id", name="pk_happenings"),
    )
    op.create_index("ix_happenings_at", "happenings", ["at"])
    op.create_table(
        "tariffs",
        sa.Column("ordinal", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("id", "provider", "prefix")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("minute", "connection", "step", "free")),
        sa.Column("note", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tariffs"),
    )


def downgrade() -> None:
    op.drop_table("tariffs")
    op.drop_table("happenings")
