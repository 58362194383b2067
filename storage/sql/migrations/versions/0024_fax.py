"""External numbers that take faxes."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("external_numbers", sa.Column("fax", sa.String, nullable=False, server_default="off"))
    op.add_column("external_numbers", sa.Column("fax_email", sa.String, nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("fax_email", "fax"):
        op.drop_column("external_numbers", name)
