"""Note what must be counted anew: whatever changes a mention's place in the trends writes the time of its post.

Triggers, since a count that some way of writing forgets would be wrong for ever and look right.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_MENTION_ID = "SELECT posted_at FROM mention WHERE id = {row}.mention_id"
#: Table: the columns whose change counts, and the posts concerned.
WATCHED = {
    "mention": ("platform, post_id, posted_at, place_id", "SELECT {row}.posted_at"),
    "mention_source": ("mention_id, account_id", _MENTION_ID),
    "assessment": ("mention_id, intent, service_code, sentiment", _MENTION_ID),
    "correction": ("mention_id, field, value", _MENTION_ID),
    "own_post": (
        "platform, post_id",
        "SELECT posted_at FROM mention WHERE platform = {row}.platform AND post_id = {row}.post_id",
    ),
    "place": ("neighborhood", "SELECT posted_at FROM mention WHERE place_id = {row}.id"),
}
EVENTS = {"insert": ("NEW",), "update": ("OLD", "NEW"), "delete": ("OLD",)}


def upgrade() -> None:
    """Apply; what was there before is counted too."""
    make = _on_sqlite if op.get_bind().dialect.name == "sqlite" else _on_postgresql
    for table, (columns, posts) in WATCHED.items():
        make(table, columns, posts)
    op.execute("INSERT INTO rollup_due (posted_at) SELECT posted_at FROM mention")


def _note(posts: str, row: str) -> str:
    return f"INSERT INTO rollup_due (posted_at) {posts.format(row=row)};"


def _on_sqlite(table: str, columns: str, posts: str) -> None:
    for event, rows in EVENTS.items():
        when = f"UPDATE OF {columns}" if event == "update" else event.upper()
        notes = " ".join(_note(posts, row) for row in rows)
        op.execute(f"CREATE TRIGGER {table}_counted_{event} AFTER {when} ON {table} BEGIN {notes} END")


def _on_postgresql(table: str, columns: str, posts: str) -> None:
    op.execute(
        f"""CREATE FUNCTION {table}_counted() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF TG_OP <> 'INSERT' THEN {_note(posts, "OLD")} END IF;
            IF TG_OP <> 'DELETE' THEN {_note(posts, "NEW")} END IF;
            RETURN NULL;
        END $$"""
    )
    op.execute(
        f"""CREATE TRIGGER {table}_counted AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table}
        FOR EACH ROW EXECUTE FUNCTION {table}_counted()"""
    )


def downgrade() -> None:
    """Undo."""
    for table in WATCHED:
        if op.get_bind().dialect.name == "sqlite":
            for event in EVENTS:
                op.execute(f"DROP TRIGGER {table}_counted_{event}")
        else:
            op.execute(f"DROP TRIGGER {table}_counted ON {table}")
            op.execute(f"DROP FUNCTION {table}_counted()")
    op.execute("DELETE FROM rollup_due")
