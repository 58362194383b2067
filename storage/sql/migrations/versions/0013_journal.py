"""Versions of the office, and who changed what."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "office_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("applied_at", sa.Float, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("summary", sa.String, nullable=False),
        sa.Column("document", sa.String, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("object", sa.String, nullable=False),
        sa.Column("before", sa.String, nullable=False),
        sa.Column("after", sa.String, nullable=False),
        sa.Column("id", sa.Integer, primary_key=True),
    )
    op.create_index("ix_audit_user", "audit", ["user"])
    op.create_index("ix_audit_object", "audit", ["object"])


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("office_versions")
