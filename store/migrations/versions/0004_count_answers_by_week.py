"""Count the classifier's answers by week, so that its drift can be seen without reading every assessment."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply; what was assessed before is counted by the worker, page by page."""
    op.create_table(
        "answer_week",
        sa.Column("week", sa.String(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("week", name=op.f("pk_answer_week")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("answer_week")
    op.execute("DELETE FROM setting WHERE key = 'answers_counted'")
