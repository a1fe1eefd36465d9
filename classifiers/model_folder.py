"""What lies in a model's folder, and how its ``config.json`` is read and written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vocabulary import Classification, Intent

SHIPPED = Path(__file__).parent / "model"
INT8_FILE = "model.int8.onnx"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"

MAX_TOKENS = 96  #: word pieces read of a post
POOLED = "pooled"  #: the graph's output beside the heads' rows: the mean over the pieces
NO_SERVICE = "none"  #: the service head's label for a post that concerns none

#: Intents that concern a service; any other has no service code.
SERVICE_INTENTS = frozenset({Intent.REPORT, Intent.STATUS, Intent.QUESTION})


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a threshold did to the calibration posts: what it can be expected to do to others like them."""

    posts: int  #: that were given this label
    passed: float  #: share of them that stood above the threshold
    precision: float  #: share of those that were right
    recall: float  #: share of the posts that have this label which were given it above the threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedLane:
    """What the emergency lane did with the calibration posts."""

    emergencies: int
    recall: float  #: by the model's threshold or the patterns
    recall_of_model: float
    recall_of_words: float
    written: int  #: posts that we wrote, many made to sound like an emergency, that are none
    written_flagged: float  #: share of these in the lane
    ordinary: int  #: posts that are no emergency, or whose set does not say
    pages_per_1000: float  #: of these, by the model's threshold or the patterns


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """One question that the model answers."""

    labels: tuple[str, ...]  #: in the order of the logits
    temperature: float  #: what the logits are divided by, so that probabilities mean what they say
    please_check: Mapping[str, float]  #: label -> confidence from which on nine in ten calibration posts were right
    expected: Mapping[str, Expected] = field(default_factory=dict)  #: label -> what that confidence does
    bend: float = 1.0  #: see ``odds.probabilities``; a model without one has plain temperatures


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """A model's ``config.json``."""

    name: str
    version: str
    max_tokens: int
    languages: tuple[str, ...]  #: ISO 639-1: those in which its confidence can be trusted
    heads: Mapping[str, Head]
    emergency: float  #: from this probability on, a post goes to the emergency lane whatever the most likely label is
    trained_on: Mapping[str, Mapping[str, object]]  #: set -> rows and sha256 of what it taught
    facts: Mapping[str, object]  #: seed, epochs, encoder
    lane: ExpectedLane | None = None  #: what the emergency threshold does; None: not measured

    @classmethod
    def fresh(
        cls,
        heads: Mapping[str, Sequence[str]],
        *,
        version: str,
        trained_on: Mapping[str, Mapping[str, object]],
        facts: Mapping[str, object],
    ) -> "ModelConfig":
        """A model that is not calibrated yet."""
        return cls(
            name="harken-e5-small",
            version=version,
            max_tokens=MAX_TOKENS,
            languages=("en", "es"),
            heads={
                head: Head(labels=tuple(labels), temperature=1.0, please_check=dict.fromkeys(labels, 0.5))
                for head, labels in heads.items()
            },
            emergency=0.5,
            trained_on=trained_on,
            facts=facts,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Bands:
    """Where a model's answers need a person's eye."""

    please_check: Mapping[str, Mapping[str, float]]  #: head -> label -> confidence below which it is to be checked
    languages: tuple[str, ...]  #: in any other, every answer is to be checked
    emergency: float  #: probability of ``emergency`` from which a post is treated as one

    def to_check(self, said: Classification) -> tuple[str, ...]:
        """The heads whose answer staff should check; a service only where the post concerns one."""
        return tuple(
            head
            for head in self.please_check
            if (head != "service_code" or said.intent in SERVICE_INTENTS) and self._doubtful(head, said)
        )

    def _doubtful(self, head: str, said: Classification) -> bool:
        scores = said.scores[head]
        label = max(scores, key=lambda label: scores[label])
        return said.language not in self.languages or scores[label] < self.please_check[head][label]


def bands(folder: Path | None = None) -> Bands:
    """The thresholds that belong to a model; the shipped one's without ``folder``. The pipeline applies them."""
    config = read_config(folder or SHIPPED)
    return Bands(
        please_check={name: head.please_check for name, head in config.heads.items()},
        languages=config.languages,
        emergency=config.emergency,
    )


def read_config(folder: Path) -> ModelConfig:
    """What the folder's ``config.json`` says.

    Raises:
        OSError: there is no such model.
        ValueError: the file is not a model's config.
    """
    path = folder / CONFIG_FILE
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        heads = {
            name: Head(
                labels=tuple(head["labels"]),
                temperature=float(head["temperature"]),
                please_check=head["please_check"],
                expected={label: Expected(**one) for label, one in head.get("expected", {}).items()},
                bend=float(head.get("bend", 1.0)),
            )
            for name, head in table.pop("heads").items()
        }
        lane = table.pop("lane", None)
        table.pop("words_from", None)  # of older folders: below it the words of danger rang for nobody
        return ModelConfig(
            heads=heads,
            languages=tuple(table.pop("languages")),
            lane=ExpectedLane(**lane) if lane else None,
            **table,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise ValueError(f"{path} is not a model's config: {err}") from err


def write_config(folder: Path, config: ModelConfig) -> None:
    """Writes the folder's ``config.json``."""
    text = json.dumps(asdict(config), indent=2, ensure_ascii=False)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
