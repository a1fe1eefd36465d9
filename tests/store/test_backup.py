"""A backup is one moment of a store that is in use, whole or not there; and a restore gives back just that."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func
from sqlmodel import select

from errors import ConfigError
from store import audit, backup, copying, people, restore
from store.backup import BadBackup
from store.checkpoints import Checkpoints
from store.engine import Store, open_store
from store.tables import AuditRow, ContentRow, WebSessionRow
from store.types import now
from tests.fixtures.stores import execute_unchecked as tamper

ROOT = Path(__file__).parents[2]


def keys_in(home: Path) -> Checkpoints:
    home.mkdir(exist_ok=True)
    return Checkpoints(file=home / "audit.checkpoints", key_file=home / "audit.key", public_file=home / "audit.pub")


@pytest.fixture
def own(tmp_path: Path) -> Checkpoints:
    return keys_in(tmp_path / "city")


@pytest.fixture
def saved(city_store: Store, own: Checkpoints, tmp_path: Path) -> Path:
    """A backup of a store in which something was decided."""
    decide(city_store, 1, 2, 3)
    own.write(city_store)
    path = tmp_path / "saved.backup"
    backup.make(city_store, path, own)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    yield store
    store.close()


def decide(store: Store, *numbers: int) -> None:
    """A decision, its words and its entry, in one transaction."""
    for number in numbers:
        with store.writing() as session:
            session.add(ContentRow(record_class="draft", text=f"words of {number}"))
            audit.append(session, by="ana", action="draft.approved", subject=f"draft:{number}", hashes={"text": "ab"})


def restored(path: Path, target: Store, own: Checkpoints, *, replace: bool = False) -> restore.Restored:
    return restore.restore(
        target, path, own, folder=own.file.parent, settle=timedelta(seconds=90), by="test", replace=replace
    )


def entries(store: Store) -> list[str]:
    with store.reading() as session:
        return [row.action for row in session.exec(select(AuditRow).order_by("seq"))]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_backup_is_one_moment_of_a_store_that_is_written_to(
    city_store: Store, own: Checkpoints, tmp_path: Path
) -> None:
    decide(city_store, *range(20))
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        number = 100
        while not stop.is_set():
            decide(city_store, number)
            number += 1
            if number == 110:
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(60)
        made = [backup.make(city_store, tmp_path / f"{number}.backup", own) for number in range(3)]
    finally:
        stop.set()
        writer.join()

    for number, manifest in enumerate(made):
        assert backup.check(tmp_path / f"{number}.backup", own) == manifest
        # Words and entry were written together, so at every moment there are as many of one as of the other.
        assert manifest.tables["content"].rows == manifest.entries == manifest.tables["audit"].rows >= 30
        assert not manifest.log_fault


def test_a_backup_is_one_file_that_only_its_owner_reads(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    assert not [name for name in left(saved.parent) if name.startswith((".", "saved.backup-"))]


def test_a_backup_replaces_no_file(city_store: Store, own: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("something else")

    with pytest.raises(ConfigError, match="is there already"):
        backup.make(city_store, tmp_path / "there", own)

    assert (tmp_path / "there").read_text() == "something else"


def test_a_folder_that_is_not_there_is_told(city_store: Store, own: Checkpoints, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        backup.make(city_store, tmp_path / "nowhere" / "one.backup", own)


FILLS_UP = """
import resource, sys
from pathlib import Path
from errors import ConfigError
from store import backup
from store.checkpoints import Checkpoints
from store.engine import open_store

url, home, path = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
own = Checkpoints(file=home / "audit.checkpoints", key_file=home / "audit.key", public_file=home / "audit.pub")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    backup.make(open_store(url), path, own)
except ConfigError as err:
    print(err)
