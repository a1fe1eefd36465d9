"""Let many workers share the queue: lanes, indexes of unfinished rows alone, and whose clock runs."""

import sqlalchemy as sa
from alembic import op

from store.types import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply; replies that wait are put into the lane of their account."""
    op.add_column("work", sa.Column("lane", sa.String(), nullable=True))
    op.execute(
        """UPDATE work SET lane = (SELECT 'account:' || reply.account_id FROM reply WHERE CAST(reply.id AS VARCHAR) = work.ref)
        WHERE kind = 'reply' AND state <> 'done'"""
    )
    op.drop_index("ix_work_due", table_name="work")
    for name, state, columns in (
        ("ix_work_ready", "ready", ["kind", "not_before", "id"]),
        ("ix_work_leased", "leased", ["kind", "lease_until"]),
    ):
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "work", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "leader",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leader")),
    )
    if op.get_bind().dialect.name == "postgresql":  # rows are rewritten three times in their short life
        op.execute("ALTER TABLE work SET (autovacuum_vacuum_scale_factor = 0.01, fillfactor = 80)")


def downgrade() -> None:
    """Undo."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE work RESET (autovacuum_vacuum_scale_factor, fillfactor)")
    op.drop_table("leader")
    op.drop_index("ix_work_leased", table_name="work")
    op.drop_index("ix_work_ready", table_name="work")
    op.create_index("ix_work_due", "work", ["state", "not_before"], unique=False)
    op.drop_column("work", "lane")
