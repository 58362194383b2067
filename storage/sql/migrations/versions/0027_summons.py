"""Conferences that call people when they begin."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

_COLUMNS = (
    ("outside", sa.String, ""),
    ("outside_digits", sa.String, ""),
    ("call_out", sa.JSON, "[]"),
    ("broadcast", sa.Boolean, sa.false()),
)


def upgrade() -> None:
    for name, kind, default in _COLUMNS:
        op.add_column("conferences", sa.Column(name, kind, nullable=False, server_default=default))


def downgrade() -> None:
    for name, *_ in _COLUMNS:
        op.drop_column("conferences", name)
