"""A city's own heads: what it learned from its corrections, as linear maps over the frozen encoder of a model.

They are kept as the bytes of an ``.npz``, and read back as strangers' bytes: nothing in them is ever run.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from classifiers import odds
from classifiers.model_folder import Bands

MAX_BYTES = 8 << 20  #: of the file and of what it unpacks to; 40 labels of width 384 are 60 kB
MAX_LABELS = 500
TEMPERATURES = (0.05, 20.0)
BENDS = (0.5, 3.0)
HEADS = ("intent", "service_code", "sentiment", "urgency")  #: each must be there

Vectors = NDArray[np.float32]


@runtime_checkable
class Learner(Protocol):
    """A classifier that can answer by what a city learned."""

    def use(self, learned: bytes | None, version: str) -> None:
        """Answer by the heads in these bytes from the next call on; by the model's own without.

        Raises:
            ValueError: they do not fit. What was used before stays in use.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LinearHead:
    """One question: label ``i`` has the logit ``weights[i] · vector + bias[i]``."""

    labels: tuple[str, ...]
    weights: NDArray[np.float32]  #: Shape: (labels, width)
    bias: NDArray[np.float32]  #: Shape: (labels,)
    temperature: float = 1.0
    bend: float = 1.0  #: see ``odds.probabilities``
    please_check: Mapping[str, float]  #: label -> confidence below which a person is to check the answer

    def logits(self, vectors: Vectors) -> NDArray[np.float32]:
        """Before the temperature. Shape: (posts, width) to (posts, labels), or (width,) to (labels,)."""
        return np.asarray(vectors @ self.weights.T + self.bias, dtype=np.float32)

    def probabilities(self, vectors: Vectors) -> NDArray[np.float64]:
        """Calibrated; each row sums to 1. Shape: as ``logits``."""
        return odds.probabilities(self.logits(vectors), self.temperature, self.bend)

    def said(self, vectors: Vectors) -> list[str]:
        """The most likely label of each. Shape: (posts, width)."""
        return [self.labels[number] for number in self.logits(vectors).argmax(axis=1)] if len(vectors) else []


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heads:
    """All heads of one version."""

    base: str  #: the model whose vectors they read, as its answers name it: ``harken-e5-small-2``
    heads: Mapping[str, LinearHead]

    @property
    def width(self) -> int:
        """Of the vectors they read."""
        return int(self.heads["intent"].weights.shape[1])

    def must_fit(self, base: str, *, width: int) -> None:
        """Check that they read this model's vectors.

        Raises:
            ValueError: they were learned over another model.
        """
        if self.base != base:
            raise ValueError(f"they were learned over the model {self.base}; this one is {base}")
        if self.width != width:
            raise ValueError(f"they read vectors of width {self.width}; those of {base} have {width}")

    def bands(self, shipped: Bands) -> Bands:
        """Where their answers need a person's eye; languages and the emergency lane stay as the model was shipped."""
        return Bands(
            please_check={name: head.please_check for name, head in self.heads.items()},
            languages=shipped.languages,
            emergency=shipped.emergency,
        )

    def to_bytes(self) -> bytes:
        """As they are kept; ``from_bytes`` reads them."""
        about = {
            "base": self.base,
            "heads": {
                name: {
                    "labels": head.labels,
                    "temperature": head.temperature,
                    "bend": head.bend,
                    "please_check": dict(head.please_check),
                }
                for name, head in self.heads.items()
            },
        }
        arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
        for name, head in self.heads.items():
            arrays[f"{name}.weights"] = head.weights.astype(np.float32)
            arrays[f"{name}.bias"] = head.bias.astype(np.float32)
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Heads":
        """What ``to_bytes`` wrote.

        Raises:
            ValueError: it did not write this, or not all of it is left.
        """
        try:
            about, arrays = _unpacked(raw)
            heads = {name: _head(name, about["heads"][name], arrays) for name in HEADS}
            widths = {head.weights.shape[1] for head in heads.values()}
            if len(widths) != 1:
                raise ValueError(f"heads of different widths: {sorted(widths)}")
            return cls(base=str(about["base"]), heads=heads)
        except Exception as err:  # over broken bytes zipfile, zlib and numpy raise no closed list of errors
            raise ValueError(f"these bytes are not learned heads: {type(err).__name__}: {str(err)[:200]}") from err


def _unpacked(raw: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{len(raw)} bytes; {MAX_BYTES} are the most")
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        if (unpacked := sum(entry.file_size for entry in packed.infolist())) > MAX_BYTES:
            raise ValueError(f"they unpack to {unpacked} bytes; {MAX_BYTES} are the most")
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        arrays = {name: np.asarray(file[name]) for name in file.files}
    about = json.loads(arrays["about"].astype(np.uint8).tobytes().decode("utf-8"))
    return about, arrays


def _head(name: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> LinearHead:
    labels = _labels(name, about["labels"])
    weights, bias = arrays[f"{name}.weights"], arrays[f"{name}.bias"]
    if weights.ndim != 2 or weights.shape[0] != len(labels) or bias.shape != (len(labels),):
        raise ValueError(f"{name}: {len(labels)} labels, weights {weights.shape}, bias {bias.shape}")
    if weights.dtype != np.float32 or bias.dtype != np.float32:
        raise ValueError(f"{name}: weights are {weights.dtype} and {bias.dtype}, not float32")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError(f"{name}: a weight is not a finite number")
    temperature = float(about["temperature"])
    if not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
        raise ValueError(f"{name}: temperature {temperature}")
    bend = float(about.get("bend", 1.0))  # versions of before had none
    if not BENDS[0] <= bend <= BENDS[1]:
        raise ValueError(f"{name}: bend {bend}")
    please_check = {label: float(about["please_check"][label]) for label in labels}
    if not all(0 <= band <= 1 for band in please_check.values()):
        raise ValueError(f"{name}: a band is no probability")
    return LinearHead(
        labels=labels, weights=weights, bias=bias, temperature=temperature, bend=bend, please_check=please_check
    )


def _labels(name: str, given: Sequence[object]) -> tuple[str, ...]:
    labels = tuple(str(label) for label in given)
    if not 2 <= len(labels) <= MAX_LABELS or len(set(labels)) != len(labels):
        raise ValueError(f"{name}: {len(labels)} labels, {len(set(labels))} different ones")
    return labels
