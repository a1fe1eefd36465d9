"""The classifier that ships: a small transformer with four heads, int8, on the CPU.

Each post runs alone. Dynamic quantisation sets its scale over a whole batch, so in a batch a post's answer would depend
on its neighbours (measured in docs/model-card.md); and without padding, alone is as fast as in batches.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifiers import language, odds
from classifiers.base import Classification, Classifier
from classifiers.heads import Heads
from classifiers.model_folder import (
    INT8_FILE,
    NO_SERVICE,
    POOLED,
    SERVICE_INTENTS,
    SHIPPED,
    TOKENIZER_FILE,
    ModelConfig,
    read_config,
)
from classifiers.normalise import normalise

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer


def load(folder: Path | None = None, *, threads: int | None = None) -> "TransformerClassifier":
    """The classifier of a model folder; the shipped one's without ``folder``. Takes about two seconds.

    ``threads``: how many posts are read at a time; one for each core by default.

    Raises:
        OSError: there is no such model.
        ValueError: the folder's config is not a model's config.
    """
    folder = folder or SHIPPED
    config = read_config(folder)
    return TransformerClassifier(
        config,
        _tokenizer(folder / TOKENIZER_FILE, config.max_tokens),
        open_session(folder / INT8_FILE),
        threads=threads or os.cpu_count() or 1,
    )


class TransformerClassifier(Classifier):
    """Answers four questions of a post in one pass: intent, service, sentiment, urgency."""

    def __init__(
        self, config: ModelConfig, tokenizer: "Tokenizer", session: "InferenceSession", *, threads: int
    ) -> None:
        self.config = config
        self.base = f"{config.name}-{config.version}"
        self._answering: tuple[str, Heads | None] = (self.base, None)
        self._tokenizer = tokenizer
        self._session = session
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="classify")

    @property
    def model(self) -> str:
        """What answers now: ``harken-e5-small-2``, or ``harken-e5-small-2+3`` by what the city learned third."""
        return self._answering[0]

    def use(self, learned: bytes | None, version: str) -> None:
        """Answer by a city's heads from the next post on; by the model's own without.

        Raises:
            ValueError: the bytes are no heads, or were learned over another model. What was used before stays in use.
        """
        if learned is None:
            self._answering = (self.base, None)
            return
        city = Heads.from_bytes(learned)
        city.must_fit(self.base, width=len(self.pooled("")))
        self._answering = (f"{self.base}+{version}", city)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order; a text's answer never depends on the others."""
        if len(texts) <= 1 or self._threads == 1:
            return [self._read(text) for text in texts]
        longest_first = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        answers = dict(zip(longest_first, self._pool.map(self._read, (texts[p] for p in longest_first)), strict=True))
        return [answers[place] for place in range(len(texts))]

    def logits(self, text: str) -> list[NDArray[np.float32]]:
        """What the heads say before temperatures: one row each, in the order of the config's heads."""
        return self.read_all(text)[0]

    def pooled(self, text: str) -> NDArray[np.float32]:
        """The post as the encoder sees it: the mean over its pieces. Shape: (width,)."""
        return self.read_all(text)[1]

    def read_all(self, text: str) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        """The heads' rows and the pooled post, in one pass."""
        ids = np.array([self.pieces(normalise(text))], dtype=np.int64)
        *rows, pooled = self._session.run([*self.config.heads, POOLED], {"ids": ids})
        return [row[0] for row in rows], pooled[0]

    def pieces(self, normalised: str) -> list[int]:
        """The numbers of the word pieces that the encoder sees."""
        return list(self._tokenizer.encode(normalised).ids)

    def _read(self, text: str) -> Classification:
        model, city = self._answering  # one look: an answer must not mix two versions
        rows, pooled = self.read_all(text)
        scores = self._own_scores(rows) if city is None else _scores_by(city, pooled)
        intent = _most_likely(scores["intent"])
        service = _most_likely(scores["service_code"])
        return Classification(
            intent=intent,
            service_code=service if intent in SERVICE_INTENTS and service != NO_SERVICE else None,
            sentiment=_most_likely(scores["sentiment"]),
            urgency=_most_likely(scores["urgency"]),
            language=language.detect(text),
            scores=scores,
            model=model,
        )

    def _own_scores(self, rows: Sequence[NDArray[np.float32]]) -> dict[str, dict[str, float]]:
        return {
            name: _by_label(head.labels, odds.probabilities(row, head.temperature, head.bend))
            for (name, head), row in zip(self.config.heads.items(), rows, strict=True)
        }


def _scores_by(city: Heads, pooled: NDArray[np.float32]) -> dict[str, dict[str, float]]:
    return {name: _by_label(head.labels, head.probabilities(pooled)) for name, head in city.heads.items()}


def _by_label(labels: Sequence[str], probabilities: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(labels, probabilities.tolist(), strict=True))


def _most_likely(scores: Mapping[str, float]) -> str:
    return max(scores, key=lambda label: scores[label])


def _tokenizer(path: Path, max_tokens: int) -> "Tokenizer":
    from tokenizers import Tokenizer  # what transformers has below, without its second and its 70 MB a process

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as err:  # the library raises nothing more exact
        raise ValueError(f"{path} can't be read as a tokenizer: {err}") from err
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def open_session(path: Path) -> "InferenceSession":
    """A session for a model file that reads one post a thread and keeps little memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the threads each read a post of their own
    options.inter_op_num_threads = 1
    # Fusing layers helps float graphs; on this int8 one it costs a tenth of the speed.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_cpu_mem_arena = False  # posts differ in length: an arena would grow with each new shape
    if not path.is_file():  # ONNX Runtime's own errors are neither OSError nor ValueError
        raise FileNotFoundError(f"{path}: there is no such model file")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as err:
        raise ValueError(f"{path} can't be read as a model: {err}") from err
