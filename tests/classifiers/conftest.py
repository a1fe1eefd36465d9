"""A small data folder of made-up posts, shaped as the real one."""

import json
from pathlib import Path

import pytest

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
