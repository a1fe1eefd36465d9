"""The stages in this process: taking in, assessing, drafting. No platform is asked."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel, select

from pipeline import assess, draft
from pipeline.deployment import Deployment
from store import intake, migrate
from store.engine import Store, open_store
from store.tables import AccountRow
from tests.bench.figures import Figure, figure
from tests.bench.posts import mentions
from tests.fakes import SCRIPT, ScriptedClassifier
from vocabulary import Mention, Page

MENTIONS = 10_000
PAGE = 100
STRETCHES = 5  #: of ingest
READ_FOR_REAL = 512  #: mentions that the shipped model reads; the script reads the rest, unmeasured
WITHIN = timedelta(days=2)


def ingest(folder: Path) -> list[Figure]:
    """``take_page`` into a SQLite file, a transaction a page; the same again; the bare driver with the same rows."""
    empty = folder / "empty.db"
    store = open_store(f"sqlite:///{empty}")
    migrate.upgrade(store)
    with store.writing() as session:
        session.add(AccountRow(name="city_hall_x", platform="x"))
    store.forget_freed_pages()
    store.close()
    given = list(mentions(MENTIONS))
    pages = [given[start : start + PAGE] for start in range(0, MENTIONS, PAGE)]
    file = folder / "ingest.db"
    shutil.copyfile(empty, file)
    store = open_store(f"sqlite:///{file}")
    ours = _stretches(lambda page: _take(store, page, new=PAGE), pages)
    again = _stretches(lambda page: _take(store, page, new=0), pages)
    store.forget_freed_pages()
    store.close()
    bare = _bare(file, empty, folder / "bare.db")
    ratio = [one / other for one, other in zip(ours, bare, strict=True)]
    stretch = f"{MENTIONS:,} in {STRETCHES} stretches"
    return [
        figure("ingest", "mentions/s", ours, f"{stretch}, pages of {PAGE}, a commit each"),
        figure("ingest of the same again", "mentions/s", again, "adds 0"),
        figure("bare sqlite3, the same rows", "mentions/s", bare, "executemany, as many commits"),
        figure("ingest ÷ bare sqlite3", "ratio", ratio),
    ]


def _stretches(insert: Callable[[Any], object], parts: Sequence[Any]) -> list[float]:
    """The rate of each stretch, on a file that grows."""
    long = len(parts) // STRETCHES
    rates = []
    for start in range(0, len(parts), long):
        began = time.perf_counter()
        for part in parts[start : start + long]:
            insert(part)
        rates.append(long * PAGE / (time.perf_counter() - began))
    return rates


def _take(store: Store, page: Sequence[Mention], *, new: int) -> None:
    with store.writing() as session:
        account = session.exec(select(AccountRow)).one()
        taken = intake.take_page(session, account, "mentions", Page(mentions=tuple(page)), reply_within=WITHIN)
    assert taken.new == new, f"{taken.new} of a page were new, not {new}"


def _bare(full: Path, empty: Path, file: Path) -> list[float]:
    """The driver alone inserts what ingest wrote, a hundredth of each table a transaction."""
    names = [one.name for one in SQLModel.metadata.sorted_tables if one.name not in {"account", "rollup_due"}]
    with sqlite3.connect(full) as source:
        rows = {name: source.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    source.close()
    shutil.copyfile(empty, file)
    target = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        target.execute(f"PRAGMA {pragma}")
    parts = MENTIONS // PAGE

    def insert(part: int) -> None:
        target.execute("BEGIN IMMEDIATE")
        for name, found in rows.items():
            some = found[len(found) * part // parts : len(found) * (part + 1) // parts]
            if some:
                target.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(some[0]))})", some)
        target.execute("COMMIT")

    rates = _stretches(insert, range(parts))
    target.close()
    return rates


def assessing_and_drafting(city: Deployment, account: str, count: int) -> list[Figure]:
    """The two stages over the mentions that then stand on the console."""
    with city.store.writing() as session:
        row = session.exec(select(AccountRow).where(AccountRow.name == account)).one()
        page = Page(mentions=tuple(mentions(count)))
        intake.take_page(session, row, "mentions", page, reply_within=WITHIN)
    _ = city.classifier
    assessed = _batches(city, assess.assess_due, assess.BATCH, until=READ_FOR_REAL)
    city.classifier = ScriptedClassifier(script={"": SCRIPT["pothole"]})
    _batches(city, assess.assess_due, assess.BATCH, until=count)
    drafted = _batches(city, draft.draft_due, draft.BATCH, until=count)
    return [
        figure("assess", "mentions/s", assessed, f"batches of {assess.BATCH}, the shipped model"),
        figure("draft", "mentions/s", drafted, f"batches of {draft.BATCH}"),
    ]


def _batches(city: Deployment, stage: Callable[..., int], size: int, *, until: int) -> list[float]:
    """The rate of each whole batch of a stage."""
    rates, done = [], 0
    while done < until:
        began = time.perf_counter()
        handled = stage(city, worker="bench")
        if handled == 0:
            break
        done += handled
        if handled == size:
            rates.append(handled / (time.perf_counter() - began))
    return rates
