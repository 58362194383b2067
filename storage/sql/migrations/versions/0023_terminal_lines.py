"""The line of a terminal for its calls outside."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("terminals", sa.Column("line", sa.String, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("terminals", "line")
