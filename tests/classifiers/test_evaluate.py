"""The evaluation, over a small data folder of made-up posts and a few of our own."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from classifiers import bars, card, corpus, evaluate, figures, model_folder
from classifiers.bars import Bar
from classifiers.fitting import BadModel
from classifiers.readings import Graded
from cli import app
from errors import ConfigError

FEW = 60  #: posts of each set
SHIPPED = model_folder.SHIPPED


@pytest.fixture(scope="module")
def report(data: Path) -> evaluate.Report:
    beside = evaluate.Beside(full_precision=SHIPPED / model_folder.INT8_FILE, sister=SHIPPED, against=SHIPPED)
    return evaluate.evaluate(data, beside=beside, at_most=FEW)


def test_each_set_is_scored_on_the_heads_it_has_labels_for(report: evaluate.Report) -> None:
    assert set(report.heads[bars.INTENTS]) == set(report.heads[bars.HELD_BACK]) == set(corpus.HEADS)
    assert set(report.heads[bars.REQUESTS]) == {"intent", "service_code"}
    assert set(report.heads[bars.SENTIMENT]) == {"sentiment"}


def test_the_lane_is_what_either_finds(report: evaluate.Report) -> None:
    found = report.emergencies[bars.INTENTS]

    assert found.posts == 1
    assert found.words.value == 1
    assert found.either.value == 1


def test_every_bar_of_the_table_has_a_figure_or_says_why_not(report: evaluate.Report) -> None:
    judged = [bar for bar in report.bars if bar.target is not None]

    assert len(judged) == 20
    assert {bar.verdict for bar in judged} <= {"reached", "clearly reached", "missed", "clearly missed", "not measured"}
    assert all(bar.note for bar in judged if bar.verdict == "not measured" and "requests311" not in bar.what)


def test_a_model_is_no_better_than_itself(report: evaluate.Report) -> None:
    lost = [bar for bar in report.bars if bar.what.startswith("int8") and (bar.val or bar.held_back)]

    assert len(lost) >= 3
    assert all(one is None or one.value == one.low == one.high == 0 for bar in lost for one in (bar.val, bar.held_back))
    assert report.compared
    assert all(one.more.value == 0 for one in report.compared if np.isfinite(one.ours.value))


def test_the_table_and_the_card_name_every_set(report: evaluate.Report, tmp_path: Path) -> None:
    config = model_folder.read_config(SHIPPED)

    card.write_card(tmp_path / "card.md", report, config)

    written = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "<!--" not in written
    for name in report.heads:
        assert name in card.render(report)
        assert name in written
    for bar in report.bars:
        assert bar.what in written


def test_scores_are_what_they_say() -> None:
    graded = Graded(
        labels=("a", "b"),
        probabilities=np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]]),
        wanted=np.array([0, 0, 1, 1]),
        rows=np.arange(4),
    )
    head = model_folder.Head(labels=("a", "b"), temperature=1, please_check={"a": 0.65, "b": 0.65})

    score = evaluate.score(graded, head)

    assert score.whole.accuracy.value == 0.75
    assert score.whole.macro_recall.value == 0.75
    assert score.labels["a"].precision.value == pytest.approx(2 / 3)
    assert score.labels["b"].recall.value == 0.5
    assert score.checked == 0.25
    assert score.accuracy_above is not None
    assert score.accuracy_above.value == pytest.approx(2 / 3)
    assert score.confusion == {"a": {"a": 2}, "b": {"a": 1, "b": 1}}


@pytest.mark.parametrize(
    ("figure", "side", "verdict"),
    [
        (0.9, bars.AT_LEAST, "clearly reached"),
        (0.72, bars.AT_LEAST, "reached"),
        (0.68, bars.AT_LEAST, "missed"),
        (0.5, bars.AT_LEAST, "clearly missed"),
        (0.5, bars.AT_MOST, "clearly reached"),
        (0.9, bars.AT_MOST, "clearly missed"),
        (None, bars.AT_MOST, "not measured"),
    ],
)
def test_a_bar_is_reached_or_missed(figure: float | None, side: str, verdict: str) -> None:
    found = None if figure is None else figures.share(np.arange(100) < round(figure * 100))

    assert Bar(what="it", target=0.7, side=side, val=found).verdict == verdict


def test_a_bar_on_two_sets_must_be_reached_on_both() -> None:
    good, bad = figures.share(np.ones(100, np.bool_)), figures.share(np.zeros(100, np.bool_))

    assert Bar(what="it", target=0.7, val=good, held_back=bad, judged=("val", "held_back")).verdict == "missed"


def test_the_command_writes_json_and_the_card(data: Path, tmp_path: Path) -> None:
    places = {"--card": tmp_path / "card.md", "--json": tmp_path / "all.json"}

    told = CliRunner().invoke(
        app, ["evaluate", str(data), "--at-most", "30", *(str(word) for pair in places.items() for word in pair)]
    )

    assert told.exit_code == 0, told.output
    assert "## The table" in told.output
    assert "<!--" not in places["--card"].read_text(encoding="utf-8")
    table = json.loads(places["--json"].read_text(encoding="utf-8"))
    assert {bar["verdict"] for bar in table["bars"]} >= {"", "not measured"}
    assert table["sets"][bars.HELD_BACK] == 30


def test_without_data_our_own_held_back_posts_are_read_and_the_rest_is_named() -> None:
    told = CliRunner().invoke(app, ["evaluate", "--at-most", "30", "--json", "-"])

    table = json.loads(told.stdout)
    assert list(table["sets"]) == [bars.HELD_BACK]
    assert all(name in table["missing"][0] for name in evaluate.PARTS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["evaluate", "/nowhere/data"], "no such folder"),
        (["evaluate", "DATA", "--card", "/nowhere/card.md"], "no folder /nowhere"),
        (["evaluate", "DATA", "--json", "/nowhere/all.json"], "no folder /nowhere"),
        (["evaluate", "EMPTY"], "is not there"),
        (["evaluate", "DATA", "--model", "EMPTY"], "there is no model: config.json is missing"),
        (["evaluate", "DATA", "--full-precision", "/nowhere.onnx", "--at-most", "30"], "no such file"),
        (["train", "DATA", "--exclude-terms", "nc,xx"], "xx: there are nc, unstated, x"),
        (["train", "DATA", "--full-precision", "/nowhere/model.onnx"], "no folder /nowhere"),
        (["train", "EMPTY"], "is not there"),
    ],
    ids=[
        "no data",
        "no place for the card",
        "no place for the JSON",
        "an empty folder",
        "no model",
        "no full-precision file",
        "terms that no set has",
        "no place for a file",
        "nothing to train on",
    ],
)
def test_a_wrong_call_is_told_in_one_line(data: Path, tmp_path: Path, given: list[str], said: str) -> None:
    places = {"DATA": str(data), "EMPTY": str(tmp_path)}

    told = CliRunner().invoke(app, [places.get(word, word) for word in given])

    assert isinstance(told.exception, ConfigError)
    assert said in str(told.exception)
    assert "\n" not in str(told.exception)


def test_a_full_precision_file_of_another_model_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")

    with pytest.raises(BadModel, match=r"model\.onnx: the model can't be run"):
        evaluate.evaluate(data, beside=evaluate.Beside(full_precision=tmp_path / "model.onnx"), at_most=30)
