"""Everything that calls may reach inside the office, and what holds for all of it."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_TEXT, _NUMBER, _FLAG, _JSON = sa.String, sa.Integer, sa.Boolean, sa.JSON
_SECTIONS = ("features", "forwarding", "recording", "voicemail")

_LISTS: dict[str, tuple[str, dict[str, type[Any]]]] = {
    "location_groups": ("id", {"name": _TEXT, "parent": _TEXT, "note": _TEXT}),
    "employee_groups": (
        "id",
        {
            "name": _TEXT, "members": _JSON, "is_default": _FLAG, "isolate": _FLAG, "isolate_pickup": _FLAG,
            "patterns": _JSON, "note": _TEXT,
        },
    ),
    "groups": (
        "number",
        {
            "name": _TEXT, "note": _TEXT, "members": _JSON, "strategy": _TEXT, "ring_time": _NUMBER,
            "ignore_forwarding": _FLAG, "timeout_target": _TEXT,
        },
    ),
    "queues": (
        "number",
        {
            "name": _TEXT, "note": _TEXT, "short_name": _TEXT, "separator": _TEXT, "agents": _JSON,
            "dynamic_agents": _FLAG, "penalties": _JSON, "skills": _JSON, "strategy": _TEXT, "ring_time": _NUMBER,
            "retry": _NUMBER, "reject_pause": _NUMBER, "wrap_up": _NUMBER, "ring_in_use": _FLAG,
            "caller_hears": _TEXT, "music": _TEXT, "announce_position": _FLAG, "announce_wait": _FLAG,
            "announcement": _TEXT, "announce_every": _NUMBER, "max_wait": _NUMBER, "timeout_target": _TEXT,
            "empty_target": _TEXT, "max_attempts": _NUMBER, "attempts_target": _TEXT, "max_announcements": _NUMBER,
            "announcements_target": _TEXT, "exit_keys": _JSON, "callback": _JSON,
        },
    ),
    "ivrs": (
        "number",
        {
            "default": _TEXT, "name": _TEXT, "note": _TEXT, "greeting": _TEXT, "timeout": _NUMBER,
            "digit_timeout": _NUMBER, "attempts": _NUMBER, "allow_internal": _FLAG, "keys": _JSON, "phrases": _JSON,
        },
    ),
    "conferences": (
        "number",
        {"name": _TEXT, "note": _TEXT, "pin": _TEXT, "record": _FLAG, "max_participants": _NUMBER},
    ),
    "paging": ("number", {"name": _TEXT, "note": _TEXT, "members": _JSON}),
    "applications": ("number", {"file": _TEXT, "name": _TEXT, "note": _TEXT}),
    "voicemail_boxes": (
        "number",
        {"pin": _TEXT, "greeting": _TEXT, "email": _TEXT, "delete_mailed": _FLAG, "disabled": _FLAG},
    ),
}  # fmt: skip


def _added() -> Iterator[tuple[str, sa.Column[Any]]]:
    """New columns of tables that are there, with what they are in an office that was stored without them."""
    for name in _SECTIONS:
        yield "offices", sa.Column(name, _JSON, nullable=False, server_default="{}")
    yield "users", sa.Column("record", _FLAG, nullable=False, server_default=sa.true())
    yield "users", sa.Column("forward_to_mobile", _FLAG, nullable=False, server_default=sa.true())
    yield "users", sa.Column("skills", _JSON, nullable=False, server_default="[]")
    yield "terminals", sa.Column("ringback", _TEXT, nullable=False, server_default="")
    yield "terminals", sa.Column("record", _FLAG, nullable=False, server_default=sa.true())
    yield "terminals", sa.Column("forward", _JSON, nullable=False, server_default="{}")
    yield "terminals", sa.Column("show_in_phonebook", _FLAG, nullable=False, server_default=sa.true())
    yield "terminals", sa.Column("public_access", _FLAG, nullable=False, server_default=sa.true())
    yield "sounds", sa.Column("name", _TEXT, nullable=False, server_default="")
    yield "sounds", sa.Column("note", _TEXT, nullable=False, server_default="")


def upgrade() -> None:
    for table, column in _added():
        op.add_column(table, column)
    for table, (key, kinds) in _LISTS.items():
        op.create_table(
            table,
            sa.Column("ordinal", _NUMBER, nullable=False),
            sa.Column(key, _TEXT, nullable=False),
            *(sa.Column(name, kind, nullable=False) for name, kind in kinds.items()),
            sa.PrimaryKeyConstraint(key, name=f"pk_{table}"),
        )


def downgrade() -> None:
    for table in _LISTS:
        op.drop_table(table)
    for table, column in _added():
        op.drop_column(table, str(column.name))
