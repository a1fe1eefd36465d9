"""Runs migrations on the engine that ``store.migrate`` hands over."""

from alembic import context
from sqlmodel import SQLModel

import store.tables  # noqa: F401  fills the metadata

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    if engine.dialect.name == "postgresql":  # a table of years may take long; waiting for its lock must not
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
