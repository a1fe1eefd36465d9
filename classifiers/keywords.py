"""A classifier without a model: reads posts by the keywords that the city's services list in ``services.csv``.

It knows which service a post names, and nothing of what its author wants or feels; so it is sure of nothing, and staff
are asked to check each answer. For a machine that is too small for a model, and for trying out everything else.
"""

from __future__ import annotations

from collections.abc import Sequence

from classifiers import language, model_folder
from classifiers.base import Classification, Classifier
from classifiers.model_folder import NO_SERVICE
from places.services import most_named
from vocabulary import Intent, Sentiment, Service, Urgency

#: By how much what it says is likelier than if all answers were equally so: little, below every threshold.
LIKELIER = 1.2
#: Danger is told by the words alone; it is never so unlikely here that it would silence them.
EMERGENCY = 0.05


def load(services: Sequence[Service]) -> KeywordClassifier:
    """The classifier of a city's services."""
    return KeywordClassifier(services)


class KeywordClassifier(Classifier):
    """A post that names a service reports something; any other is put before people as it is."""

    model = "keywords-1"

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._labels = {head: tuple(labels) for head, labels in model_folder.bands().please_check.items()}

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order."""
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Classification:
        service = most_named(self._services, text)
        code = None if service is None else service.maps_to or "other_service"
        intent = Intent.OTHER if service is None else Intent.REPORT
        said = {"intent": intent.value, "service_code": code or NO_SERVICE, "sentiment": Sentiment.NEUTRAL.value}
        scores = {head: self._spread(head, label) for head, label in said.items()}
        scores["urgency"] = {Urgency.NORMAL.value: 1 - 2 * EMERGENCY, Urgency.HIGH.value: EMERGENCY} | {
            Urgency.EMERGENCY.value: EMERGENCY
        }
        return Classification(
            intent=said["intent"],
            service_code=code,
            sentiment=said["sentiment"],
            urgency=Urgency.NORMAL.value,
            language=language.detect(text),
            scores=scores,
            model=self.model,
        )

    def _spread(self, head: str, label: str) -> dict[str, float]:
        labels = self._labels[head]
        likely = LIKELIER / len(labels)
        return dict.fromkeys(labels, (1 - likely) / (len(labels) - 1)) | {label: likely}
