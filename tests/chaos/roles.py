"""What a process of the suite runs: Harken as a city runs it, less the model; and the sender that must fail."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from cli import running
from cli.options import log_to_stderr
from pipeline.deployment import Deployment, open_deployment
from tests.chaos import naive
from tests.fakes import ScriptedClassifier


def _opened(config: Path, up: Path, *, migrating: bool = False) -> Deployment:
    """The deployment, read by a script instead of the model: what is tested here does not depend on what is said."""
    deployment = open_deployment(config, migrating=migrating)
    deployment.classifier = ScriptedClassifier()
    up.touch()
    return deployment


def run(config: Path, up: Path) -> None:
    """``harken run``."""
    log_to_stderr()
    running.serve_opened(_opened(config, up, migrating=True))


def work(config: Path, up: Path) -> None:
    """``harken worker``."""
    log_to_stderr()
    running.work_opened(_opened(config, up))


def web(config: Path, up: Path) -> None:
    """``harken web``."""
    up.touch()
    running.web(config)


def send_naively(config: Path, up: Path) -> None:
    """The negative control."""
    log_to_stderr()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    sender = naive.Sender(config)
    up.touch()
    while not stopping.is_set():
        sender.send_what_waits()
        stopping.wait(0.05)


ROLES: dict[str, Callable[[Path, Path], None]] = {"run": run, "work": work, "web": web, "naive": send_naively}
