"""Parameters of single accounts: networks, codecs, header fields, variables."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

_COLUMNS = {"permit": "[]", "deny": "[]", "codecs": "[]", "headers": "{}", "variables": "{}"}


def upgrade() -> None:
    for name, empty in _COLUMNS.items():
        op.add_column("terminals", sa.Column(name, sa.JSON, nullable=False, server_default=empty))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("terminals", name)
