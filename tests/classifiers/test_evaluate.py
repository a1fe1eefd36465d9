"""The evaluation, over a small data folder of made-up posts."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from classifiers import calibrate, card, corpus, evaluate, model_folder
from classifiers.calibrate import Answers
from classifiers.corpus import Example
from cli import app
from errors import ConfigError

LABELLED = {"intent": "report", "service": "graffiti", "urgency": "normal", "sentiment": "negative"}


def write_rows(path: Path, *rows: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for part in ("train", "val"):
        write_rows(
            folder / "intents" / f"{part}.jsonl",
            {**LABELLED, "text": f"graffiti on the wall, {part}", "from": "requests311"},
            {**LABELLED, "text": f"late flight, {part}", "from": "airline", "intent": "other", "service": None},
            {**LABELLED, "text": f"house on fire, {part}", "from": "crisis", "urgency": "emergency"},
        )
        write_rows(
            folder / "requests311" / f"{part}.jsonl",
            {"text": f"deep pothole, {part}", "label": "pothole_road", "city": "atlanta"},
            {"text": f"loud music, {part}", "label": "noise", "city": "new_york"},
        )
        write_rows(
            folder / "civic_tweets" / f"{part}.jsonl",
            {"text": "garbage heap", "label": "Waste/Garbage"},
            {"text": "good morning", "label": "noncivic"},
            {"text": "bad road", "label": "Potholes"},
        )
        for name in ("sentiment", "sentiment_es", "airline"):
            write_rows(
                folder / name / f"{part}.jsonl",
                {"text": f"I love it, {part}", "label": "positive"},
                {"text": f"no me gusta nada, {part}", "label": "negative"},
            )
    return folder


@pytest.fixture(scope="module")
def report(data: Path) -> evaluate.Report:
    return evaluate.evaluate(data, full_precision=model_folder.SHIPPED / model_folder.INT8_FILE)


def test_each_set_is_scored_on_the_heads_it_has_labels_for(report: evaluate.Report) -> None:
    assert set(report.heads["intents val"]) == set(corpus.HEADS)
    assert set(report.heads["requests311 val"]) == {"intent", "service_code"}
    assert set(report.heads["sentiment val"]) == {"sentiment"}


def test_alarms_count_what_either_finds(report: evaluate.Report) -> None:
    found = report.recall["intents val"]

    assert found.posts == 1
    assert found.words == 1
    assert found.either == 1


def test_the_table_and_the_card_name_every_set(report: evaluate.Report, tmp_path: Path) -> None:
    config = model_folder.read_config(model_folder.SHIPPED)

    card.write_card(tmp_path / "card.md", report, config)

    written = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "<!--" not in written
    for name in report.heads:
        assert name in card.render(report)
        assert name in written


def test_scores_are_what_they_say() -> None:
    answers = Answers(logits=np.log([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]]), wanted=np.array([0, 0, 1, 1]))

    score = evaluate.score(answers, ("a", "b"), temperature=1, please_check={"a": 0.65, "b": 0.65})

    assert score.accuracy == 0.75
    assert score.macro_recall == 0.75
    assert score.labels["a"].precision == pytest.approx(2 / 3)
    assert score.labels["b"].recall == 0.5
    assert score.checked == 0.25
    assert score.accuracy_above == pytest.approx(2 / 3)


def test_sure_and_right_has_no_calibration_error() -> None:
    assert evaluate.calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0
    assert evaluate.calibration_error(np.array([1.0, 1.0]), np.array([True, False])) == 0.5


def test_too_sure_a_head_is_cooled() -> None:
    logits = np.array([[2.0, 0.0]] * 10)
    answers = Answers(logits=logits, wanted=np.array([0] * 7 + [1] * 3))

    temperature = calibrate.best_temperature(answers)

    assert answers.probabilities(temperature)[0, 0] == pytest.approx(0.7, abs=0.03)


def test_the_band_starts_where_nine_in_ten_are_right() -> None:
    sure = [[0.95, 0.05]] * 9 + [[0.6, 0.4]] * 5
    wanted = [0] * 9 + [1] * 5

    assert calibrate.confidence_for(np.array(sure), np.array(wanted)) == pytest.approx(0.95)


def test_a_head_that_is_never_good_enough_is_always_checked() -> None:
    assert calibrate.confidence_for(np.array([[0.9, 0.1]]), np.array([1])) == 0.99


def test_a_thin_label_is_not_trusted_for_the_sake_of_an_easy_one() -> None:
    probabilities = np.array([[0.7, 0.3]] * 30 + [[0.4, 0.6]] * 3)
    wanted = np.array([0] * 30 + [1] * 3)

    assert calibrate.label_bands(probabilities, wanted, ("easy", "thin")) == {"easy": 0.7, "thin": 0.9}


def test_no_training_post_is_a_copy_of_one_to_be_tested_on(data: Path) -> None:
    write_rows(
        data / "requests311" / "train.jsonl", {"text": "Deep  pothole, VAL", "label": "sidewalk", "city": "atlanta"}
    )

    learned = [example.text for share in corpus.training_shares(data) for example in share.examples]

    assert "Deep  pothole, VAL" not in learned


def test_sets_are_left_out_by_their_terms(data: Path) -> None:
    learned = [
        example
        for share in corpus.training_shares(data, frozenset({"nc", "x", "unstated"}))
        for example in share.examples
    ]

    assert {example.source for example in learned} <= {"own", "sf311"}


def test_airline_sentiment_is_never_learned(data: Path) -> None:
    learned = [example for share in corpus.training_shares(data) for example in share.examples]

    assert not any(example.source == "airline" and "sentiment" in example.labels for example in learned)


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


def test_calibration_rewrites_the_config_alone(data: Path, tmp_path: Path) -> None:
    for name in (model_folder.INT8_FILE, model_folder.TOKENIZER_FILE):
        (tmp_path / name).symlink_to(model_folder.SHIPPED / name)
    fresh = model_folder.ModelConfig.fresh(corpus.HEADS, version="9", trained_on={}, facts={"seed": 7})
    model_folder.write_config(tmp_path, fresh)

    calibrate.calibrate(tmp_path, data)

    config = model_folder.read_config(tmp_path)
    assert config.version == "9"
    assert all(0.4 <= head.temperature <= 4 for head in config.heads.values())
    assert 0.05 <= config.emergency <= 0.5


def test_the_command_writes_the_card_besides(data: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["evaluate", str(data), "--card", str(tmp_path / "card.md")])

    assert told.exit_code == 0, told.output
    assert "## Heads" in told.output
    assert "<!--" not in (tmp_path / "card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["evaluate", "/nowhere/data"], "no such folder"),
        (["evaluate", "DATA", "--card", "/nowhere/card.md"], "no folder /nowhere"),
        (["evaluate", "EMPTY"], "is not there"),
        (["train", "DATA", "--exclude-terms", "nc,xx"], "xx: there are nc, unstated, x"),
    ],
    ids=["no data", "no place for the card", "an empty folder", "terms that no set has"],
)
def test_a_wrong_call_is_told_in_one_line(data: Path, tmp_path: Path, given: list[str], said: str) -> None:
    places = {"DATA": str(data), "EMPTY": str(tmp_path)}

    told = CliRunner().invoke(app, [places.get(word, word) for word in given])

    assert isinstance(told.exception, ConfigError)
    assert said in str(told.exception)
    assert "\n" not in str(told.exception)
