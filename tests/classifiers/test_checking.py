import json
from pathlib import Path

import pytest

from classifiers.checking import BadData, check_part

GOOD = {"text": "what a day", "label": "positive"}
INTENT = {
    "text": "deep pothole",
    "intent": "report",
    "service": "pothole_road",
    "urgency": "normal",
    "sentiment": "negative",
    "from": "requests311",
}


def checked(folder: Path, name: str, *lines: object) -> None:
    path = folder / name / "val.jsonl"
    path.parent.mkdir()
    written = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(written))
    check_part(folder, name, "val")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"text": "caf\xe9"', "not UTF-8 at byte 13: save the file as UTF-8"),
        (b"\xff\xfe{\x00", "not UTF-8 at byte 0"),
        (b'{"text": "half', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"text": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        ({"text": "no label"}, "label is missing: mend the line or take it out"),
        ({**GOOD, "label": "POSITIVE"}, "label = 'POSITIVE' must be one of negative, neutral, positive"),
        ({**GOOD, "label": None}, "label = 'None' must be one of"),
        ({**GOOD, "text": " "}, "text = ' ' must be a string with something in it"),
    ],
)
def test_a_bad_line_is_told_with_its_file_and_number(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(BadData) as told:
        checked(tmp_path, "sentiment", GOOD, b"", line)

    assert "sentiment/val.jsonl line 3: " in str(told.value)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"intent": "rant"}, "intent = 'rant' must be one of"),
        ({"service": "potholes"}, "service = 'potholes' is no code that Harken knows"),
        ({"from": "elsewhere"}, "from = 'elsewhere' must be one of"),
    ],
)
def test_a_label_that_no_head_has_is_told(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(BadData, match=said):
        checked(tmp_path, "intents", INTENT, {**INTENT, **change})


def test_a_set_with_one_class_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="every post is 'positive': two labels at least"):
        checked(tmp_path, "sentiment", GOOD, GOOD)


def test_an_empty_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="holds no post"):
        checked(tmp_path, "sentiment", b"\n\n")


def test_a_good_set_passes(tmp_path: Path) -> None:
    checked(tmp_path, "intents", INTENT, {**INTENT, "intent": "other", "service": None})
