"""Checkpoints: signed lines, kept outside the database, that say what the log was at a time.

A chain of hashes does not show that its tail was cut off, or that all of it was written anew. A line of this file does:
it names an entry and its hash, and is signed with a key that no database user has. Each line also holds the hash of the
line before, so that none can be taken out. The file is worth what its copies elsewhere are worth.
"""

import base64
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from errors import ConfigError, HarkenError
from store import audit
from store.audit import GENESIS, Mark, Verdict
from store.engine import Store
from store.types import now

#: Before what is signed, so that a signature over a line can never pass for one over something else.
PURPOSE = b"harken checkpoint of the audit log\n"
TORN = "it is cut short"


class BadCheckpoints(HarkenError):
    """The file of checkpoints is not as we wrote it."""


class BrokenLog(HarkenError):
    """The log does not hold, so nothing is signed."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"entry {verdict.first_bad} of the audit log is bad: {verdict.why}")
        self.verdict = verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One line: what the log was at a time."""

    seq: int
    head: str
    at: str  #: ISO 8601, UTC
    after: str  #: hex SHA-256 of the line before; ``GENESIS`` for the first
    restored: str  #: hex SHA-256 of the backup that the log went on from here; else empty

    @property
    def mark(self) -> Mark:
        """The entry that was seen."""
        return Mark(seq=self.seq, head=self.head)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over."""
        return PURPOSE + _compact(self._fields())

    def line(self, key: Ed25519PrivateKey) -> str:
        """The line as it is written, without its end."""
        signature = base64.b64encode(key.sign(self.signed)).decode()
        return _compact({**self._fields(), "signature": signature}).decode()

    def _fields(self) -> dict[str, Any]:
        fields = {"seq": self.seq, "head": self.head, "at": self.at, "after": self.after, "restored": self.restored}
        return {name: value for name, value in fields.items() if value != ""}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a file of checkpoints says of the log."""

    checkpoints: tuple[Checkpoint, ...] = ()
    bad_line: int | None = None
    why: str = ""

    @property
    def is_torn(self) -> bool:
        """Whether only the end of the last line is missing, as a power cut leaves it; the next checkpoint mends it."""
        return self.why == TORN

    @property
    def newest(self) -> Checkpoint | None:
        """The last good line."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What must be in the log. A restore gave up what was later than its backup, and says so itself."""
        standing: dict[int, Mark] = {}
        for one in self.checkpoints:
            if one.restored:
                standing = {seq: mark for seq, mark in standing.items() if seq <= one.seq}
            standing[one.seq] = one.mark
        return tuple(standing.values())

    @property
    def given_up(self) -> tuple[tuple[Checkpoint, int], ...]:
        """The restores that gave entries up, from the one that they begin with on, and how far the log had gone."""
        found, newest = [], 0
        for one in self.checkpoints:
            if one.restored and newest >= one.seq:
                found.append((one, newest))
            newest = one.seq if one.restored else max(newest, one.seq)
        return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoints:
    """The file, and the pair of keys beside the secrets; made together when first needed."""

    file: Path
    key_file: Path  #: Ed25519, PEM; nobody else may read it
    public_file: Path  #: its public half, to be given to whoever checks

    @property
    def is_begun(self) -> bool:
        """Whether there ever was a checkpoint here, as far as can be seen."""
        return self.file.exists() or self.key_file.exists() or self.public_file.exists()

    def read(self, public: Ed25519PublicKey) -> Seen:
        """What the file says, up to its first bad line.

        Raises:
            BadCheckpoints: the file is gone or can't be read.
        """
        return seen_in(self._content(), public)

    def newest(self) -> Checkpoint | None:
        """The last line.

        Raises:
            BadCheckpoints: the file is gone, or its last line is not ours.
            ConfigError: the key can't be read.
        """
        if not self.is_begun:
            return None
        self.make()
        seen = seen_in(self._content(), self.public_key(), newest_only=True)
        if seen.bad_line is not None and not seen.is_torn:
            raise BadCheckpoints(f"{self.file}, line {seen.bad_line}: {seen.why}")
        return seen.newest

    def write(self, store: Store, *, restored: str = "") -> Checkpoint:
        """Sign what the log is now, unless nothing came after the last line; gives the newest line.

        What came since the last checkpoint is checked first: a chain that does not hold is not signed.
        ``restored``: the hash of the backup that the store was restored from just now.

        Raises:
            BrokenLog: the log does not hold.
            BadCheckpoints: the file was tampered with, or can't be written.
        """
        key = self._private_key()
        with self._alone() as file:
            lines = _whole_lines(file)
            seen = seen_in(lines, key.public_key(), newest_only=True)
            if seen.bad_line is not None:
                raise BadCheckpoints(f"{self.file}, line {seen.bad_line}: {seen.why}")
            newest = seen.newest
            with store.reading() as session:
                verdict = audit.verify(session, since=None if newest is None or restored else newest.mark)
            if not verdict.holds:
                raise BrokenLog(verdict)
            if newest is not None and not restored and newest.mark == verdict.mark:
                return newest
            made = Checkpoint(
                seq=verdict.entries,
                head=verdict.head,
                at=now().isoformat(timespec="seconds"),
                after=audit.sha(lines.split("\n")[-2]) if lines else GENESIS,
                restored=restored,
            )
            self._append(file.fileno(), made.line(key))
        return made

    def public_key(self) -> Ed25519PublicKey:
        """What the lines are checked with.

        Raises:
            ConfigError: it is not there or no Ed25519 key.
        """
        return read_public_key(self.public_file)

    def fingerprint(self) -> str:
        """The name of the key.

        Raises:
            ConfigError: it can't be read.
        """
        return fingerprint(self.public_key())

    def sign(self, said: bytes) -> bytes:
        """A signature over something else than a checkpoint, which begins by saying what it is.

        Raises:
            ConfigError: the key can't be made or read.
        """
        return self._private_key().sign(said)

    def make(self) -> None:
        """Make the empty file and the keys, if there are none; the file first, so that a key without it tells on it.

        Raises:
            ConfigError: half of the pair is gone, or they can't be written.
        """
        if self.key_file.exists() and self.public_file.exists():
            return
        if self.public_file.exists():
            raise ConfigError(
                f"{self.key_file}: is gone, though {self.public_file.name} is there; bring it back from its copy, or "
                f"move {self.public_file.name} and {self.file.name} away to begin anew"
            )
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            if not self.key_file.exists():
                self.file.open("a").close()
            with self._alone():  # two processes that begin at once make one key
                if not self.key_file.exists():
                    _put(self.key_file, _pem(Ed25519PrivateKey.generate()), mode=0o600)
                if not self.public_file.exists():
                    _put(self.public_file, _public_pem(self._read_private_key()), mode=0o644)
        except OSError as err:
            raise ConfigError(f"{err.filename or self.key_file}: can't be written: {err.strerror}") from err

    def _private_key(self) -> Ed25519PrivateKey:
        self.make()
        return self._read_private_key()

    def _read_private_key(self) -> Ed25519PrivateKey:
        try:
            if stat.S_IMODE(self.key_file.stat().st_mode) & 0o077:
                raise ConfigError(
                    f"{self.key_file}: others on this machine can read it; run: chmod 600 {self.key_file}"
                )
            key = serialization.load_pem_private_key(self.key_file.read_bytes(), password=None)
        except OSError as err:
            raise ConfigError(f"{self.key_file}: can't be read: {err.strerror}") from err
        except (ValueError, TypeError, UnsupportedAlgorithm) as err:
            raise ConfigError(f"{self.key_file}: is no private key in PEM; bring it back from its copy") from err
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{self.key_file}: is no Ed25519 key; bring it back from its copy")
        return key

    def _content(self) -> str:
        try:
            return self.file.read_bytes().decode("utf-8", "replace")
        except OSError as err:
            raise self._gone(err) from err

    def _gone(self, err: OSError) -> BadCheckpoints:
        if not isinstance(err, FileNotFoundError):
            return BadCheckpoints(f"{self.file}: can't be read or written: {err.strerror}")
        return BadCheckpoints(
            f"{self.file}: is gone, though {self.key_file.name} was made together with it; "
            "bring it back from where copies are kept (an empty file begins anew)"
        )

    @contextmanager
    def _alone(self) -> Iterator[Any]:
        """The file, held by us alone."""
        try:
            file = self.file.open("r+b", buffering=0)
        except OSError as err:
            raise self._gone(err) from err
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _append(self, number: int, line: str) -> None:
        """Write a line whole, or not at all."""
        size = os.fstat(number).st_size
        data = f"{line}\n".encode()
        try:
            os.lseek(number, 0, os.SEEK_END)
            if os.write(number, data) != len(data):
                raise OSError(0, "it was written in part; is the disk full?")
            os.fsync(number)
        except OSError as err:
            os.ftruncate(number, size)
            raise BadCheckpoints(f"{self.file}: no checkpoint could be written: {err.strerror}") from err


