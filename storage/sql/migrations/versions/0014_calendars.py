"""Calendars, rules about off-hours, and the hours of terminals."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "calendars",
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("base", "name", "note")),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("weekly", "open", "closed")),
        sa.Column("shortened_by", sa.Integer, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("caldav", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("login", "password", "switch")),
        sa.PrimaryKeyConstraint("id", name="pk_calendars"),
    )
    op.create_table(
        "off_hours",
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        *(
            sa.Column(f"{end}_{of}", sa.String, nullable=False)
            for of in ("date", "day", "time")
            for end in ("first", "last")
        ),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("numbers", sa.JSON, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("sound", "target", "note")),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_off_hours"),
    )
    op.add_column("terminals", sa.Column("calendar", sa.String, nullable=False, server_default=""))
    op.add_column("terminals", sa.Column("calendar_internal", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("terminals", "calendar_internal")
    op.drop_column("terminals", "calendar")
    op.drop_table("off_hours")
    op.drop_table("calendars")
