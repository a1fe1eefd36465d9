"""Migrations, run under a lock and checked before anything else starts."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from errors import ConfigError
from store import wakeups
from store.engine import Store

FOLDER = Path(__file__).parent / "migrations"
#: Held for the whole migration, of which each step may be a transaction; the number is ours alone.
ONE_MIGRATION = "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(4826114074)"


def config(store: Store) -> Config:
    """Alembic's config for an open store."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.attributes["engine"] = store.engine
    return made


def upgrade(store: Store) -> None:
    """Bring the schema to the newest version; two processes at once are harmless."""
    with _alone(store):
        command.upgrade(config(store), "head")
        if not store.is_sqlite:
            wakeups.lay(store)


def current(store: Store) -> str | None:
    """The schema's version in the database."""
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The schema's version in the code."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(made).get_current_head()


def known() -> frozenset[str]:
    """Every version of the schema that the code knows the way from."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    return frozenset(script.revision for script in ScriptDirectory.from_config(made).walk_revisions())


def check(store: Store) -> None:
    """Refuse an old or a newer schema, with the command to run.

    Raises:
        ConfigError: the schema isn't the code's.
    """
    have, want = current(store), newest()
    if have != want:
        raise ConfigError(
            f"the database has schema {have or 'none'}, this version needs {want}: run `harken db upgrade`"
        )
    if not store.is_sqlite:
        wakeups.check(store)


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    if not store.is_sqlite:
        # A connection of its own, which it goes with, however this process ends.
        with store.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql(ONE_MIGRATION)
            try:
                yield
            finally:
                connection.detach()  # closed, not given back to the pool with the lock
        return
    if not store.engine.url.database:
        yield
        return
    with open(f"{store.engine.url.database}.migrating", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