def _put(path: Path, data: bytes, *, mode: int) -> None:
    """A whole file, or none."""
    partial = path.with_name(f"{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public half of a deployment's key, from its file.

    Raises:
        ConfigError: it is not there or no Ed25519 key.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as err:
        raise ConfigError(f"{path}: the key that checkpoints are checked with can't be read: {err.strerror}") from err
    except (ValueError, UnsupportedAlgorithm) as err:
        raise ConfigError(f"{path}: is no public key in PEM; bring it back from its copy") from err
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: is no Ed25519 key; bring it back from its copy")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """A key's name, short enough to be written down: the first 16 bytes of its SHA-256, in hex."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return audit.sha(raw.hex())[:32]


def is_signed(key: Ed25519PublicKey, signature: bytes, said: bytes) -> bool:
    """Whether the owner of the key signed these bytes."""
    try:
        key.verify(signature, said)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def seen_in(content: str, key: Ed25519PublicKey, *, newest_only: bool = False) -> Seen:
    """What the lines say, up to the first that is not as the owner of the key wrote it.

    ``newest_only``: look at the last line alone, since the file grows for years.
    """
    lines = content.split("\n")
    torn = lines.pop()  # what follows the last line's end: nothing
    start = max(0, len(lines) - 1) if newest_only else 0
    good: list[Checkpoint] = []
    before = audit.sha(lines[start - 1]) if start else GENESIS
    for number, line in enumerate(lines[start:], start=start + 1):
        found = _read(line, key, after=before, last=good[-1] if good else None)
        if isinstance(found, str):
            return Seen(checkpoints=tuple(good), bad_line=number, why=found)
        good.append(found)
        before = audit.sha(line)
    if torn:
        return Seen(checkpoints=tuple(good), bad_line=len(lines) + 1, why=TORN)
    return Seen(checkpoints=tuple(good))


def _read(line: str, key: Ed25519PublicKey, *, after: str, last: Checkpoint | None) -> Checkpoint | str:
    """The checkpoint of a line, or what is wrong with it."""
    try:
        fields = json.loads(line)
        signature = base64.b64decode(fields.pop("signature"), validate=True)
        found = Checkpoint(**{"restored": "", **fields})
        rewritten = _compact({**fields, "signature": base64.b64encode(signature).decode()}).decode()
        if rewritten != line:
            return "it is not written as we write"
        key.verify(signature, found.signed)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "it is no checkpoint"
    except InvalidSignature:
        return f"it is not signed by the key {fingerprint(key)}"
    if found.after != after:
        return "it does not follow the line before it: one was changed, put in or taken out"
    if last is not None and found.seq < last.seq and not found.restored:
        return f"it goes back from entry {last.seq} to {found.seq} without a restore"
    return found


def _whole_lines(file: Any) -> str:
    """What the file says. A line that a power cut left half-written is dropped: nobody was told of it."""
    content: bytes = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.ftruncate(file.fileno(), len(whole))
    return whole.decode("utf-8", "replace")


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _compact(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True).encode()
