"""Any Hugging Face text-classification model in place of a head of the shipped one, by folder or by name.

Needs the extra ``hub`` (torch), and a map from the model's labels to ours. Heads without a model stay the shipped
one's. Nothing is downloaded unless the config says so, and a model's own code is never run.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from classifiers import transformer
from classifiers.base import Classification, Classifier
from classifiers.model_folder import NO_SERVICE, SERVICE_INTENTS
from classifiers.normalise import READ_AT_MOST
from errors import ConfigError
from vocabulary import GENERAL_CODES, Intent, Sentiment, Urgency

LONGEST = 512  #: word pieces read of a post, where the model says nothing less
KNOWN: Mapping[str, frozenset[str]] = {
    "intent": frozenset(Intent),
    "service_code": frozenset({*GENERAL_CODES, NO_SERVICE}),
    "sentiment": frozenset(Sentiment),
    "urgency": frozenset(Urgency),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadModel:
    """A model that answers one of the four questions."""

    head: str
    model: str  #: a folder, or a name on the hub
    labels: Mapping[str, str]  #: the model's label -> ours; several may mean one of ours

    @property
    def key(self) -> str:
        """Of its table in ``harken.toml``."""
        return f"classifier.heads.{self.head}"


def load(models: Sequence[HeadModel], *, download: bool = False, threads: int | None = None) -> "HubClassifier":
    """The classifier of these models, and of the shipped one for the heads that have none.

    Raises:
        ConfigError: naming the key, the value and the remedy.
        OSError, ValueError: the shipped model, as ``transformer.load``.
    """
    check(models, download=download)
    if not download:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is first imported, below
    readers = {one.head: _Reader(one, download=download) for one in models}
    shipped = None if readers.keys() == KNOWN.keys() else transformer.load(threads=threads)
    return HubClassifier(readers, shipped)


def check(models: Sequence[HeadModel], *, codes: Collection[str] = GENERAL_CODES, download: bool = False) -> None:
    """Refuse what can't work, as far as can be seen without loading a model. ``codes``: those that the city has.

    Raises:
        ConfigError: naming the key, the value and the remedy.
    """
    for one in models:
        _check_ours(one, codes)
        config = _config_file(one, download=download)
        if config is not None:
            _check_theirs(one, _labels_in(one, config))
    if models and find_spec("torch") is None:
        raise ConfigError(f"{models[0].key}.model needs torch, which is not installed: pip install '.[hub]'")


def _check_ours(one: HeadModel, codes: Collection[str]) -> None:
    for theirs, ours in one.labels.items():
        key = f"{one.key}.labels.{theirs} = {ours!r}"
        if ours not in KNOWN[one.head]:
            raise ConfigError(f"{key}: no {one.head} is called so; there are {', '.join(sorted(KNOWN[one.head]))}")
        if one.head == "service_code" and ours not in {*codes, NO_SERVICE}:
            raise ConfigError(f"{key}: none of the city's services has maps_to = {ours!r}; map the label to another")
    if one.head == "urgency" and Urgency.EMERGENCY not in one.labels.values():
        raise ConfigError(f"{one.key}.labels: none is mapped to 'emergency'; nobody in danger would be seen by it")


def _check_theirs(one: HeadModel, labels: Sequence[str]) -> None:
    if unknown := [label for label in one.labels if label not in labels]:
        raise ConfigError(f"{one.key}.labels.{unknown[0]}: {one.model} has no such label; it has {', '.join(labels)}")
    if unmapped := [label for label in labels if label not in one.labels]:
        raise ConfigError(
            f"{one.key}.labels: {one.model} has the label {unmapped[0]!r}, and it is mapped to nothing;"
            f" map it to one of {', '.join(sorted(KNOWN[one.head]))}"
        )


def _config_file(one: HeadModel, *, download: bool) -> Path | None:
    """The model's ``config.json``; None: it is yet to be downloaded."""
    folder = Path(one.model)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ConfigError(f"{one.key}.model = {one.model!r}: there is no config.json in this folder")
        return folder / "config.json"
    if folder.is_absolute() or one.model.startswith("."):
        raise ConfigError(f"{one.key}.model = {one.model!r}: there is no such folder")
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        held = try_to_load_from_cache(one.model, "config.json")
    except HFValidationError as err:
        raise ConfigError(f"{one.key}.model = {one.model!r}: neither a folder nor a name on the hub") from err
    if isinstance(held, str):
        return Path(held)
    if not download:
        raise ConfigError(
            f"{one.key}.model = {one.model!r}: there is no such folder, and no model of this name was downloaded"
            " before; name a folder, or allow it with classifier.download = true"
        )
    return None


