"""Days of history put together for reports."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "rollups",
        sa.Column("day", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("sum", sa.BigInteger, nullable=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_rollups"),
    )


def downgrade() -> None:
    op.drop_table("rollups")
