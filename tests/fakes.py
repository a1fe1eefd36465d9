"""Stand-ins for what a test must know exactly: a classifier that reads by a script. Platforms are never faked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from classifiers.base import Classifier
from classifiers.model_folder import bands
from vocabulary import Classification


def said(
    intent: str = "other",
    code: str | None = None,
    sentiment: str = "neutral",
    urgency: str = "normal",
    language: str = "en",
) -> Classification:
    """An answer that is quite sure of itself."""
    scores = {name: dict.fromkeys(labels, 0.0) for name, labels in bands().please_check.items()}
    for head, label in (("intent", intent), ("service_code", code or "none"), ("sentiment", sentiment)):
        scores[head][label] = 1.0
    scores["urgency"] |= {"emergency": 0.05, "normal": 0.95}  # not excluded: where words speak of danger, they ring
    if urgency != "normal":
        scores["urgency"] = dict.fromkeys(scores["urgency"], 0.0) | {urgency: 1.0}
    return Classification(
        intent=intent,
        service_code=code,
        sentiment=sentiment,
        urgency=urgency,
        language=language,
        scores=scores,
        model="scripted-1",
    )


#: The first word that a text holds decides; a text that holds none is ``other``.
SCRIPT: Mapping[str, Classification] = {
    "pothole": said("report", "pothole_road", "negative"),
    "bache": said("report", "pothole_road", "negative", language="es"),
    "streetlight": said("report", "streetlight"),
    "outage": said("report", "power_utility"),
    "water bill": said("report", "billing_permits"),
    "wondering": said("question", "parks"),
    "any news": said("status", "pothole_road"),
    "useless": said("complaint", None, "negative"),
    "lovely": said("praise", None, "positive"),
    "trapped": said("report", "other_service", "negative", "emergency"),
}


@dataclass
class ScriptedClassifier(Classifier):
    """Reads by a script. ``fails``: how many calls raise before the next answers."""

    script: Mapping[str, Classification] = field(default_factory=lambda: SCRIPT)
    model: str = "scripted-1"
    fails: int = 0
    error: type[Exception] = RuntimeError
    poison: str = "\x00no text holds this"  #: a text with this word in it always fails
    read: list[str] = field(default_factory=list)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order."""
        self.read += texts
        if self.fails > 0 or any(self.poison in text for text in texts):
            self.fails -= 1
            raise self.error("the model broke")
        return [replace(self._answer(text.casefold()), model=self.model) for text in texts]

    def _answer(self, text: str) -> Classification:
        return next((answer for word, answer in self.script.items() if word in text), said())
