"""Trains the classifier: one encoder, four heads, on a plain two-core machine in about an hour; faster on a GPU.

Needs the extra ``train`` (torch, onnx) and the packages that ``classifiers/encoder.py`` names. Serving needs none of
them: see ``classifiers/transformer.py``. What was tried, and what each trial gave: docs/decisions/0009.
"""

import copy
import hashlib
import json
import logging
import math
import random
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from classifiers import corpus, encoder, transformer
from classifiers.calibrate import best_shifts, calibrate
from classifiers.corpus import HEADS, TWEETS, Example, Stage
from classifiers.encoder import EncoderMissing
from classifiers.export import export, shift
from classifiers.model_folder import INT8_FILE, MAX_TOKENS, TOKENIZER_FILE, ModelConfig, write_config
from classifiers.network import JointModel
from classifiers.normalise import normalise

__all__ = ["EncoderMissing", "train"]

log = logging.getLogger(__name__)

BATCH = 32
POOL = 50  #: batches that are sorted by length together: little padding, and still a random order
UNLABELLED = -100

SENTIMENT = list(HEADS).index("sentiment")

HEAD_RATE = 1e-3
PIECES_RATE = 0.5  #: of the encoder's rate: the table of pieces is large, and most of it is right
WARM_UP = 0.06  #: share of a stage's steps
AVERAGE_EVERY = 10  #: steps
AVERAGED = 0.95  #: how slowly the kept weights follow the learned ones, each time
KEPT = 2.0  #: how much keeping to what was said of tweets counts beside each of the labels
SAVE_EVERY = 500  #: steps
SEEN = 300  #: posts by which the export sees how loud the network gets


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One post, ready to learn from."""

    pieces: list[int]
    labels: tuple[int, ...]  #: one for each head, in the order of HEADS
    tweet: bool = False  #: of a set of tweets whose mood alone is known


def train(
    data: Path,
    out: Path,
    *,
    epochs: int | None = None,
    seed: int = 7,
    progress: bool = True,
    exclude_terms: frozenset[str] = frozenset(),
    leave_out_cities: frozenset[str] = frozenset(),
    checkpoint: Path | None = None,
    version: str = "1",
    full_precision: Path | None = None,
) -> None:
    """Trains on the sets under ``data`` and writes a whole model folder to ``out``.

    The same seed gives the same model on the same machine. With ``checkpoint``, a file outside the model folder, a run
    that was cut off goes on from its last 500 steps. ``epochs`` are those of the last stage. With ``full_precision``
    the model is also written there unquantised, for the evaluation to compare with.

    Raises:
        EncoderMissing: the encoder is not installed.
        ValueError: the sets hold fewer than two labels of a head, so that there is nothing to tell apart.
    """
    stages = corpus.training_stages(data, exclude_terms, leave_out_cities)
    if epochs is not None:
        stages = [*stages[:-1], replace(stages[-1], epochs=epochs)]
    _two_labels_a_head(stages)
    model, tokenizer = starting_model(corpus.texts_to_read(data, exclude_terms), seed=seed)
    course = _Course(stages, tokenizer, seed=seed)
    kept = _fit(model, course, checkpoint=checkpoint, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / TOKENIZER_FILE).write_text(tokenizer.to_str(), encoding="utf-8")
    seen = [batch[0].pieces for batch in course.batches(len(stages) - 1, 0)[:SEEN]]
    export(kept, out / INT8_FILE, seen, full_precision=full_precision)
    facts = {
        "seed": seed,
        "stages": [{"epochs": stage.epochs, "rate": stage.rate} for stage in stages],
        "encoder": f"{encoder.NAME} sha256:{encoder.WEIGHTS_SHA256}",
        "pieces": tokenizer.get_vocab_size(),
    }
    write_config(out, ModelConfig.fresh(HEADS, version=version, trained_on=_tally(stages), facts=facts))
    examples = corpus.calibration_examples(data, exclude_terms)
    shifts = best_shifts(transformer.load(out), examples)
    for path in (out / INT8_FILE, full_precision):
        if path is not None:
            shift(path, shifts)
    calibrate(out, data, exclude_terms)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def starting_model(texts: Iterable[str], *, seed: int, layers: int | None = None) -> tuple[JointModel, Tokenizer]:
    """The pre-trained encoder with fresh heads, and its tokenizer with the pieces that the texts are made of.

    Raises:
        EncoderMissing: the encoder is not installed.
    """
    shape, weights, table = encoder.found()
    kept = encoder.kept_pieces(table, map(normalise, texts))
    tokenizer = Tokenizer.from_str(json.dumps(encoder.trimmed(table, kept)))
    tokenizer.enable_truncation(MAX_TOKENS)
    torch.manual_seed(seed)
    model = JointModel(replace(shape, pieces=len(kept), layers=layers or shape.layers), HEADS)
    model.start_from(weights, shape, kept)
    return model, tokenizer


def _two_labels_a_head(stages: Sequence[Stage]) -> None:
    for head in HEADS:
        labels = {
            ex.labels[head] for stage in stages for share in stage.shares for ex in share.examples if head in ex.labels
        }
        if len(labels) < 2:
            found = f"only {labels.pop()!r}" if labels else "none"
            raise ValueError(
                f"the training sets hold {found} of {head}'s labels: two at least are needed to learn from"
            )


class _Course:
    """What is learned in which order: the same for the same seed, epoch by epoch."""

    def __init__(self, stages: Sequence[Stage], tokenizer: Tokenizer, *, seed: int) -> None:
        self.seed = seed
        self.stages = stages
        self._tokenizer = tokenizer
        self.weights = [_label_weights(ex for share in stage.shares for ex in share.examples) for stage in stages]

    def batches(self, stage: int, epoch: int) -> list[list[Encoded]]:
        """Of one epoch, in random order, each of posts of about one length."""
        rng = random.Random(f"{self.seed}/{stage}/{epoch}")
        drawn = [example for share in self.stages[stage].shares for example in share.draw(rng)]
        rng.shuffle(drawn)
        texts = [normalise(corpus.restyle(example, rng)) for example in drawn]
        encoded = [
            Encoded(pieces=encoding.ids, labels=_label_numbers(example), tweet=example.folder in TWEETS)
            for encoding, example in zip(self._tokenizer.encode_batch(texts), drawn, strict=True)
        ]
        batches: list[list[Encoded]] = []
        for start in range(0, len(encoded), POOL * BATCH):
            pool = sorted(encoded[start : start + POOL * BATCH], key=lambda post: len(post.pieces))
            batches += [pool[at : at + BATCH] for at in range(0, len(pool), BATCH)]
        rng.shuffle(batches)
        return batches


def _label_numbers(example: Example) -> tuple[int, ...]:
    return tuple(
        labels.index(example.labels[head]) if head in example.labels else UNLABELLED for head, labels in HEADS.items()
    )


def _label_weights(examples: Iterable[Example]) -> list[Tensor]:
    """How much each label of each head counts: the rarer the more, within limits."""
    seen = Counter((head, label) for example in examples for head, label in example.labels.items())
    weights: list[Tensor] = []
    for head, labels in HEADS.items():
        counts = [max(seen[head, label], 1) for label in labels]
        middle = statistics.median(counts)
        weights.append(torch.tensor([min(max(math.sqrt(middle / count), 0.4), 2.5) for count in counts]))
    return weights


def _fit(
    model: JointModel, course: _Course, *, checkpoint: Path | None, progress: bool, stop_after: int | None = None
) -> JointModel:
    """Learns the course, or its first ``stop_after`` steps, and gives what the last stage ends with.

    A stage may begin with the mean of what others ended with: weights of one training can be averaged, and read as well
    as the better of them everywhere (Wortsman et al. 2022, "model soups").
    """
    run = _Run(model, seed=course.seed, checkpoint=checkpoint)
    for number, stage in enumerate(course.stages):
        epochs = [course.batches(number, epoch) for epoch in range(stage.epochs)]
        run.begin(stage, steps=sum(map(len, epochs)))
        for epoch, batches in enumerate(epochs):
            for batch in _shown(batches, f"stage {number + 1}, epoch {epoch + 1} of {stage.epochs}", progress=progress):
                run.learn(batch, course.weights[number])
                if run.passed == stop_after:
                    run.save()
                    return run.kept()
        run.end(number)
    return run.kept()


class _Run:
    """A training under way: goes on from its checkpoint, if there is one, by letting pass what was learned before."""

    def __init__(self, model: JointModel, *, seed: int, checkpoint: Path | None) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.passed = 0  #: steps
        self._seed = seed
        self._checkpoint = checkpoint
        self._model = model.to(self.device)
        self._averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED))
        self._parts: dict[str, Any] = {"model": self._model, "averaged": self._averaged}
        self._saved = _saved(checkpoint)
        self._done = int(self._saved.get("done", 0))
        self._take_over("model", "averaged")
        self._ends: list[dict[str, Tensor]] = list(self._saved.get("ends", []))  #: averaged weights after each stage
        self._elder: JointModel | None = None  #: what the present stage keeps to, of tweets

    def begin(self, stage: Stage, *, steps: int) -> None:
        """A stage has its own learning rates, and its own place to begin."""
        if stage.after and self.passed >= self._done:
            self._model.load_state_dict(_mean([self._ends[number] for number in stage.after]))
            self._averaged = AveragedModel(self._model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED))
        self._elder = self._as_it_was(stage.keeps_moods_of)
        optimizer, schedule = _optimizer(self._model, stage, steps)
        self._parts |= {"averaged": self._averaged, "optimizer": optimizer, "schedule": schedule}
        if self.passed < self._done < self.passed + steps:
            self._take_over("optimizer", "schedule")

    def _as_it_was(self, number: int | None) -> JointModel | None:
        """The model at a stage's end, to be asked and not to learn."""
        if number is None or number >= len(self._ends):  # this stage was passed before the run was cut off
            return None
        elder: JointModel = copy.deepcopy(self._model)
        elder.eval().requires_grad_(False)
        elder.load_state_dict(self._ends[number])
        return elder

    def learn(self, batch: Sequence[Encoded], weights: Sequence[Tensor]) -> None:
        """One step, unless it was made before."""
        self.passed += 1
        if self.passed <= self._done:
            return
        torch.manual_seed(self._seed * 1_000_003 + self.passed)  # dropout too is the same after a resumed run
        self._step(batch, weights)
        if self.passed % AVERAGE_EVERY == 0:
            self._averaged.update_parameters(self._model)
        if self.passed % SAVE_EVERY == 0:
            self.save()

    def end(self, number: int) -> None:
        """A stage is over: what it ended with is noted, and its last step saved."""
        if len(self._ends) > number:  # noted before the run was cut off
            return
        self._ends.append({name: part.clone().cpu() for name, part in self._averaged.module.state_dict().items()})
        self.save()

    def kept(self) -> JointModel:
        """The averaged weights as they are now."""
        model: JointModel = self._averaged.module
        model.cpu()
        return model

    def save(self) -> None:
        """In one step: a run cut off while saving must not lose what was saved before."""
        if self._checkpoint is None:
            return
        draft = self._checkpoint.with_suffix(".part")
        state = {name: part.state_dict() for name, part in self._parts.items()}
        torch.save({"done": self.passed, "ends": self._ends, **state}, draft)
        draft.replace(self._checkpoint)

    def _take_over(self, *names: str) -> None:
        for name in names if self._saved else ():
            self._parts[name].load_state_dict(self._saved[name])

    def _step(self, batch: Sequence[Encoded], weights: Sequence[Tensor]) -> None:
        self._model.train()
        self._parts["optimizer"].zero_grad(set_to_none=True)
        with _half(self.device):
            loss = _loss(self._model, batch, weights, self.device, elder=self._elder)
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._parts["optimizer"].step()
        self._parts["schedule"].step()


