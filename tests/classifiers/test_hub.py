"""The map of labels needs no torch; the models do, and are made here with random weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from classifiers import hub, transformer
from classifiers.hub import HeadModel
from classifiers.model_folder import SHIPPED, TOKENIZER_FILE
from classifiers.pool import NotStarted, PooledClassifier
from errors import ConfigError
from pipeline.deployment import Deployment
from settings import load
from tests.deployments import written

MOODS = {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"}
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="no torch: pip install '.[hub]'")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A model's folder as far as it is looked at before torch is needed."""

    def make(labels: int = 3) -> Path:
        table = {"id2label": {str(number): f"LABEL_{number}" for number in range(labels)}}
        made = tmp_path / "a-model"
        made.mkdir()
        (made / "config.json").write_text(json.dumps(table), encoding="utf-8")
        return made

    return make


@pytest.mark.parametrize(
    ("head", "labels", "told"),
    [
        ("sentiment", {**MOODS, "LABEL_2": "happy"}, "labels.LABEL_2 = 'happy': no sentiment is called so"),
        (
            "sentiment",
            {"LABEL_0": "negative", "LABEL_1": "neutral"},
            "has the label 'LABEL_2', and it is mapped to nothing",
        ),
        (
            "sentiment",
            {**MOODS, "POS": "positive"},
            "labels.POS: .* has no such label; it has LABEL_0, LABEL_1, LABEL_2",
        ),
        ("urgency", {"LABEL_0": "high", "LABEL_1": "normal", "LABEL_2": "normal"}, "none is mapped to 'emergency'"),
        (
            "service_code",
            {"LABEL_0": "parks", "LABEL_1": "snow_ice", "LABEL_2": "none"},
            "labels.LABEL_1 = 'snow_ice': none of the city's services has maps_to = 'snow_ice'",
        ),
    ],
)
def test_a_map_that_does_not_fit_is_refused_with_its_key(
    folder: Callable[..., Path], head: str, labels: dict[str, str], told: str
) -> None:
    one = HeadModel(head=head, model=str(folder()), labels=labels)

    with pytest.raises(ConfigError, match=rf"classifier\.heads\.{head}\.?.*{told}"):
        hub.check([one], codes=["parks"])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("/nowhere/model", "there is no such folder"),
        ("./model", "there is no such folder"),
        ("somebody/never-downloaded", r"there is no such folder, and no model .* classifier\.download = true"),
        ("a name with spaces", "neither a folder nor a name on the hub"),
    ],
)
def test_a_model_that_is_not_there_is_named(model: str, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"classifier\.heads\.sentiment\.model = '{model}': {told}"):
        hub.check([HeadModel(head="sentiment", model=model, labels=MOODS)])


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no config\.json in this folder"):
        hub.check([HeadModel(head="sentiment", model=str(tmp_path), labels=MOODS)])


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed here")
def test_without_torch_it_says_what_to_install(folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"needs torch, which is not installed: pip install '\.\[hub\]'"):
        hub.check([HeadModel(head="sentiment", model=str(folder()), labels=MOODS)])


def test_a_city_is_not_started_with_a_wrong_map(tmp_path: Path, folder: Callable[..., Path]) -> None:
    table = {"heads": {"sentiment": {"model": str(folder()), "labels": {"LABEL_0": "negative"}}}}
    held = Deployment(load(written(tmp_path / "city", "http://127.0.0.1:9", classifier=table)))

    with pytest.raises(ConfigError, match=r"harken\.toml: classifier\.heads\.sentiment\.labels: .* mapped to nothing"):
        held.check_adapters()
    with pytest.raises(ConfigError, match=r"harken\.toml: classifier\.heads\.sentiment\.labels: .* mapped to nothing"):
        _ = held.classifier
    held.close()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A whole model of random weights, two layers deep."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(7)
    shape: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 3}
    config = BertConfig(intermediate_size=64, vocab_size=60_000, max_position_embeddings=128, **shape)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "small")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(SHIPPED / TOKENIZER_FILE), model_max_length=128)
    tokenizer.save_pretrained(tmp_path / "small")
    return tmp_path / "small"


@needs_torch
def test_one_question_is_answered_by_the_model_and_the_rest_by_the_shipped_one(small: Path) -> None:
    one = HeadModel(head="sentiment", model=str(small), labels=MOODS | {"LABEL_2": "negative"})
    posts = ["Huge pothole on Larch Street", "", "\ud83d", "😡" * 4_000]

    pooled = PooledClassifier(partial(hub.load, [one], threads=1))
    answers = pooled.classify(posts)
    pooled.close()

    shipped = transformer.load(threads=1).classify(posts)
    for ours, theirs in zip(answers, shipped, strict=True):
        assert set(ours.scores["sentiment"]) == {"negative", "neutral", "positive"}
        assert ours.scores["sentiment"]["positive"] == 0
        assert math.isclose(sum(ours.scores["sentiment"].values()), 1)
        assert ours.scores["intent"] == theirs.scores["intent"]
        assert (ours.intent, ours.urgency, ours.language) == (theirs.intent, theirs.urgency, theirs.language)
        assert ours.model == f"{theirs.model} (sentiment by small)"


@needs_torch
def test_weights_that_can_not_be_read_are_told_in_one_line(small: Path) -> None:
    (small / "model.safetensors").write_bytes(b"no weights")

    with pytest.raises(NotStarted, match=r"classifier\.heads\.sentiment\.model = .*: can't be loaded: ") as told:
        PooledClassifier(partial(hub.load, [HeadModel(head="sentiment", model=str(small), labels=MOODS)]))

    assert "\n" not in str(told.value)
