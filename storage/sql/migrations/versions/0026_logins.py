"""Logins of terminals that are not their numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

_COLUMNS = (("terminals", "login"), ("offices", "login_suffix"))


def upgrade() -> None:
    for table, name in _COLUMNS:
        op.add_column(table, sa.Column(name, sa.String, nullable=False, server_default=""))


def downgrade() -> None:
    for table, name in _COLUMNS:
        op.drop_column(table, name)
