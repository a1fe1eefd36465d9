"""A classifier for the pool's processes that does at a word what a model must never do. They import it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from classifiers.base import Classification, Classifier
from tests.fakes import said


class PlayingDead(Classifier):
    """Answers who read it; ``intent`` is the post itself, so that a mix-up shows.

    Words at a post's beginning: ``raise``, ``die``, ``hang``; ``die-once FILE``, which dies only if there is no file
    yet; ``slow`` takes a tenth of a second.
    """

    def __init__(self) -> None:
        self._learned = "as made"

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text."""
        return [self._answer(text) for text in texts]

    def use(self, learned: bytes | None, version: str) -> None:
        """Keeps what it is given, unless that is ``b"bad"``; ``b"die"`` and ``b"die-once FILE"`` are as for posts."""
        if learned == b"bad":
            raise ValueError("these are no heads")
        self._answer(learned.decode() if learned is not None else "")
        self._learned = f"{version}: {learned.decode()}" if learned is not None else "as made"

    def _answer(self, text: str) -> Classification:
        word, _, rest = text.partition(" ")
        if word == "raise":
            raise RuntimeError("the model broke")
        if word == "die" or (word == "die-once" and _is_first(Path(rest))):
            os.kill(os.getpid(), signal.SIGKILL)
        if word in {"hang", "slow"}:
            time.sleep({"hang": 3600, "slow": 0.1}[word])
        return replace(said(), intent=text, language=str(os.getpid()), model=self._learned)


def _is_first(marker: Path) -> bool:
    if marker.exists():
        return False
    marker.touch()
    return True


def broken() -> Classifier:
    """A classifier that can't be made."""
    raise FileNotFoundError("model.int8.onnx is not there")
