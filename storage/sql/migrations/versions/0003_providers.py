"""Providers: where calls from and to the outside go, with the logins there."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "providers",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("transport", sa.String, nullable=False),
        sa.Column("outbound_proxy", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("login", sa.String, nullable=False),
        sa.Column("password", sa.String, nullable=False),
        sa.Column("qualify", sa.Integer, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_providers"),
    )


def downgrade() -> None:
    op.drop_table("providers")
