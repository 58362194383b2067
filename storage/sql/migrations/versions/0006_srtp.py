"""How the audio of a terminal is encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("terminals", sa.Column("srtp", sa.String, nullable=False, server_default="auto"))


def downgrade() -> None:
    op.drop_column("terminals", "srtp")