def _labels_in(one: HeadModel, config: Path) -> list[str]:
    """The model's labels, in the order of its logits."""
    try:
        table = json.loads(config.read_text(encoding="utf-8"))
        named = table.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}  # what transformers takes for granted
        return [str(named[number]) for number in sorted(named, key=int)]
    except (OSError, ValueError, TypeError, AttributeError) as err:
        raise ConfigError(f"{one.key}.model = {one.model!r}: its config.json can't be read: {err}") from err


class HubClassifier(Classifier):
    """Answers by other models where there are any, and else by the shipped one."""

    def __init__(self, readers: Mapping[str, "_Reader"], shipped: transformer.TransformerClassifier | None) -> None:
        self._readers = readers
        self._shipped = shipped
        self._named = ", ".join(f"{head} by {reader.name}" for head, reader in readers.items())

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order; each is read alone."""
        return [self._read(text[:READ_AT_MOST]) for text in texts]

    def use(self, learned: bytes | None, version: str) -> None:
        """Answer by what was learned, in the heads that are the shipped model's.

        Raises:
            ValueError: as the shipped model's, or there is no such head.
        """
        if self._shipped is None:
            if learned is not None:
                raise ValueError("every head has a model of its own; nothing is learned over those")
            return
        self._shipped.use(learned, version)

    def _read(self, text: str) -> Classification:
        scores = {head: reader.probabilities(text) for head, reader in self._readers.items()}
        if self._shipped is None:
            said = _unsaid(text)
        else:
            [said] = self._shipped.classify([text])
        scores = {head: scores.get(head) or dict(said.scores[head]) for head in KNOWN}
        likely = {head: max(scores[head], key=scores[head].__getitem__) for head in KNOWN}
        service = likely["service_code"]
        concerned = likely["intent"] in SERVICE_INTENTS and service != NO_SERVICE
        return replace(
            said,
            intent=likely["intent"],
            service_code=service if concerned else None,
            sentiment=likely["sentiment"],
            urgency=likely["urgency"],
            scores=scores,
            model=f"{said.model} ({self._named})" if said.model else self._named,
        )


def _unsaid(text: str) -> Classification:
    from classifiers import language

    return Classification(
        intent="", service_code=None, sentiment="", urgency="", language=language.detect(text), scores={}, model=""
    )


class _Reader:
    """One model of the hub, in torch."""

    def __init__(self, one: HeadModel, *, download: bool) -> None:
        import transformers

        found: dict[str, Any] = {"local_files_only": not download, "trust_remote_code": False}
        transformers.utils.logging.set_verbosity_error()
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(one.model, **found)
            self._model = transformers.AutoModelForSequenceClassification.from_pretrained(one.model, **found).eval()
        except Exception as err:  # a folder may hold anything, and each library below has errors of its own
            told = str(err).strip().splitlines() or [type(err).__name__]
            raise ConfigError(f"{one.key}.model = {one.model!r}: can't be loaded: {told[0]}") from err
        config = self._model.config
        self._labels = [str(config.id2label[number]) for number in range(config.num_labels)]
        _check_theirs(one, self._labels)
        self.name = Path(one.model).name
        self._ours = one.labels
        self._all = sorted(KNOWN[one.head])
        self._independent = config.problem_type == "multi_label_classification"
        self._longest = min(LONGEST, self._tokenizer.model_max_length)

    def probabilities(self, text: str) -> dict[str, float]:
        """Of each of our labels; they sum to 1. What the model has no label for is 0."""
        import torch

        # Lone surrogates can't be encoded; the tokenizers of torch models are handed the text as it is.
        clean = text.encode("utf-8", "replace").decode("utf-8")
        pieces = self._tokenizer(clean, truncation=True, max_length=self._longest, return_tensors="pt")
        with torch.inference_mode():
            [row] = self._model(**pieces).logits.double()
        odds = (row.sigmoid() if self._independent else row.softmax(-1)).tolist()
        scores = dict.fromkeys(self._all, 0.0)
        for label, value in zip(self._labels, odds, strict=True):
            scores[self._ours[label]] += value / sum(odds)
        return scores
