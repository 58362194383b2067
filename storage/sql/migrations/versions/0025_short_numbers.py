"""Short numbers that dial outside and press keys there."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "short_numbers",
        sa.Column("ordinal", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("number", "to", "digits", "name", "note")),
        sa.PrimaryKeyConstraint("number", name="pk_short_numbers"),
    )


def downgrade() -> None:
    op.drop_table("short_numbers")
