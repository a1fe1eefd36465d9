"""The shape that every classifier has."""

from collections.abc import Sequence
from typing import Protocol

from vocabulary import Classification

__all__ = ["Classification", "Classifier"]


class Classifier(Protocol):
    """Reads posts and says what they are."""

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order. Pure: no network, no database."""
        ...
