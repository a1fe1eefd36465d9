"""Keeping the log provable: checkpoints in time, and a check of all that they and the database say."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from errors import ConfigError
from pipeline.deployment import Deployment
from settings import Settings
from store import attention, audit, checkpoints
from store.audit import Verdict
from store.backup import Manifest
from store.checkpoints import BadCheckpoints, BrokenLog, Checkpoint, Checkpoints, Seen
from store.engine import Store
from store.types import now

log = logging.getLogger(__name__)

KIND = "audit"  #: of the attention rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was found of the log, and of the checkpoints that it was held against."""

    verdict: Verdict
    seen: Seen
    file: Path  #: of the checkpoints
    key: str | None  #: the fingerprint of the key that they are signed with; None: there is none yet
    guards_missing: tuple[str, ...] = ()  #: triggers of the log that are gone or off

    @property
    def holds(self) -> bool:
        """Whether nothing was changed, as far as the checkpoints reach."""
        return not self.faults

    @property
    def faults(self) -> tuple[str, ...]:
        """What was found, a sentence each; the first bad entry first."""
        found = []
        if not self.verdict.holds:
            found.append(
                f"entry {self.verdict.first_bad} is bad: {self.verdict.why}; {self.verdict.entries} before it hold"
            )
        if self.seen.bad_line:
            found.append(f"{self.file}, line {self.seen.bad_line} is bad: {self.seen.why}")
        elif self.seen.bad_line is not None:
            found.append(self.seen.why)
        if self.guards_missing:
            found.append(
                f"nothing keeps the log from being changed: its triggers {', '.join(self.guards_missing)} were"
                " dropped or switched off; compare it with a backup, and restore that into an empty database"
            )
        return tuple(found)


def checkpoints_of(settings: Settings) -> Checkpoints:
    """Where a deployment's checkpoints and their keys lie."""
    folder = settings.folder
    return Checkpoints(file=settings.audit.checkpoints, key_file=folder / "audit.key", public_file=folder / "audit.pub")


def prove(store: Store, own: Checkpoints, *, file: Path | None = None, public: Path | None = None) -> Proof:
    """Hold the log against the checkpoints: our own, or a copy of them that was kept elsewhere.

    ``public``: the file of the key to check with, where our own is not to be trusted.

    Raises:
        ConfigError: ``file`` or ``public`` can't be read.
    """
    held = replace(own, file=file or own.file, public_file=public or own.public_file)
    seen, key = Seen(), None
    try:
        if held.is_begun or file is not None or public is not None:
            public_key = held.public_key()
            seen, key = held.read(public_key), checkpoints.fingerprint(public_key)
    except (BadCheckpoints, ConfigError) as err:
        if file is not None or public is not None:
            raise ConfigError(str(err)) from err
        seen = Seen(bad_line=0, why=str(err))
    with store.reading() as session:
        verdict = audit.verify(session, marks=seen.marks)
        missing = tuple(audit.guards_missing(session))
    return Proof(verdict=verdict, seen=seen, file=held.file, key=key, guards_missing=missing)


def checkpoint(deployment: Deployment) -> Checkpoint:
    """Sign what the log is now.

    Raises:
        BrokenLog, BadCheckpoints, ConfigError: as they say; nothing is signed.
    """
    return checkpoints_of(deployment.settings).write(deployment.store)


def note_backup(deployment: Deployment, made: Manifest, *, by: str) -> None:
    """A copy of all residents' words left the store: the log says who took it, and which."""
    with deployment.store.writing() as session:
        hashes = {"backup": made.hash, "head": made.head}
        audit.append(session, by=by, action="store.backed_up", subject=f"entry:{made.entries}", hashes=hashes)


def checkpoint_if_due(deployment: Deployment) -> None:
    """The clock's part: a checkpoint when the last is old enough. What hinders it is put before people."""
    own = checkpoints_of(deployment.settings)
    try:
        newest = own.newest()
        every = deployment.settings.audit.checkpoint_every
        if newest is not None and timedelta(0) <= now() - datetime.fromisoformat(newest.at) < every:
            return
        own.write(deployment.store)
    except (BrokenLog, BadCheckpoints, ConfigError) as err:
        log.error("no checkpoint of the audit log: %s", err)
        with deployment.store.writing() as session:
            remedy = "run `harken verify-audit`, and compare with a backup and the copies of the checkpoints"
            attention.raise_(session, kind=KIND, ref="checkpoint", summary=str(err), remedy=remedy)
    else:
        with deployment.store.writing() as session:
            attention.settle(session, KIND, "checkpoint")
