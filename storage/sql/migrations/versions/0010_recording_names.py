"""The caller's name in the index of recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("recordings", sa.Column("from_name", sa.String, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("recordings", "from_name")
