import json
import shutil
from pathlib import Path

import pytest

from classifiers.fitting import BadModel, fit, load_fitting
from classifiers.model_folder import CONFIG_FILE, INT8_FILE, SHIPPED, TOKENIZER_FILE, read_config
from vocabulary import GENERAL_CODES, Service

LABELS = {name: head.labels for name, head in read_config(SHIPPED).heads.items()}


def services(*general: str) -> list[Service]:
    return [Service(service_code=f"c-{code}", service_name=code, maps_to=code) for code in general]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (INT8_FILE, TOKENIZER_FILE):
        (tmp_path / name).symlink_to(SHIPPED / name)
    shutil.copy(SHIPPED / CONFIG_FILE, tmp_path)
    return tmp_path


def test_the_shipped_model_fits_the_general_services() -> None:
    found = fit(LABELS, services(*GENERAL_CODES))

    assert not found.wrong
    assert not found.thin


def test_a_service_that_nobody_has_is_told() -> None:
    found = fit({**LABELS, "service_code": ("noise", "karaoke", "none")}, services("noise"))

    assert found.wrong == ("service_code karaoke is no word of Harken's nor a service of the city",)


def test_a_service_of_the_city_itself_is_no_stranger() -> None:
    own = [*services("noise"), Service(service_code="karaoke", service_name="Karaoke")]

    assert not fit({**LABELS, "service_code": ("noise", "karaoke", "none")}, own).wrong


def test_what_will_never_be_proposed_is_told() -> None:
    found = fit({**LABELS, "service_code": ("noise", "parks", "none")}, services("noise", "graffiti"))

    assert not found.wrong
    assert "does not know graffiti" in found.thin[0]
    assert "maps to parks" in found.thin[1]


def test_a_city_that_must_teach_all_its_services_is_told() -> None:
    found = fit(LABELS, [Service(service_code="karaoke", service_name="Karaoke")])

    assert not found.wrong
    assert "none is proposed until the city's own are learned" in found.thin[0]


def test_a_model_that_asks_less_is_wrong() -> None:
    labels = {head: known for head, known in LABELS.items() if head != "urgency"}

    assert fit(labels, []).wrong == ("it does not answer urgency",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda heads: heads.pop("urgency"), "there is no head 'urgency'"),
        (lambda heads: heads["intent"]["labels"].remove("praise"), "heads.intent.labels lacks praise"),
        (lambda heads: heads["intent"]["labels"].append("rant"), "heads.intent has 7 labels, but model.int8.onnx"),
    ],
    ids=["a head less", "a label less", "a label more"],
)
def test_labels_that_the_model_does_not_answer_with_are_refused(folder: Path, change: object, said: str) -> None:
    table = json.loads((folder / CONFIG_FILE).read_text())
    assert callable(change)
    change(table["heads"])
    (folder / CONFIG_FILE).write_text(json.dumps(table))

    with pytest.raises(BadModel) as told:
        load_fitting(folder)

    assert said in str(told.value)
    assert "take the config" in str(told.value) or "train the model" in str(told.value)


@pytest.mark.parametrize("name", [CONFIG_FILE, TOKENIZER_FILE, INT8_FILE])
def test_a_missing_or_damaged_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadModel, match=f"there is no model: {name} is missing"):
        load_fitting(folder)

    (folder / name).write_bytes(b"{broken")
    with pytest.raises(BadModel, match=r"not a model's config|can't be run"):
        load_fitting(folder)
