"""Fitting heads to lessons, and the gate: what is known stays known, a handful teaches, and losses are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.gate import Measured, judge, sign_test
from classifiers.heads import HEADS, Heads, LinearHead
from classifiers.model_folder import Head, ModelConfig
from classifiers.refit import Read, as_shipped, minimum, recalibrated, refit

WIDTH = 6
LABELS: Mapping[str, tuple[str, ...]] = {
    "intent": ("report", "praise"),
    "service_code": ("noise", "parks", "none"),
    "sentiment": ("negative", "positive"),
    "urgency": ("emergency", "high", "normal"),
}
Vectors = NDArray[np.float32]


def directions(labels: Sequence[str]) -> Vectors:
    """A model that says a label where that label's coordinate is large."""
    return np.eye(WIDTH, dtype=np.float32)[: len(labels)] * 4


SHIPPED = Heads(
    base="harken-test-1",
    heads={
        name: LinearHead(
            labels=LABELS[name],
            weights=directions(LABELS[name]),
            bias=np.zeros(len(LABELS[name]), np.float32),
            please_check=dict.fromkeys(LABELS[name], 0.6),
        )
        for name in HEADS
    },
)


def posts(count: int, at: int, *, seed: int, also: int | None = None) -> Vectors:
    """Posts whose coordinate ``at`` is large, and ``also`` another one."""
    vectors = np.random.default_rng(seed).normal(scale=0.2, size=(count, WIDTH)).astype(np.float32)
    vectors[:, [one for one in (at, also) if one is not None]] += 1
    return vectors


def read(vectors: Vectors, **labels: str) -> Read:
    return Read(vectors=vectors, labels=[labels] * len(vectors))


def known(count: int = 100) -> Vectors:
    return np.concatenate([posts(count, at, seed=at) for at in range(3)])


def measured(of: Read, **group: str) -> Measured:
    return Measured(posts=of, groups=[group] * len(of))


def joined(*parts: Read) -> Read:
    return Read(
        vectors=np.concatenate([part.vectors for part in parts]),
        labels=[said for part in parts for said in part.labels],
    )


#: Parks, and what the shipped model calls noise, each as it does.
REGRESSION = measured(
    joined(
        read(posts(40, 0, seed=11), service_code="noise", urgency="emergency"),
        read(posts(40, 1, seed=12), service_code="parks", urgency="high"),
    ),
    language="en",
)


def test_the_lowest_point_of_a_bowl_is_found() -> None:
    curve, centre = np.array([1.0, 100.0, 0.01]), np.array([3.0, -2.0, 5.0])

    found = minimum(lambda at: (float(curve @ (at - centre) ** 2), 2 * curve * (at - centre)), np.zeros(3))

    np.testing.assert_allclose(found, centre, atol=0.2)


def test_the_shipped_heads_are_read_off_the_models_answers() -> None:
    vectors = np.random.default_rng(3).normal(size=(50, WIDTH)).astype(np.float32)
    logits = {name: head.logits(vectors) for name, head in SHIPPED.heads.items()}
    bands = dict.fromkeys(sum(LABELS.values(), ()), 0.5)
    config = ModelConfig.fresh(LABELS, version="1", trained_on={}, facts={})
    heads = {name: Head(labels=LABELS[name], temperature=1.0, please_check=bands) for name in HEADS}

    found = as_shipped(replace(config, name="harken-test", heads=heads), vectors, logits)

    assert found.base == "harken-test-1"
    for name, head in SHIPPED.heads.items():
        np.testing.assert_allclose(found.heads[name].weights, head.weights, atol=1e-3)
    with pytest.raises(ValueError, match="too few"):
        as_shipped(config, vectors[:WIDTH], {name: rows[:WIDTH] for name, rows in logits.items()})
    with pytest.raises(ValueError, match="not linear"):
        as_shipped(config, vectors, {name: rows**3 for name, rows in logits.items()})


