"""Whatever who owns the database does to the log is found: by the log itself, or by a checkpoint kept elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import get_origin

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel, select

from errors import ConfigError
from store import audit, checkpoints
from store.audit import Verdict
from store.checkpoints import BadCheckpoints, BrokenLog, Checkpoint, Checkpoints, Seen
from store.engine import Store
from store.tables import AuditRow
from tests.fixtures.stores import execute_unchecked as tamper

COLUMNS = [column.name for column in SQLModel.metadata.tables["audit"].columns]
#: How somebody who owns the database writes something else into a column of its kind.
OTHERWISE: dict[object, str] = {
    int: "{column} + 70",
    str: "{column} || '0'",
    dict: """'{{"text": "cd"}}'""",
}


@pytest.fixture
def own(tmp_path: Path) -> Checkpoints:
    """Where a deployment keeps its checkpoints."""
    home = tmp_path / "city"
    return Checkpoints(file=home / "audit.checkpoints", key_file=home / "audit.key", public_file=home / "audit.pub")


def decide(store: Store, *numbers: int) -> None:
    with store.writing() as session:
        for number in numbers:
            audit.append(session, by="ana", action="draft.approved", subject=f"draft:{number}", hashes={"text": "ab"})


def proved(store: Store, own: Checkpoints) -> Verdict:
    seen = own.read(own.public_key())
    assert seen.bad_line is None, seen.why
    with store.reading() as session:
        return audit.verify(session, marks=seen.marks)


def write_anew(store: Store, first: int, *, by: str) -> None:
    """What a patient attacker does: other words from some entry on, and every hash right."""
    with store.reading() as session:
        rows = list(session.exec(select(AuditRow).order_by("seq")))
    for row, before in zip(rows[1:], rows, strict=False):
        if row.seq >= first:
            row.by, row.prev = by, before.hash
            row.hash = audit.link_hash(row)
            tamper(
                store,
                'UPDATE audit SET "by" = :by, prev = :prev, hash = :hash WHERE seq = :seq',
                by=row.by,
                prev=row.prev,
                hash=row.hash,
                seq=row.seq,
            )


def otherwise(column: str, store: Store) -> str:
    kind = AuditRow.model_fields[column].annotation
    if kind is datetime:
        return "'2026-01-01 00:00:00.000000'" if store.is_sqlite else "happened_at + interval '1 microsecond'"
    return OTHERWISE[get_origin(kind) or kind].format(column=f'"{column}"')


@pytest.mark.parametrize("column", COLUMNS)
def test_another_value_in_any_column_of_an_entry_is_found(opened: Store, column: str) -> None:
    decide(opened, 1, 2, 3, 4, 5)

    tamper(opened, f'UPDATE audit SET "{column}" = {otherwise(column, opened)} WHERE seq = 3')

    with opened.reading() as session:
        found = audit.verify(session)
    assert (found.first_bad, found.entries) == (3, 2)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    "change",
    [
        "\"by\" = CAST(\"by\" AS BLOB)",
        "action = CAST(x'ff' AS TEXT)",
        "happened_at = 'yesterday'",
        "happened_at = replace(happened_at, ' ', 'T')",
        "hashes = '{'",
        "hashes = replace(hashes, ' ', '  ')",
        """hashes = '{"text": "cd", "text": "ab"}'""",
        "hashes = 7",
    ],
)  # fmt: skip
def test_what_reads_the_same_or_not_at_all_is_found_too(opened: Store, change: str) -> None:
    decide(opened, 1, 2, 3)

    tamper(opened, f"UPDATE audit SET {change} WHERE seq = 2")

    with opened.reading() as session:
        assert audit.verify(session).first_bad == 2


def test_an_entry_before_the_first_is_found(opened: Store) -> None:
    decide(opened, 1, 2)

    tamper(
        opened,
        'INSERT INTO audit (seq, happened_at, "by", action, subject, hashes, prev, hash) '
        'SELECT 0, happened_at, "by", action, subject, hashes, prev, hash FROM audit WHERE seq = 1',
    )

    with opened.reading() as session:
        assert audit.verify(session).first_bad == 0


@pytest.mark.parametrize("seq", [1, 2, 5, 7])
def test_the_database_takes_an_entry_at_the_end_alone(opened: Store, seq: int) -> None:
    decide(opened, 1, 2, 3)
    replace = "INSERT OR REPLACE" if opened.is_sqlite else "INSERT"

    with pytest.raises(DatabaseError, match="only grows at its end"), opened.writing() as session:
        session.execute(
            text(
                f'{replace} INTO audit (seq, happened_at, "by", action, subject, hashes, prev, hash) '
                f'SELECT {seq}, happened_at, "by", action, subject, hashes, prev, hash '
                "FROM audit WHERE seq = 1"
            )
        )

    with opened.reading() as session:
        assert audit.verify(session) == Verdict(entries=3, head=audit.verify(session).head)


@pytest.mark.only_on("postgresql")
def test_the_log_can_not_be_emptied_at_one_stroke(opened: Store) -> None:
    decide(opened, 1)

    with pytest.raises(DatabaseError, match="only grows"), opened.writing() as session:
        session.execute(text("TRUNCATE audit"))


def test_a_cut_tail_is_found_by_a_checkpoint(opened: Store, own: Checkpoints) -> None:
    decide(opened, 1, 2, 3, 4, 5)
    own.write(opened)

    tamper(opened, "DELETE FROM audit WHERE seq > 3")

    with opened.reading() as session:
        assert audit.verify(session).holds  # a chain can't miss its own tail
    found = proved(opened, own)
    assert (found.first_bad, found.entries) == (4, 3)
    assert "a checkpoint saw 5 entries" in found.why


def test_a_log_that_was_emptied_is_found_by_a_checkpoint(opened: Store, own: Checkpoints) -> None:
    decide(opened, 1)
    own.write(opened)

    tamper(opened, "DELETE FROM audit")

    assert proved(opened, own).first_bad == 1


def test_a_log_that_was_written_anew_with_right_hashes_is_found_by_a_checkpoint(
    opened: Store, own: Checkpoints
) -> None:
    decide(opened, 1, 2)
    own.write(opened)
    decide(opened, 3, 4)
    own.write(opened)
    decide(opened, 5)

    write_anew(opened, 3, by="mallory")

    with opened.reading() as session:
        assert audit.verify(session).holds
    found = proved(opened, own)
    assert found.first_bad == 4
    assert "after entry 2" in found.why


def test_what_was_tampered_with_is_not_signed(opened: Store, own: Checkpoints) -> None:
    decide(opened, 1, 2)
    own.write(opened)
    decide(opened, 3, 4)
    write_anew(opened, 2, by="mallory")

    with pytest.raises(BrokenLog, match="entry 2"):
        own.write(opened)

    assert len(own.read(own.public_key()).checkpoints) == 1


def test_a_checkpoint_is_written_when_something_was_added(opened: Store, own: Checkpoints) -> None:
    decide(opened, 1)
    first = own.write(opened)

    assert own.write(opened) == first
    decide(opened, 2)
    second = own.write(opened)

    assert [one.seq for one in own.read(own.public_key()).checkpoints] == [1, 2]
    assert second == own.newest()
    assert proved(opened, own).holds


def test_a_restore_gives_up_what_came_after_its_backup_and_says_so(opened: Store, own: Checkpoints) -> None:
    decide(opened, 1, 2)
    own.write(opened)
    decide(opened, 3, 4, 5)
    own.write(opened)
    tamper(opened, "DELETE FROM audit WHERE seq > 2")  # as a backup knows it
    decide(opened, 30)

    own.write(opened, restored="ab")

    seen = own.read(own.public_key())
    assert proved(opened, own).holds
    assert [(one.seq, last) for one, last in seen.given_up] == [(3, 5)]


# The file of checkpoints itself.


@pytest.fixture
def four(own: Checkpoints, opened: Store) -> Checkpoints:
    for number in range(1, 5):
        decide(opened, number)
        own.write(opened)
    return own


def forge(_own: Checkpoints, line: str) -> str:
    """The line with a later time, signed by another key."""
    fields = json.loads(line)
    fields.pop("signature")
    return Checkpoint(**{"restored": "", **fields, "at": "2026-01-01T00:00:00+00:00"}).line(
        Ed25519PrivateKey.generate()
    )


def later(_own: Checkpoints, line: str) -> str:
    return line.replace('"seq":3', '"seq":2')


def blank(_own: Checkpoints, line: str) -> str:
    return line.replace(":", ": ", 1)


def unsigned(_own: Checkpoints, line: str) -> str:
    fields = json.loads(line)
    return json.dumps({**fields, "signature": base64.b64encode(bytes(64)).decode()}, separators=(",", ":"))


def nonsense(_own: Checkpoints, _line: str) -> str:
    return "[" * 50_000


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("change", [forge, later, blank, unsigned, nonsense])
def test_a_changed_line_is_found(four: Checkpoints, change: Callable[[Checkpoints, str], str]) -> None:
    lines = four.file.read_text().splitlines()

    four.file.write_text("\n".join([*lines[:2], change(four, lines[2]), lines[3], ""]))

    seen = four.read(four.public_key())
    assert seen.bad_line == 3
    assert len(seen.checkpoints) == 2


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("order", [[0, 1, 3], [0, 2, 1, 3], [1, 2, 3], [0, 1, 1, 2, 3]], ids=str)
def test_a_line_taken_out_doubled_or_moved_is_found(four: Checkpoints, order: list[int]) -> None:
    lines = four.file.read_text().splitlines()

    four.file.write_text("".join(f"{lines[number]}\n" for number in order))

    assert "does not follow" in four.read(four.public_key()).why


@pytest.mark.only_on("sqlite")
def test_a_step_back_without_a_restore_is_found_though_it_is_signed(four: Checkpoints) -> None:
    key = load_pem_private_key(four.key_file.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    lines = four.file.read_text()
    back = Checkpoint(
        seq=1, head="00", at="2026-01-01T00:00:00+00:00", after=audit.sha(lines.split("\n")[3]), restored=""
    )

    four.file.write_text(f"{lines}{back.line(key)}\n")

    assert "goes back from entry 4 to 1" in four.read(four.public_key()).why


@pytest.mark.only_on("sqlite")
def test_a_half_written_line_is_told_and_mended_by_the_next(four: Checkpoints, opened: Store) -> None:
    four.file.write_bytes(four.file.read_bytes()[:-30])
    assert four.read(four.public_key()).is_torn

    decide(opened, 5)
    four.write(opened)

    seen = four.read(four.public_key())
    assert (seen.bad_line, [one.seq for one in seen.checkpoints]) == (None, [1, 2, 3, 5])


@pytest.mark.only_on("sqlite")
def test_a_file_that_is_gone_is_told(four: Checkpoints, opened: Store) -> None:
    four.file.unlink()

    with pytest.raises(BadCheckpoints, match="is gone, though"):
        four.read(four.public_key())
    with pytest.raises(BadCheckpoints, match="is gone, though"):
        four.write(opened)


@pytest.mark.only_on("sqlite")
def test_a_key_that_is_gone_is_not_quietly_replaced(four: Checkpoints, opened: Store) -> None:
    four.key_file.unlink()

    with pytest.raises(ConfigError, match="is gone, though audit"):
        four.write(opened)


@pytest.mark.only_on("sqlite")
def test_only_its_owner_may_read_the_key(four: Checkpoints, opened: Store) -> None:
    assert four.key_file.stat().st_mode & 0o777 == 0o600
    four.key_file.chmod(0o640)

    with pytest.raises(ConfigError, match="chmod 600"):
        four.write(opened)


@pytest.mark.only_on("sqlite")
def test_a_key_of_another_kind_is_refused(four: Checkpoints) -> None:
    four.public_file.write_text("-----BEGIN PUBLIC KEY-----\nnot one\n-----END PUBLIC KEY-----\n")

    with pytest.raises(ConfigError, match="is no public key"):
        four.public_key()


def test_nothing_seen_asks_for_nothing() -> None:
    assert Seen().marks == ()
    assert len(checkpoints.fingerprint(Ed25519PrivateKey.generate().public_key())) == 32
