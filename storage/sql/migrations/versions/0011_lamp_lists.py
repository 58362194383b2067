"""Lists of numbers that a phone watches by one subscription."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "lamp_lists",
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("members", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lamp_lists"),
    )


def downgrade() -> None:
    op.drop_table("lamp_lists")
