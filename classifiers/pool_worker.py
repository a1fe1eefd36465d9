"""A process of the pool. Reads posts until the other end of its line goes.

The parent sends a callable that makes the classifier, and then ``Read`` and ``Learn``. Each post is answered as soon as
it is read, so the parent knows which one a process died on.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from classifiers.base import Classification, Classifier

LOOK_EVERY = 1.0  #: seconds between looks whether the parent still lives


@dataclass(frozen=True, slots=True)
class Read:
    """Posts to read, one after the other; each gets an answer of its own."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learn:
    """What the classifier's ``use`` is to be called with."""

    learned: bytes | None
    version: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Instead of an answer: what went wrong, as text, since not every exception can be sent."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"

    @classmethod
    def of(cls, err: Exception) -> "Failed":
        """What an exception says."""
        return cls(type(err).__name__, str(err)[:1000])


def main() -> None:
    """Serve until the parent hangs up. Arguments: the line's file descriptor, and the parent's process id."""
    # Ctrl-C, and the SIGTERM that service managers send to every process, are the parent's to answer: it may still
    # need what is being read. When it goes, the line goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    with Connection(int(sys.argv[1])) as line, suppress(EOFError, OSError):  # the parent has hung up, or died
        _serve(line)


def _serve(line: Connection) -> None:
    try:
        classifier: Classifier = line.recv()()
        classifier.classify([""])  # what is loaded on first use is loaded now
    except EOFError:
        raise
    except Exception as err:  # noqa: BLE001  a model folder may hold anything; the parent says it to a person
        line.send(Failed.of(err))
        return
    line.send(None)
    while True:
        asked = line.recv()
        if isinstance(asked, Learn):
            line.send(_learnt(classifier, asked))
        else:
            for text in asked.texts:
                line.send(_answer(classifier, text))


def _answer(classifier: Classifier, text: str) -> Classification | Failed:
    try:
        return classifier.classify([text])[0]
    except Exception as err:  # noqa: BLE001  a model may raise anything: it must take no other post along
        return Failed.of(err)


def _learnt(classifier: Any, asked: Learn) -> Failed | None:
    try:
        classifier.use(asked.learned, asked.version)
    except Exception as err:  # noqa: BLE001  the bytes may hold anything; the old ones keep serving
        return Failed.of(err)
    return None


def _end_with(parent: int) -> None:
    """A model that hangs never sees that nobody waits for it any more."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(0)
