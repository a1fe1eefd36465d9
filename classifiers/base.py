"""The shape that every classifier has."""

from collections.abc import Sequence
from typing import Protocol

from errors import HarkenError
from vocabulary import Classification

__all__ = ["Busy", "Classification", "Classifier", "PostsFailed"]


class Busy(HarkenError):
    """So many posts wait to be read that there was no room for these in time. Nothing is wrong with them."""


class PostsFailed(HarkenError):
    """Some posts could not be read. The others' answers are here."""

    def __init__(self, reason: str, answers: Sequence[Classification | None]) -> None:
        super().__init__(reason)
        self.answers = tuple(answers)  #: in the order of the posts; None: this one failed


class Classifier(Protocol):
    """Reads posts and says what they are."""

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order. Pure: no network, no database.

        Raises:
            Busy: where there is a queue, and it is full.
            PostsFailed: the answers that there are, are in it.
        """
        ...
