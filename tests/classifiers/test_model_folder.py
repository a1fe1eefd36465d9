import json
from pathlib import Path

import pytest

from classifiers import model_folder
from classifiers.model_folder import SHIPPED, Bands, bands, read_config
from vocabulary import GENERAL_CODES, Classification, Intent, Sentiment, Urgency


def test_the_shipped_model_answers_in_our_words() -> None:
    heads = read_config(SHIPPED).heads

    assert heads["intent"].labels == tuple(Intent)
    assert heads["service_code"].labels == (*GENERAL_CODES, model_folder.NO_SERVICE)
    assert heads["sentiment"].labels == tuple(Sentiment)
    assert heads["urgency"].labels == tuple(Urgency)


def test_bands_are_probabilities() -> None:
    found = bands()

    assert set(found.please_check) == set(read_config(SHIPPED).heads)
    assert all(0 <= confidence < 1 for labels in found.please_check.values() for confidence in labels.values())
    assert 0 < found.emergency <= 0.5


def a_classification(*, language: str = "en", intent: str = "report", service: float = 0.9) -> Classification:
    return Classification(
        intent=intent,
        service_code="noise",
        sentiment="neutral",
        urgency="normal",
        language=language,
        scores={"intent": {intent: 0.9}, "service_code": {"noise": service}},
        model="m",
    )


BANDS = Bands(
    please_check={"intent": {"report": 0.8, "other": 0.8}, "service_code": {"noise": 0.8}},
    languages=("en",),
    emergency=0.2,
)


@pytest.mark.parametrize(
    ("said", "heads"),
    [
        pytest.param(a_classification(), (), id="sure"),
        pytest.param(a_classification(service=0.7), ("service_code",), id="one head in doubt"),
        pytest.param(a_classification(intent="other", service=0.7), (), id="no service concerned"),
        pytest.param(a_classification(language="es"), ("intent", "service_code"), id="a language it does not know"),
    ],
)
def test_what_staff_should_check(said: Classification, heads: tuple[str, ...]) -> None:
    assert BANDS.to_check(said) == heads


def test_the_shipped_model_names_its_data_and_their_terms() -> None:
    licence = (SHIPPED / "LICENSE-WEIGHTS.md").read_text(encoding="utf-8")

    for name in read_config(SHIPPED).trained_on:
        assert f"`{name}`" in licence


def test_files_are_small_enough_for_any_git_host() -> None:
    assert all(path.stat().st_size < 50_000_000 for path in SHIPPED.iterdir())


def test_the_floor_that_older_folders_name_is_passed_over(tmp_path: Path) -> None:
    config = json.loads((SHIPPED / model_folder.CONFIG_FILE).read_text(encoding="utf-8"))
    config["words_from"] = 0.02
    (tmp_path / model_folder.CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")

    assert read_config(tmp_path) == read_config(SHIPPED)


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / model_folder.CONFIG_FILE).write_text('{"heads": {}}', encoding="utf-8")

    with pytest.raises(ValueError, match=r"config\.json is not a model's config"):
        read_config(tmp_path)


def test_a_missing_model_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"config\.json"):
        read_config(tmp_path)


def test_the_shipped_model_does_not_tell_where_it_was_made() -> None:
    """Exporters write stack traces into the file, with the folders of the machine."""
    model = (SHIPPED / "model.int8.onnx").read_bytes()

    assert b"site-packages" not in model
    assert b"Traceback" not in model
    assert b'File "/' not in model
