"""Sound files of the office, and the country whose tones it uses."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("offices", sa.Column("country", sa.String, nullable=False, server_default=""))
    op.create_table(
        "sounds",
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("music", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sounds"),
    )


def downgrade() -> None:
    op.drop_table("sounds")
    op.drop_column("offices", "country")
