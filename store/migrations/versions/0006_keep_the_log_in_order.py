"""Take entries of the log only at its end: on SQLite a ``REPLACE`` would else remove one past the trigger on deletes."""

from alembic import op

revision = "0006"
down_revision = "0005"

NEXT = "(SELECT coalesce(max(seq), 0) + 1 FROM audit)"


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"""CREATE TRIGGER audit_only_at_the_end BEFORE INSERT ON audit WHEN NEW.seq IS NOT {NEXT}
            BEGIN SELECT RAISE(ABORT, 'the audit log only grows at its end'); END"""
        )
        return
    op.execute(
        f"""CREATE FUNCTION audit_only_at_the_end() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF NEW.seq <> {NEXT} THEN RAISE EXCEPTION 'the audit log only grows at its end'; END IF;
            RETURN NEW;
        END $$"""
    )
    op.execute(
        """CREATE TRIGGER audit_only_at_the_end BEFORE INSERT ON audit
        FOR EACH ROW EXECUTE FUNCTION audit_only_at_the_end()"""
    )


def downgrade() -> None:
    """Undo."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_only_at_the_end")
        return
    op.execute("DROP TRIGGER audit_only_at_the_end ON audit")
    op.execute("DROP FUNCTION audit_only_at_the_end()")
