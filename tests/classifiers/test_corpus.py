"""Which posts are learned from, which are kept apart, and on what terms."""

import hashlib
import shutil
from pathlib import Path

import pytest

from classifiers import corpus
from classifiers.corpus import Example, Stage
from tests.classifiers.conftest import LABELLED, write_rows


def learned_from(
    data: Path, exclude: frozenset[str] = frozenset(), cities: frozenset[str] = frozenset()
) -> list[Example]:
    stages = corpus.training_stages(data, exclude, cities)
    return [example for stage in stages for share in stage.shares for example in share.examples]


def test_no_training_post_is_a_copy_of_one_to_be_tested_on(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    row: dict[str, object] = {"text": "Deep  pothole, VAL", "label": "sidewalk", "city": "atlanta"}
    write_rows(tmp_path / "requests311" / "train.jsonl", row)

    assert "Deep  pothole, VAL" not in [example.text for example in learned_from(tmp_path)]


def test_sets_are_left_out_by_their_terms(data: Path) -> None:
    excluded = frozenset({"nc", "x", "unstated"})

    assert {example.source for example in learned_from(data, excluded)} <= {"own", "sf311"}
    assert "no me gusta nada, train" in corpus.texts_to_read(data)
    assert "no me gusta nada, train" not in corpus.texts_to_read(data, excluded)


def test_a_city_can_be_left_out_to_see_how_we_do_in_one_we_never_saw(data: Path) -> None:
    assert "new_york" in {example.city for example in learned_from(data)}
    assert "new_york" not in {example.city for example in learned_from(data, cities=frozenset({"new_york"}))}


def labelled(text: str, row: int, **said: str) -> dict[str, object]:
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return {**LABELLED, "set": "civic_tweets", "row": row, "sha256": digest, **said}


def test_what_readers_said_is_joined_to_the_row_they_read(data: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / corpus.READ, labelled("garbage heap", 0, service="trash_dumping"))

    learn, calibrate = corpus.read_posts(data, tmp_path)

    (post,) = learn + calibrate
    assert (post.text, post.source, post.labels["service_code"]) == ("garbage heap", "civic_tweets", "trash_dumping")


def test_what_readers_said_of_another_row_is_left_out_with_a_warning(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_rows(
        tmp_path / corpus.READ, labelled("garbage heap", 1), labelled("of a set that is not there", 7, set="other")
    )

    assert corpus.read_posts(data, tmp_path) == ([], [])
    assert "2 of the posts that our readers labelled are not in" in caplog.text


def test_nothing_of_the_airline_set_is_learned_or_tuned_on(data: Path) -> None:
    assert any(one.source == "airline" for one in corpus.read_part(data, "intents", "train")), "its rows stand there"
    assert not any(one.source == "airline" for one in [*learned_from(data), *corpus.calibration_examples(data)])


def test_our_own_moods_outweigh_those_of_the_tweets_in_the_last_stages_alone_which_keep_these(data: Path) -> None:
    def moods(stage: Stage) -> float | None:
        own = [one for share in stage.shares for one in share.examples if one.source == "own"]
        return sum("sentiment" in one.labels for one in own) / len(own) if own else None

    broad, *stages = corpus.training_stages(data)
    others, last = stages[:3], stages[3:]
    assert moods(broad) is None
    assert all(0.25 < (moods(stage) or 0) < 0.42 for stage in others)
    assert all((moods(stage), stage.keeps_moods_of) == (1, 0) for stage in last)
    without_tweets = corpus.training_stages(data, frozenset({"x"}))
    assert {moods(stage) for stage in without_tweets[1:]} == {1}
    assert without_tweets[-1].keeps_moods_of is None


def test_tweets_are_nothing_to_ring_for_in_the_last_three_stages_alone(data: Path) -> None:
    said = [
        {one.labels.get("urgency") for share in stage.shares for one in share.examples if one.folder in corpus.TWEETS}
        for stage in corpus.training_stages(data)
    ]

    assert said == [{None}] * 5 + [{"normal"}] * 3


def test_held_out_posts_are_never_learned() -> None:
    learn, calibration = corpus.own_posts()
    held_out = {example.text for example in corpus.held_out_posts()}

    assert held_out
    assert not held_out & {example.text for example in [*learn, *calibration]}


def test_every_own_post_has_labels_that_the_heads_know() -> None:
    learn, calibration = corpus.own_posts()

    assert all(set(example.labels) == set(corpus.HEADS) for example in [*learn, *calibration])


def test_copies_are_told_by_their_normalised_text() -> None:
    one = Example(text="Fix  it!", source="own", folder="own")
    other = Example(text="fix it!", source="own", folder="own")

    assert corpus.without_copies([one], [other]) == []