"""


def test_a_disk_that_fills_up_leaves_no_half_file(store_url: str, own: Checkpoints, tmp_path: Path) -> None:
    own.make()
    place = tmp_path / "backups"
    place.mkdir()

    command = [sys.executable, "-c", FILLS_UP, store_url, str(own.file.parent), str(place / "one.backup")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)

    assert "nothing was written" in done.stdout, done.stderr
    assert left(place) == set()


def test_a_restore_gives_back_what_was_there(saved: Path, city_store: Store, own: Checkpoints, empty: Store) -> None:
    with city_store.reading() as session:
        before = copying.sums(session)

    restored(saved, empty, own)

    with empty.reading() as session:
        after = copying.sums(session)
    assert {name for name in before if before[name] != after[name]} == {"audit", "setting"}
    assert entries(empty) == ["draft.approved"] * 3 + ["store.restored"]


def test_a_restore_goes_over_what_was_there_if_told_so(saved: Path, city_store: Store, own: Checkpoints) -> None:
    decide(city_store, 4, 5, 6)
    own.write(city_store)

    with pytest.raises(ConfigError, match=r"holds data .*--replace"):
        restored(saved, city_store, own)
    assert len(entries(city_store)) == 6

    restored(saved, city_store, own, replace=True)
    assert entries(city_store) == ["draft.approved"] * 3 + ["store.restored"]
    decide(city_store, 7)  # numbers go on after the restored ones
    with city_store.reading() as session:
        seen = own.read(own.public_key())
        assert audit.verify(session, marks=seen.marks).holds
        assert session.exec(select(func.count()).select_from(ContentRow)).one() == 4
    assert [(one.seq, last) for one, last in seen.given_up] == [(4, 6)]


def test_the_log_grows_only_after_a_restore_too(saved: Path, city_store: Store, own: Checkpoints) -> None:
    restored(saved, city_store, own, replace=True)

    with pytest.raises(Exception, match="only grows"), city_store.writing() as session:
        session.connection().exec_driver_sql("UPDATE audit SET action = 'x'")


def test_everybody_signs_in_anew_after_a_restore(
    city_store: Store, own: Checkpoints, tmp_path: Path, empty: Store
) -> None:
    with city_store.writing() as session:
        ana = people.add_staff(session, "ana@alderfalls.example", by="test")
        session.flush()
        session.add(WebSessionRow(token_hash="ab", staff_id=ana.id, until=now() + timedelta(hours=1)))
    backup.make(city_store, tmp_path / "one.backup", own)

    restored(tmp_path / "one.backup", empty, own)

    with empty.reading() as session:
        assert [row.ended_at is not None for row in session.exec(select(WebSessionRow))] == [True]


def spoil(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE content SET text = 'other words' WHERE id = 1", "content: the same rows, not the same values"),
        ("DELETE FROM content WHERE id = 1", "content: 3 rows by its manifest, 2 rows in it"),
        ("CREATE TABLE more (one)", "more: no such table by its manifest"),
        ("UPDATE harken_backup SET manifest = replace(manifest, '\"rows\":3', '\"rows\":4')", "manifest was changed"),
        ("UPDATE harken_backup SET manifest = '{}'", "no manifest that can be read"),
        ("UPDATE harken_backup SET manifest = replace(manifest, '\"format\":1', '\"format\":2')", "is of format 2"),
        ("DROP TABLE harken_backup", "is no backup of Harken"),
    ],
)
def test_a_changed_backup_is_refused(saved: Path, own: Checkpoints, empty: Store, statement: str, told: str) -> None:
    spoil(saved, statement)

    with pytest.raises(BadBackup, match=told):
        restored(saved, empty, own)


@pytest.mark.only_on("sqlite")
def test_a_damaged_backup_is_refused(saved: Path, own: Checkpoints, empty: Store) -> None:
    data = bytearray(saved.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = os.urandom(200)
    saved.write_bytes(data)
    with pytest.raises(BadBackup, match="damaged"):
        restored(saved, empty, own)

    saved.write_bytes(data[:5000])
    with pytest.raises(BadBackup, match="damaged"):
        restored(saved, empty, own)

    saved.write_text("something else")
    with pytest.raises(BadBackup, match="no backup of Harken"):
        restored(saved, empty, own)


@pytest.mark.only_on("sqlite")
def test_a_backup_of_another_key_is_refused_but_where_there_is_none(
    saved: Path, empty: Store, tmp_path: Path, city_store: Store
) -> None:
    another, none = keys_in(tmp_path / "another"), keys_in(tmp_path / "none")
    another.write(city_store)

    with pytest.raises(BadBackup, match="is signed by the key"):
        restored(saved, empty, another)
    restored(saved, empty, none)

    assert entries(empty)[-1] == "store.restored"


@pytest.mark.only_on("sqlite")
def test_a_backup_of_a_log_that_does_not_hold_is_written_and_not_restored(
    city_store: Store, own: Checkpoints, tmp_path: Path, empty: Store
) -> None:
    decide(city_store, 1, 2, 3)
    tamper(city_store, "UPDATE audit SET action = 'x' WHERE seq = 2")

    manifest = backup.make(city_store, tmp_path / "one.backup", own)

    assert manifest.log_fault == "entry 2 is bad: it was changed"
    with pytest.raises(BadBackup, match="entry 2 is bad"):
        restored(tmp_path / "one.backup", empty, own)


@pytest.mark.only_on("sqlite")
def test_a_backup_whose_log_a_checkpoint_saw_otherwise_is_refused(
    saved: Path, city_store: Store, own: Checkpoints, tmp_path: Path, empty: Store
) -> None:
    tamper(city_store, "DELETE FROM audit WHERE seq > 1")
    decide(city_store, 8, 9, 10)
    forged = tmp_path / "forged.backup"
    backup.make(city_store, forged, own)

    with pytest.raises(BadBackup, match="a checkpoint saw"):
        restored(forged, empty, own)
    restored(saved, empty, own)


@pytest.mark.only_on("sqlite")
def test_an_older_backup_is_brought_up_to_date_and_a_newer_one_refused(
    saved: Path, own: Checkpoints, empty: Store, tmp_path: Path
) -> None:
    from alembic import command

    from store import migrate

    old = open_store(f"sqlite:///{tmp_path / 'old.db'}")
    command.upgrade(migrate.config(old), "0004")
    backup.make(old, tmp_path / "old.backup", own)
    old.close()

    restored(tmp_path / "old.backup", empty, own)
    migrate.check(empty)

    none = keys_in(tmp_path / "none")
    spoil(saved, 'UPDATE harken_backup SET manifest = replace(manifest, \'"schema":"0\', \'"schema":"9\')')
    with pytest.raises(BadBackup, match="of a newer Harken"):
        restored(saved, empty, none, replace=True)


@pytest.mark.only_on("sqlite")
def test_who_has_the_file_open_goes_on_with_what_was_restored(
    saved: Path, city_store: Store, store_url: str, own: Checkpoints
) -> None:
    another = open_store(store_url)
    decide(another, 4)

    restored(saved, city_store, own, replace=True)
    decide(another, 5)

    assert entries(city_store) == entries(another) == [*["draft.approved"] * 3, "store.restored", "draft.approved"]
    another.close()


@pytest.mark.only_on("postgresql")
def test_a_store_that_somebody_has_open_is_not_restored(
    saved: Path, city_store: Store, store_url: str, own: Checkpoints
) -> None:
    another = open_store(store_url)

    with pytest.raises(ConfigError, match="connections of Harken are open"):
        restored(saved, city_store, own, replace=True)

    another.close()
    restored(saved, city_store, own, replace=True)
