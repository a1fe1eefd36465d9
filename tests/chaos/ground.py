"""Where the store of a run lies: a file or a PostgreSQL, on a disk of its own that can run full, and that restarts."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.fixtures.postgres_server import NOBODY, Server, find_binaries, url

ROOMY = "3g"  #: of memory at most; what is not used takes none


@dataclass
class Disk:
    """A small file system of the run's own in memory, where the machine lets us mount one; else a plain folder."""

    folder: Path
    mounts: bool = True  #: whether to try
    mounted: bool = False

    def mount(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.mounts:
            how = ("-t", "tmpfs", "-o", f"size={ROOMY}")
            self.mounted = os.path.ismount(self.folder) or _mount(*how, "harken-chaos", self)

    def fill(self) -> bool:
        """Make it exactly as large as what is on it; gives whether that could be done."""
        if not self.mounted:
            return False
        found = os.statvfs(self.folder)
        return self._resize(str((found.f_blocks - found.f_bfree) * found.f_frsize))

    def free(self) -> None:
        self._resize(ROOMY)

    def forget(self) -> None:
        """Take it away with all that is on it."""
        if os.path.ismount(self.folder):
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _resize(self, size: str) -> bool:
        return self.mounted and _mount("-o", f"remount,size={size}", "harken-chaos", self)


def _mount(*words: object) -> bool:
    command = ["mount", *(str(one.folder) if isinstance(one, Disk) else str(one) for one in words)]
    return (
        shutil.which("mount") is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0
    )


def place(run: Path, store: str) -> Path:
    """Where the store of a run lies: PostgreSQL's server is another user's, who may not enter every folder."""
    if store == "sqlite":
        return run / "disk"
    name = hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"harken-chaos-{name}"


@dataclass
class Ground:
    """One store."""

    kind: str
    disk: Disk
    _server: Server | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        if self._server is not None:
            return url(self._server.folder, "harken")
        return f"sqlite:///{self.disk.folder / 'harken.db'}"

    def open(self) -> None:
        """Have it there, with what an earlier part of this run left on it.

        From the main thread: Linux ends the server with the thread that started it.
        """
        self.disk.mount()
        if self.kind == "sqlite":
            return
        fresh = not (self.disk.folder / "data").exists()
        if fresh and os.geteuid() == 0:
            shutil.chown(self.disk.folder, NOBODY)
        self._server = Server(folder=self.disk.folder, binaries=find_binaries())
        if fresh:
            self._server.lay()
        else:
            (self.disk.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._server.start()
        if fresh:
            with psycopg.connect(
                host=str(self.disk.folder), user="harken", dbname="postgres", autocommit=True
            ) as asking:
                asking.execute("CREATE DATABASE harken TEMPLATE template0")

    def restart(self) -> bool:
        """Break off all that it does and start it again, as ``pg_ctl restart -m immediate``. SQLite has no server."""
        if self._server is None:
            return False
        self._server.stop(signal.SIGQUIT)
        self._server.start()
        return True

    def close(self) -> None:
        if self._server is not None:
            self._server.stop(signal.SIGINT)

    def has_fallen(self) -> bool:
        """Whether the server ended by itself, as one does that can't write its log."""
        return self._server is not None and not self._server.is_running
