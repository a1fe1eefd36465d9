"""Count how often what is in doubt was read back and not found: only twice nothing is nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply; what is in doubt at this moment is read from the beginning."""
    for table in ("reply", "ticket"):
        op.add_column(table, sa.Column("not_found", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Undo."""
    for table in ("reply", "ticket"):
        op.drop_column(table, "not_found")
