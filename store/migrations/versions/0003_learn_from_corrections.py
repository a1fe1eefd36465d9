"""Learn from corrections: versions of the classifier's heads, labels that are switched off, answers in the shadow."""

import sqlalchemy as sa
from alembic import op

from store.types import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "model_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("base", sa.String(), nullable=False),
        sa.Column("heads", sa.LargeBinary(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("last_correction_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("live_from", UtcDateTime(), nullable=True),
        sa.Column("replaced", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('candidate', 'refused', 'shadow', 'live', 'retired')", name=op.f("ck_model_version_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("number", name=op.f("uq_model_version_number")),
    )
    op.create_index(
        "uq_model_version_live",
        "model_version",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "label_switch",
        sa.Column("head", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("off_since", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("head", "label", name=op.f("pk_label_switch")),
    )
    op.create_table(
        "shadow_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("assessed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_shadow_answer_mention_id")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_shadow_answer_model_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_answer")),
        sa.UniqueConstraint(
            "mention_id", "rev", "model_version_id", name=op.f("uq_shadow_answer_mention_id_rev_model_version_id")
        ),
    )
    op.create_index(op.f("ix_shadow_answer_model_version_id"), "shadow_answer", ["model_version_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    for table in ("shadow_answer", "label_switch", "model_version"):
        op.drop_table(table)
