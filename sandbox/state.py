"""What the network remembers: one SQLite database, in a file or in memory.

One connection behind one lock: the routes run in threads, and a write is committed before its answer leaves, so a
killed sandbox starts again where it was. Faults and rate windows live in memory and end with the process.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS person (
    platform TEXT NOT NULL, id TEXT NOT NULL, handle TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0, city INTEGER NOT NULL DEFAULT 0, joined_at INTEGER NOT NULL,
    PRIMARY KEY (platform, id), UNIQUE (platform, handle));
CREATE TABLE IF NOT EXISTS post (
    number INTEGER PRIMARY KEY, platform TEXT NOT NULL, id TEXT NOT NULL UNIQUE, author_id TEXT NOT NULL,
    text TEXT NOT NULL, prefix TEXT NOT NULL DEFAULT '',
    in_reply_to TEXT, parent TEXT, root TEXT NOT NULL, quoted TEXT, page_id TEXT,
    tagged INTEGER NOT NULL DEFAULT 0, posted_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, chain TEXT NOT NULL,
    superseded_by TEXT, deleted_at INTEGER, media TEXT);
CREATE INDEX IF NOT EXISTS post_by_root ON post (root, number);
CREATE INDEX IF NOT EXISTS post_by_parent ON post (parent, number);
CREATE INDEX IF NOT EXISTS post_by_author ON post (platform, author_id, number);
CREATE INDEX IF NOT EXISTS post_by_chain ON post (chain);
CREATE TABLE IF NOT EXISTS mention (
    person_id TEXT NOT NULL, number INTEGER NOT NULL, written INTEGER NOT NULL,
    PRIMARY KEY (person_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS effect (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, platform TEXT NOT NULL, kind TEXT NOT NULL,
    id TEXT NOT NULL, in_reply_to TEXT, text TEXT, key TEXT, author TEXT);
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, page_id TEXT NOT NULL, person_id TEXT NOT NULL,
    about TEXT NOT NULL UNIQUE, text TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alarm (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ticket (
    number INTEGER PRIMARY KEY AUTOINCREMENT, service_request_id TEXT UNIQUE, token TEXT UNIQUE,
    polls_left INTEGER NOT NULL, status TEXT NOT NULL, status_notes TEXT NOT NULL DEFAULT '',
    service_code TEXT NOT NULL, fields TEXT NOT NULL,
    requested_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
"""
EMPTIED = ("setting", "person", "post", "mention", "message", "effect", "alarm", "ticket", "sqlite_sequence")

Row = dict[str, Any]


class Database:
    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._connection.row_factory = _row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "PRAGMA synchronous = NORMAL"
        )  # survives a killed process, which is all that is promised
        self._connection.executescript(TABLES)
        if "media" not in {row["name"] for row in self.rows("PRAGMA table_info(post)")}:  # a network of before
            self._connection.execute("ALTER TABLE post ADD COLUMN media TEXT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested, the outermost commits."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._lock:
            return self._connection.execute(sql, _bound(values)).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        with self._lock:
            found: Row | None = self._connection.execute(sql, _bound(values)).fetchone()
            return found

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Carries out one statement; the number of the row it added."""
        with self._lock:
            return self._connection.execute(sql, _bound(values)).lastrowid or 0

    def setting(self, name: str, default: Any) -> Any:
        found = self.row("SELECT value FROM setting WHERE name = ?", (name,))
        return default if found is None else json.loads(found["value"])

    def keep(self, name: str, value: Any) -> None:
        self.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))

    def empty(self) -> None:
        with self.transaction():
            for table in EMPTIED:
                self.run(f"DELETE FROM {table}")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _bound(values: Sequence[Any]) -> list[Any]:
    """SQLite takes no lone surrogates as text: such a text goes in as bytes, and ``_row`` reads it back."""
    return [_bytes_if_odd(value) if isinstance(value, str) else value for value in values]


def _bytes_if_odd(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {
        column[0]: value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
        for column, value in zip(cursor.description, values, strict=True)
    }


def marks(values: Sequence[str]) -> str:
    """As many question marks as values, for ``IN``."""
    return ",".join("?" * len(values))