def _mean(ends: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: sum((end[name] for end in ends[1:]), ends[0][name]) / len(ends) for name in ends[0]}


def _saved(checkpoint: Path | None) -> dict[str, Any]:
    if checkpoint is None or not checkpoint.exists():
        return {}
    return dict(torch.load(checkpoint, weights_only=True))


def _optimizer(
    model: JointModel, stage: Stage, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    heads = list(model.heads.parameters())
    table = list(model.pieces.parameters())
    apart = {id(one) for one in [*heads, *table]}
    groups = [
        {"params": [one for one in model.parameters() if id(one) not in apart], "lr": stage.rate},
        {"params": table, "lr": stage.rate * PIECES_RATE, "weight_decay": 0.0},
        {"params": heads, "lr": HEAD_RATE if stage.rate >= 1e-4 else HEAD_RATE / 2},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))


def _half(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where it pays: on processors without it everything would be slower."""
    usable = device.type == "cuda" or torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX"))
    return torch.autocast(device.type, dtype=torch.bfloat16) if usable else nullcontext()


def _rate(step: int, steps: int) -> float:
    warm_up = max(1, int(steps * WARM_UP))
    return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))


def _loss(
    model: JointModel,
    batch: Sequence[Encoded],
    weights: Sequence[Tensor],
    device: torch.device,
    *,
    elder: JointModel | None = None,
) -> Tensor:
    """The sum over the heads of the mean over the posts that have a label for it.

    With an ``elder``, also how far the model is from it in what it says of tweets' mood: what was learned first is not
    forgotten over what is learned after ("learning without forgetting": Li and Hoiem 2016).
    """
    ids, mask = (part.to(device) for part in _padded([post.pieces for post in batch]))
    logits = model(ids, mask)[: len(HEADS)]
    total = torch.zeros((), device=device)
    for number, (head_logits, weight) in enumerate(zip(logits, weights, strict=True)):
        wanted = torch.tensor([post.labels[number] for post in batch], device=device)
        labelled = int((wanted != UNLABELLED).sum())
        if labelled:
            mean = nn.functional.cross_entropy(
                head_logits.float(),
                wanted,
                weight=weight.to(device),
                ignore_index=UNLABELLED,
                label_smoothing=0.03,
            )
            total = total + mean * min(1.0, labelled / 8)  # two labels in a batch may not pull like thirty-two
    tweets = [number for number, post in enumerate(batch) if post.tweet]
    if elder is not None and tweets:
        with torch.no_grad():
            said = elder(ids[tweets], mask[tweets])[SENTIMENT].float().softmax(-1)
        now = logits[SENTIMENT][tweets].float().log_softmax(-1)
        total = total + nn.functional.kl_div(now, said, reduction="batchmean") * KEPT * min(1.0, len(tweets) / 8)
    return total


def _padded(pieces: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, pieces))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in pieces])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in pieces])
    return ids, mask


def _shown(batches: Sequence[list[Encoded]], title: str, *, progress: bool) -> Iterator[list[Encoded]]:
    from rich.progress import track

    yield from track(batches, description=title, disable=not progress)


def _tally(stages: Sequence[Stage]) -> dict[str, dict[str, object]]:
    """Rows and a fingerprint of what each set taught, for the config and the model card."""
    rows: dict[str, set[str]] = {}
    for stage in stages:
        for share in stage.shares:
            for example in share.examples:
                rows.setdefault(example.source, set()).add(f"{example.text}\t{sorted(example.labels.items())}")
    return {
        source: {
            "rows": len(lines),
            "sha256": hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "replace")).hexdigest(),
        }
        for source, lines in sorted(rows.items())
    }
