"""Taking in pages beside what the bare driver needs for the same rows, on SQLite and on PostgreSQL.

The turns alternate, stretch by stretch, so that both meet the same machine. What is compared: ``take_page`` with all it
looks up and checks, and ``executemany`` of the very rows that it wrote, in as many transactions, into the same schema.
SQLite's driver need not check foreign keys; PostgreSQL always does.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import select

from store import intake, migrate
from store.engine import Store, open_store
from store.tables import AccountRow
from tests.bench.figures import Figure, figure
from tests.bench.posts import mentions
from tests.fixtures import postgres_server
from vocabulary import Mention, Page

MENTIONS = 100_000
PAGE = 100
STRETCHES = 5
WITHIN = timedelta(days=2)
#: What a page writes, in the order in which rows may point at each other, and the column that tells the new ones.
WRITTEN = {
    "conversation": "id",
    "identity": "id",
    "content": "id",
    "mention": "id",
    "mention_revision": "id",
    "mention_source": "mention_id",
    "work": "id",
}

Rows = dict[str, list[tuple[Any, ...]]]
Insert = Callable[[Rows], None]


def ingest(folder: Path) -> list[Figure]:
    """Both stores."""
    file = folder / "ingest.db"
    laid(f"sqlite:///{file}")
    bare = Path(shutil.copyfile(file, folder / "bare.db"))
    with bare_sqlite(bare) as insert:
        found = beside("SQLite", "sqlite3", open_store(f"sqlite:///{file}"), insert)
    with postgres_server.running() as server:
        for name in ("ingest", "bare"):
            with psycopg.connect(host=str(server.folder), user="harken", dbname="postgres", autocommit=True) as asking:
                asking.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            laid(server.url(name))
        with bare_postgres(server, "bare") as insert:
            found += beside("PostgreSQL", "psycopg", open_store(server.url("ingest")), insert)
    return found


def laid(url: str) -> None:
    """An empty store with one account."""
    store = open_store(url)
    migrate.upgrade(store)
    with store.writing() as session:
        session.add(AccountRow(name="city_hall_x", platform="x"))
    store.forget_freed_pages()
    store.close()


def beside(name: str, driver: str, store: Store, insert: Insert) -> list[Figure]:
    """One store's turns and its driver's, a stretch each; then the same posts once more."""
    posts = list(mentions(MENTIONS))
    pages = [posts[start : start + PAGE] for start in range(0, MENTIONS, PAGE)]
    ours, bare, again = [], [], []
    last = dict.fromkeys(WRITTEN, 0)
    for stretch in stretches(pages):
        spent, written = 0.0, []
        for page in stretch:
            began = time.perf_counter()
            take(store, page, new=len(page))
            spent += time.perf_counter() - began
            written.append(new_rows(store, last))
        ours.append(PAGE * len(stretch) / spent)
        bare.append(rate(insert, written))
    for stretch in stretches(pages):
        again.append(rate(lambda page: take(store, page, new=0), stretch))
    store.close()
    said = f"{MENTIONS:,} in {STRETCHES} stretches, pages of {PAGE}, a commit each"
    return [
        figure(f"ingest, {name}", "mentions/s", ours, said),
        figure(f"ingest of the same again, {name}", "mentions/s", again, "adds 0"),
        figure(f"bare {driver}, the same rows", "mentions/s", bare, "executemany, as many commits"),
        figure(f"ingest ÷ bare {driver}", "ratio", [one / other for one, other in zip(ours, bare, strict=True)]),
        figure("again ÷ first", "ratio", [one / other for one, other in zip(again, ours, strict=True)], name),
    ]


def stretches(pages: Sequence[Sequence[Mention]]) -> Iterator[Sequence[Sequence[Mention]]]:
    long = len(pages) // STRETCHES
    for start in range(0, len(pages), long):
        yield pages[start : start + long]


def rate(do: Callable[[Any], object], parts: Sequence[Any]) -> float:
    """Mentions a second."""
    began = time.perf_counter()
    for part in parts:
        do(part)
    return PAGE * len(parts) / (time.perf_counter() - began)


def take(store: Store, page: Sequence[Mention], *, new: int) -> None:
    with store.writing() as session:
        account = session.exec(select(AccountRow)).one()
        taken = intake.take_page(session, account, "mentions", Page(mentions=tuple(page)), reply_within=WITHIN)
    assert taken.new == new, f"{taken.new} of a page were new, not {new}"


def new_rows(store: Store, last: dict[str, int]) -> Rows:
    """What was written since the last look, as the driver gives it."""
    found: Rows = {}
    with store.engine.connect() as connection:
        for table, column in WRITTEN.items():
            sql = f"SELECT * FROM {table} WHERE {column} > {last[table]} ORDER BY {column}"
            found[table] = [tuple(row) for row in connection.exec_driver_sql(sql)]
            top = f"SELECT coalesce(max({column}), 0) FROM {table}"
            last[table] = connection.exec_driver_sql(top).scalar_one()
    return found


@contextmanager
def bare_sqlite(file: Path) -> Iterator[Insert]:
    """The driver on a file, as durable as the store."""
    target = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        target.execute(f"PRAGMA {pragma}")

    def insert(rows: Rows) -> None:
        target.execute("BEGIN IMMEDIATE")
        for table, some in rows.items():
            if some:
                target.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(some[0]))})", some)
        target.execute("COMMIT")

    yield insert
    target.close()


@contextmanager
def bare_postgres(server: postgres_server.Server, name: str) -> Iterator[Insert]:
    """The driver on a database, a pipeline a table."""
    with psycopg.connect(host=str(server.folder), user="harken", dbname=name) as target:

        def insert(rows: Rows) -> None:
            with target.cursor() as cursor:
                for table, some in rows.items():
                    if some:
                        cursor.executemany(f"INSERT INTO {table} VALUES ({','.join(['%s'] * len(some[0]))})", some)
            target.commit()

        yield insert
