"""Whether a model can answer our questions, and whether its services are those that a city has."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers import corpus, transformer
from classifiers.model_folder import CONFIG_FILE, INT8_FILE, NO_SERVICE, TOKENIZER_FILE, ModelConfig, read_config
from classifiers.transformer import TransformerClassifier
from vocabulary import Service

NEEDED_FILES = (CONFIG_FILE, TOKENIZER_FILE, INT8_FILE)
PROBE = "The street light at 5th and Oak is out"


class BadModel(ValueError):
    """A model can't be used: names the folder, what is wrong and the remedy."""


def load_fitting(folder: Path) -> TransformerClassifier:
    """The model of a folder, once it has answered a post as its config says.

    Raises:
        BadModel: a file is missing or damaged, or the labels are not what the model answers.
    """
    config = config_of(folder)
    for head, labels in corpus.HEADS.items():
        if head not in config.heads:
            raise BadModel(f"{folder / CONFIG_FILE}: there is no head {head!r}: train the model anew, or name another")
        if missing := [label for label in labels if label not in config.heads[head].labels]:
            told = f"heads.{head}.labels lacks {', '.join(missing)}"
            raise BadModel(f"{folder / CONFIG_FILE}: {told}: take the config that was written with this model")
    with _told_plainly(folder):
        classifier = transformer.load(folder)
        rows = classifier.logits(PROBE)
    for (name, answered), row in zip(config.heads.items(), rows, strict=True):
        if len(row) != len(answered.labels):
            told = f"heads.{name} has {len(answered.labels)} labels, but {INT8_FILE} answers with {len(row)}"
            raise BadModel(f"{folder / CONFIG_FILE}: {told}: take the config that was written with this model")
    return classifier


def config_of(folder: Path) -> ModelConfig:
    """The config of a folder that holds all that a model is made of.

    Raises:
        BadModel: a file is missing, or the config is none.
    """
    for name in NEEDED_FILES:
        if not (folder / name).is_file():
            raise BadModel(f"{folder}: there is no model: {name} is missing (a model is {', '.join(NEEDED_FILES)})")
    try:
        return read_config(folder)
    except (OSError, ValueError) as err:
        raise BadModel(str(err)) from err


@contextlib.contextmanager
def _told_plainly(folder: Path) -> Iterator[None]:
    """The runtime's own errors derive from nothing but ``Exception``, and the tokenizer raises plain ``Exception``."""
    try:
        yield
    except Exception as err:
        if isinstance(err, MemoryError | BadModel):
            raise
        line = (str(err).strip().splitlines() or [type(err).__name__])[0][:200]
        raise BadModel(f"{folder}: the model can't be run ({line}): copy its files again, or train it anew") from err


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How the services that a model knows meet those of a city."""

    wrong: tuple[str, ...]  #: Harken must not start so
    thin: tuple[str, ...]  #: it can, but something will never be proposed


def fit(labels: Mapping[str, Sequence[str]], services: Sequence[Service]) -> Fit:
    """Compares a model's labels, by head, with Harken's words and a city's services.

    A label of the service head must be a general code, or a code of the city itself, as its learned heads have them.
    """
    wrong = []
    for head, known in corpus.HEADS.items():
        own = {service.service_code for service in services} if head == "service_code" else set()
        if head not in labels:
            wrong.append(f"it does not answer {head}")
        elif strange := [label for label in labels[head] if label not in known and label not in own]:
            wrong.append(f"{head} {_named(strange)} is no word of Harken's nor a service of the city")
    codes = set(labels.get("service_code", ())) - {NO_SERVICE}
    unknown = sorted({service.maps_to for service in services if service.maps_to} - codes)
    reached = codes & {code for service in services for code in (service.maps_to, service.service_code)}
    thin = []
    if services and not reached:
        thin.append(
            "no service of the city maps to one that it knows: none is proposed until the city's own are learned"
        )
    elif unknown:
        thin.append(f"it does not know {_named(unknown)}: services that map there are never proposed")
    if reached and (unmapped := sorted(codes - reached)):
        thin.append(f"no service of the city maps to {_named(unmapped)}: such reports get no service by themselves")
    return Fit(wrong=tuple(wrong), thin=tuple(thin))


def _named(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:4])
    return f"{shown} and {len(labels) - 4} more" if len(labels) > 4 else shown
