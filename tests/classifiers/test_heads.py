"""Learned heads as bytes: what was written is read back, and strangers' bytes are refused in one line."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from classifiers.heads import HEADS, MAX_BYTES, Heads, LinearHead

LABELS = {"intent": ("report", "praise"), "service_code": ("noise", "highway_47", "none")}


def some_heads(width: int = 4) -> Heads:
    rng = np.random.default_rng(7)
    return Heads(
        base="harken-test-1",
        heads={
            name: LinearHead(
                labels=(labels := LABELS.get(name, ("a", "b"))),
                weights=rng.normal(size=(len(labels), width)).astype(np.float32),
                bias=rng.normal(size=len(labels)).astype(np.float32),
                temperature=1.25,
                bend=1.5,
                please_check=dict.fromkeys(labels, 0.75),
            )
            for name in HEADS
        },
    )


def packed(change: Mapping[str, Any] | None = None, arrays: Mapping[str, Any] | None = None) -> bytes:
    """What ``to_bytes`` writes, with other arrays in it, or another value in the heads' descriptions."""
    with np.load(io.BytesIO(some_heads().to_bytes())) as file:
        held: dict[str, Any] = dict(file)
    about = json.loads(held["about"].tobytes())
    about["heads"]["intent"] |= change or {}
    held["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    out = io.BytesIO()
    np.savez(out, **{**held, **(arrays or {})})
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("about.npy", bytes(MAX_BYTES + 1))
    return out.getvalue()


def test_what_was_written_is_read_back() -> None:
    written = some_heads()

    read = Heads.from_bytes(written.to_bytes())

    assert (read.base, read.width) == ("harken-test-1", 4)
    for name, head in written.heads.items():
        assert read.heads[name].labels == head.labels
        assert (read.heads[name].temperature, read.heads[name].bend) == (head.temperature, head.bend)
        assert read.heads[name].please_check == head.please_check
        np.testing.assert_array_equal(read.heads[name].weights, head.weights)
        np.testing.assert_array_equal(read.heads[name].bias, head.bias)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\x03\x04 no zip", id="no zip"),
        pytest.param(some_heads().to_bytes()[:-40], id="cut off"),
        pytest.param(bytes(MAX_BYTES + 1), id="too large"),
        pytest.param(bomb(), id="unpacks to too much"),
        pytest.param(packed(arrays={"intent.bias": np.array([{}], dtype=object)}), id="a pickle"),
        pytest.param(packed(arrays={"intent.bias": np.zeros(3, np.float32)}), id="a bias too many"),
        pytest.param(packed(arrays={"intent.weights": np.zeros((2, 5), np.float32)}), id="another width"),
        pytest.param(packed(arrays={"intent.weights": np.full((2, 4), np.nan, np.float32)}), id="no number"),
        pytest.param(packed(arrays={"intent.weights": np.zeros((2, 4))}), id="doubles"),
        pytest.param(packed({"labels": ["report", "report"]}), id="a label twice"),
        pytest.param(packed({"temperature": 0}), id="no temperature"),
        pytest.param(packed({"temperature": "warm"}), id="a word for a temperature"),
        pytest.param(packed({"bend": 0}), id="no bend"),
        pytest.param(packed({"bend": float("nan")}), id="a bend that is no number"),
        pytest.param(packed({"please_check": {"report": 0.5}}), id="a band is missing"),
        pytest.param(packed({"please_check": {"report": 7, "praise": 0.5}}), id="a band beyond 1"),
    ],
)
def test_bytes_that_are_no_heads_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not learned heads"):
        Heads.from_bytes(raw)


def test_heads_of_another_model_do_not_fit() -> None:
    heads = some_heads()

    heads.must_fit("harken-test-1", width=4)
    with pytest.raises(ValueError, match=r"over the model harken-test-1; this one is harken-test-2"):
        heads.must_fit("harken-test-2", width=4)
    with pytest.raises(ValueError, match="width 4"):
        heads.must_fit("harken-test-1", width=8)
