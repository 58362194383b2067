"""Subscriptions of phones, which go on over a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("record", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("subscriptions")