def test_a_head_without_lessons_stays_as_it_was_shipped() -> None:
    new = refit(SHIPPED, read(posts(9, 5, seed=1), intent="praise"), known())

    assert [name for name in HEADS if new.heads[name] is not SHIPPED.heads[name]] == ["intent"]


def test_a_handful_of_posts_teaches_a_service_and_leaves_the_others_alone() -> None:
    handful = read(posts(6, 0, seed=1, also=4), service_code="highway_47")

    new = refit(SHIPPED, handful, known(), own_services=("highway_47",))
    new = recalibrated(new, SHIPPED, REGRESSION.posts)

    head = new.heads["service_code"]
    assert head.labels == ("noise", "parks", "none", "highway_47")
    assert head.said(posts(20, 0, seed=2, also=4)).count("highway_47") >= 15
    assert set(head.said(posts(20, 0, seed=3))) == {"noise"}
    assert head.please_check["highway_47"] == 0.9, "from a handful only very sure answers go unchecked"
    assert all(head.please_check[label] >= 0.6 for label in LABELS["service_code"])


@pytest.mark.parametrize(("won", "lost", "chance"), [(0, 0, 1.0), (4, 0, 1 / 16), (5, 0, 1 / 32), (7, 1, 9 / 256)])
def test_the_chance_of_so_many_wins_is_exact(won: int, lost: int, chance: float) -> None:
    assert sign_test(won, lost) == chance


def verdict(new: Heads, held_back: Read, **group: str) -> Any:
    return judge(new, SHIPPED, SHIPPED, held_back=measured(held_back, **group), regression=REGRESSION, emergency=0.5)


def test_the_gate_lets_pass_what_is_better_and_loses_nothing() -> None:
    new = refit(SHIPPED, read(posts(20, 5, seed=1), service_code="parks"), known())

    said = verdict(new, read(posts(8, 5, seed=2), service_code="parks"), neighborhood="Riverside")

    assert said.passed, said.reason
    assert said.figures["held_back"]["won"] >= 5
    assert said.figures["held_back"]["lost"] == 0


def test_the_gate_refuses_what_is_no_better_and_says_so() -> None:
    said = verdict(SHIPPED, read(posts(8, 5, seed=2), service_code="parks"))

    assert not said.passed
    assert "not better beyond chance: 0 of 8 held-back mentions are read better than before and 0 worse" in said.reason


def test_the_gate_refuses_a_loss_whatever_was_won() -> None:
    weights = SHIPPED.heads["urgency"].weights[[2, 1, 0]]  # calm and danger in each other's place
    deaf = replace(SHIPPED, heads={**SHIPPED.heads, "urgency": replace(SHIPPED.heads["urgency"], weights=weights)})

    said = verdict(deaf, read(posts(30, 0, seed=2), urgency="normal"), neighborhood="Riverside", language="es")

    assert said.figures["held_back"]["won"] == 30
    assert not said.passed
    assert "emergencies found by the model falls from" in said.reason


def test_the_gate_sees_a_loss_in_one_neighborhood() -> None:
    new = refit(SHIPPED, read(posts(40, 5, seed=1), service_code="parks"), known())
    won = measured(read(posts(30, 5, seed=2), service_code="parks"), neighborhood="Riverside")
    lost = measured(read(posts(25, 5, seed=4), service_code="none"), neighborhood="Mill Hill")
    before = replace(SHIPPED.heads["service_code"], bias=np.array([0, 0, 1], np.float32))
    old = replace(SHIPPED, heads={**SHIPPED.heads, "service_code": before})
    held_back = Measured(posts=joined(won.posts, lost.posts), groups=[*won.groups, *lost.groups])

    said = judge(new, old, SHIPPED, held_back=held_back, regression=REGRESSION, emergency=0.5)

    assert not said.passed
    assert "service_code, neighborhood Mill Hill falls from" in said.reason
