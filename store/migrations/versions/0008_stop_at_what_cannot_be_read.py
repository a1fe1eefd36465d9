"""Count what of each source can't be read, so that listening stops where a platform changed its answers."""

import sqlalchemy as sa
from alembic import op

from store.types import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply; the counts begin now."""
    op.create_table(
        "breaker",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("heard", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.Column("stopped_version", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_breaker_account_id")),
        sa.PrimaryKeyConstraint("account_id", "source", name=op.f("pk_breaker")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("breaker")
