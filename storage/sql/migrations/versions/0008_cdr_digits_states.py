"""What a caller dialled in a stage of the call, and what features remember over a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("cdrs", sa.Column("digits", sa.String, nullable=False, server_default=""))
    op.create_table(
        "states",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("area", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_states"),
    )


def downgrade() -> None:
    op.drop_table("states")
    op.drop_column("cdrs", "digits")
