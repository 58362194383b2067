"""Networks that may reach the server."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_TEXTS = ("id", "network", "name", "note")
_FLAGS = ("sip", "webrtc", "web", "api", "ssh", "icmp", "is_local", "never_block")


def upgrade() -> None:
    op.create_table(
        "networks",
        sa.Column("ordinal", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in _TEXTS),
        sa.Column("priority", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in _FLAGS),
        sa.PrimaryKeyConstraint("id", name="pk_networks"),
    )


def downgrade() -> None:
    op.drop_table("networks")
