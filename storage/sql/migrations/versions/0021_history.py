"""Rows of history say what transfer they belong to, and are found by names."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

ROWS = 5000  # at once


def upgrade() -> None:
    for name in ("transfer", "names_key"):
        op.add_column("cdrs", sa.Column(name, sa.String, nullable=False, server_default=""))
    _fill_names()


def _fill_names() -> None:
    """As `storage.match.names_key` did when this step was written."""
    names = ("seq", "from_name", "to_name", "names_key")
    cdrs = sa.table("cdrs", *(sa.column(name) for name in names))
    found = sa.select(cdrs.c.seq, cdrs.c.from_name, cdrs.c.to_name).order_by(cdrs.c.seq).limit(ROWS)
    put = sa.update(cdrs).where(cdrs.c.seq == sa.bindparam("of")).values(names_key=sa.bindparam("key"))
    connection, last = op.get_bind(), -1
    while rows := connection.execute(found.where(cdrs.c.seq > last)).fetchall():
        keys = [{"of": row.seq, "key": f"{row.from_name}\n{row.to_name}".casefold()} for row in rows]
        if named := [each for each in keys if each["key"] != "\n"]:
            connection.execute(put, named)
        last = rows[-1].seq


def downgrade() -> None:
    for name in ("names_key", "transfer"):
        op.drop_column("cdrs", name)
