"""Header fields that name the numbers of a call, networks and scripts of accounts; employees who dial on."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_TEXTS = ("network", "cid_regex", "did_regex", "script")
_SOURCES = ("cid_source", "did_source")
_LISTS = ("cid_between", "did_between")


def upgrade() -> None:
    for name in (*_TEXTS, *_SOURCES):
        default = "default" if name in _SOURCES else ""
        op.add_column("providers", sa.Column(name, sa.String, nullable=False, server_default=default))
    for name in _LISTS:
        op.add_column("providers", sa.Column(name, sa.JSON, nullable=False, server_default="[]"))
    op.add_column("providers", sa.Column("log_sources", sa.Boolean, nullable=False, server_default=sa.false()))
    dials = sa.Column("employee_dial", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("external_numbers", dials)


def downgrade() -> None:
    op.drop_column("external_numbers", "employee_dial")
    for name in (*_TEXTS, *_SOURCES, *_LISTS, "log_sources"):
        op.drop_column("providers", name)
