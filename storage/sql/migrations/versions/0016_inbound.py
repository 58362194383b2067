"""External numbers, the rules of calls from outside, and who is let in."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_EXTERNAL = {
    "number": sa.String, "provider": sa.String, "target": sa.String, "timeout": sa.Integer, "name": sa.String,
    "note": sa.String, "greeting": sa.String, "direct_dial": sa.Boolean, "dial_timeout": sa.Integer,
    "dial_attempts": sa.Integer, "calendar": sa.String, "closed_target": sa.String, "closed_sound": sa.String,
    "last_agent": sa.Boolean, "last_agent_days": sa.Integer, "last_agent_ring": sa.Integer,
    "last_agent_inbound": sa.Boolean, "record_in": sa.JSON, "record_out": sa.JSON, "show_name": sa.Boolean,
    "disabled": sa.Boolean,
}  # fmt: skip
_RULES = {
    "id": sa.String, "provider": sa.String, "number": sa.String, "target": sa.String, "timeout": sa.Integer,
    "sound": sa.String, "priority": sa.Integer, "name": sa.String, "note": sa.String, "disabled": sa.Boolean,
}  # fmt: skip
_NUMBER_RULES = {
    "id": sa.String, "provider": sa.String, "length": sa.Integer, "prefix": sa.String, "replace": sa.String,
}  # fmt: skip
_CALLER_LISTS = {"id": sa.String, "kind": sa.String, "provider": sa.String, "callers": sa.JSON, "note": sa.String}
_TABLES = {
    "external_numbers": _EXTERNAL,
    "inbound_rules": _RULES,
    "number_rules": _NUMBER_RULES,
    "caller_lists": _CALLER_LISTS,
}


def upgrade() -> None:
    for name, columns in _TABLES.items():
        op.create_table(
            name,
            sa.Column("ordinal", sa.Integer, nullable=False),
            *(sa.Column(column, kind, nullable=False) for column, kind in columns.items()),
            sa.PrimaryKeyConstraint(next(iter(columns)), name=f"pk_{name}"),
        )
    op.add_column("offices", sa.Column("inbound", sa.JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("offices", "inbound")
    for name in reversed(_TABLES):
        op.drop_table(name)
