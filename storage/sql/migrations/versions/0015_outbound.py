"""Ways to numbers outside, and what providers are told on them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_PROVIDER = {
    "addresses": (sa.JSON, "[]"),
    "dtmf": (sa.String, "auto"),
    "srtp": (sa.String, "auto"),
    "from_user": (sa.String, ""),
    "from_domain": (sa.String, ""),
    "show_caller": (sa.Boolean, "0"),
    "identity": (sa.String, "none"),
    "max_calls": (sa.Integer, "0"),
    "only": (sa.Boolean, "0"),
}
_GROUP = {"routes": (sa.JSON, "[]"), "caller_id": (sa.String, ""), "caller_ids": (sa.JSON, "{}")}
_ROUTE = {
    "name": sa.String, "provider": sa.String, "providers": sa.JSON, "order": sa.String, "prefix": sa.String,
    "rest": sa.Integer, "rest_to": sa.Integer, "strip": sa.Integer, "prepend": sa.String, "keep_plus": sa.Boolean,
    "caller_id": sa.String, "only": sa.Boolean, "note": sa.String, "disabled": sa.Boolean,
}  # fmt: skip


def upgrade() -> None:
    for table, columns in (("providers", _PROVIDER), ("employee_groups", _GROUP)):
        for name, (kind, default) in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    op.create_table(
        "outbound_routes",
        sa.Column("ordinal", sa.Integer, nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in _ROUTE.items()),
        sa.PrimaryKeyConstraint("name", name="pk_outbound_routes"),
    )
    op.add_column("offices", sa.Column("outbound", sa.JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("offices", "outbound")
    op.drop_table("outbound_routes")
    for table, columns in (("employee_groups", _GROUP), ("providers", _PROVIDER)):
        for name in columns:
            op.drop_column(table, name)
