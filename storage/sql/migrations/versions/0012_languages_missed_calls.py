"""The language of a person, and the words of mail about missed calls."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("users", sa.Column("language", sa.String, nullable=False, server_default=""))
    op.add_column("offices", sa.Column("missed_calls", sa.JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("offices", "missed_calls")
    op.drop_column("users", "language")
