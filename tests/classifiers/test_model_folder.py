from pathlib import Path

import pytest

from classifiers import model_folder
from classifiers.model_folder import SHIPPED, bands, read_config
from vocabulary import GENERAL_CODES, Intent, Sentiment, Urgency


def test_the_shipped_model_answers_in_our_words() -> None:
    heads = read_config(SHIPPED).heads

    assert heads["intent"].labels == tuple(Intent)
    assert heads["service_code"].labels == (*GENERAL_CODES, model_folder.NO_SERVICE)
    assert heads["sentiment"].labels == tuple(Sentiment)
    assert heads["urgency"].labels == tuple(Urgency)


def test_bands_are_probabilities() -> None:
    found = bands()

    assert set(found.please_check) == set(read_config(SHIPPED).heads)
    assert all(0 <= confidence < 1 for confidence in found.please_check.values())
    assert 0 < found.emergency <= 0.5


def test_the_shipped_model_names_its_data_and_their_terms() -> None:
    licence = (SHIPPED / "LICENSE-WEIGHTS.md").read_text(encoding="utf-8")

    for name in read_config(SHIPPED).trained_on:
        assert f"`{name}`" in licence


def test_files_are_small_enough_for_any_git_host() -> None:
    assert all(path.stat().st_size < 50_000_000 for path in SHIPPED.iterdir())


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / model_folder.CONFIG_FILE).write_text('{"heads": {}}', encoding="utf-8")

    with pytest.raises(ValueError, match=r"config\.json is not a model's config"):
        read_config(tmp_path)


def test_a_missing_model_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"config\.json"):
        read_config(tmp_path)
