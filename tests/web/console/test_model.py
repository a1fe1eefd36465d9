"""The Model pages: what is not measured is said, switches, versions, labels, and why a post is read so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlmodel import col, select

from pipeline.serving import base
from store import models, switches
from store.tables import CorrectionRow, DraftRow
from tests.fakes import ScriptedClassifier
from tests.web.console.conftest import City, Desk, button
from tests.web.console.model_seeds import half_a_year, versions
from web.model_figures import FIGURES_FILE, HELD_BACK, Figure, shipped_figures

As = Callable[..., TestClient]


def shown(client: TestClient, path: str = "/console/model") -> BeautifulSoup:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text[:600]
    return BeautifulSoup(answer.text, "html.parser")


def words(page: BeautifulSoup) -> str:
    return page.get_text(" ", strip=True)


def test_a_fresh_city_is_told_what_answers_and_what_is_not_known(city: City, as_role: As) -> None:
    viewer = as_role("viewer")
    overview = words(shown(viewer))

    assert base() in overview
    assert "as it was shipped" in overview
    assert "Nothing yet." in overview
    assert city.posts == 0
    assert "There is nothing to compare with yet" in words(shown(viewer, "/console/model/drift"))
    assert "Nothing is left that would teach the model much" in words(shown(viewer, "/console/model/label"))


def test_only_an_admin_acts_and_emergencies_take_a_typed_word(city: City, as_role: As) -> None:
    path = "/console/model/switches/urgency/emergency"
    admin, htmx = as_role("admin"), {"HX-Request": "true"}

    assert as_role("approver").post(path, data={"on": "no"}).status_code == 403
    assert not shown(as_role("approver")).select("#model form")
    refused = admin.post(path, data={"on": "no", "confirmation": "ok"}, headers=htmx)
    assert (refused.status_code, "Type the word emergency" in refused.text) == (422, True)
    assert admin.post(path, data={"on": "no", "confirmation": "emergency"}, headers=htmx).status_code == 200
    admin.post("/console/model/switches/service_code/parks", data={"on": "no"})

    with city.deployment.store.reading() as session:
        assert switches.off(session) == {("urgency", "emergency"), ("service_code", "parks")}
    page = shown(admin)
    assert "the model’s part is switched off" in words(page)
    admin.post("/console/model/switches/service_code/parks", data={"on": "yes"})
    assert button(page, "Switch the model’s alarms on again")


def test_a_version_is_promoted_and_rolled_back(city: City, as_role: As) -> None:
    versions(city)
    admin, htmx = as_role("admin"), {"HX-Request": "true"}

    promoted = admin.post("/console/model/versions/3/promote", headers=htmx)

    assert "Version 3 answers from the next posts on" in promoted.text
    assert "8 of 40 held-back mentions" in promoted.text
    assert admin.post("/console/model/versions/2/rollback", headers=htmx).status_code == 409
    assert admin.post("/console/model/versions/1/promote", headers=htmx).status_code == 409
    assert admin.post("/console/model/versions/3/rollback", headers=htmx).status_code == 200
    with city.deployment.store.reading() as session:
        live = models.live(session)
    assert live is not None
    assert live.number == 2


def test_a_drift_is_told_in_plain_words_and_a_quiet_half_year_is_not_warned_of(city: City, as_role: As) -> None:
    half_a_year(city)

    warned = shown(as_role("viewer"), "/console/model/drift")

    warning = warned.select_one("#early-warning")
    assert warning is not None
    assert "one thing is no longer as in the first weeks" in words(warning)  # type: ignore[arg-type]  # a Tag reads alike
    assert "Report went from" in warning.get_text()
    assert len(warned.select("table#drift-intent tbody tr")) == 20


def test_a_post_is_labelled_and_the_next_comes_by_itself(city: City, desk: Desk) -> None:
    first = city.hears("Pothole at 500 Oak Street", account="city_hall_x")
    second = city.hears("Dog loose in the park again", account="city_hall_x", author="kim")
    page = desk.get("/console/model/label")
    shown_first = int(str(page.select("[id^=label-]")[0]["id"]).removeprefix("label-"))
    said: dict[str, object] = {
        "intent": "report",
        "urgency": "normal",
        "sentiment": "negative",
        "service_code": "pothole",
    }

    after = desk.post(f"/console/model/label/{shown_first}", said)

    other = first if shown_first == second else second
    assert after.select(f"#label-{other}")
    with city.deployment.store.reading() as session:
        lessons = session.exec(select(CorrectionRow).where(col(CorrectionRow.mention_id) == shown_first)).all()
        drafts = session.exec(select(DraftRow.state).where(DraftRow.mention_id == shown_first)).all()
    assert {(one.field, one.value) for one in lessons} == set(said.items())
    assert drafts == ["pending"]  # all of it was confirmed, so nothing was drafted anew
    assert desk.post(f"/console/model/label/{other}", said | {"intent": "nonsense"}, expect=422).select(
        f"#label-{other}"
    )


def test_why_a_post_is_read_so(city: City, desk: Desk, as_role: As) -> None:
    city.deployment.__dict__["classifier"] = ScriptedClassifier()
    mention = city.hears("I smell gas by the pothole at 500 Oak Street", service_code="pothole")
    path = f"/console/mentions/{mention}/why"

    answer = desk.client.get(path, headers={"HX-Request": "true"} if desk.htmx else {})

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 200
    assert next(mark.get_text() for mark in page.select("details mark")) == "pothole"
    assert "alarm is raised by words about a gas smell or leak" in words(page)
    assert bool(page.select_one("main")) is not desk.htmx
    assert as_role("viewer", account="parks_x").get(path).status_code == 404


def test_figures_are_read_and_those_of_another_model_or_none_at_all_are_not(tmp_path: Path) -> None:
    figure = {"value": 0.83, "low": 0.8, "high": 0.86, "posts": 700}
    whole = {"posts": 700, "accuracy": figure, "macro_recall": figure, "macro_f1": figure, "ece": None}
    label = {"posts": 150, "precision": figure, "recall": figure, "f1": figure}
    table = {
        "model": "harken-1",
        "sets": {HELD_BACK: 700},
        "bars": [
            {"what": "pages per 1,000 ordinary posts", "target": 2, "side": "≤", "val": figure, "judged": ["val"]}
        ],
        "heads": {HELD_BACK: {"intent": {"whole": whole, "labels": {"report": label}}}},
        "emergencies": {},
    }
    (tmp_path / FIGURES_FILE).write_text(json.dumps(table))

    found = shipped_figures("harken-1", tmp_path)

    assert found is not None
    assert found.heads["intent"].macro_f1 == Figure(value=0.83, low=0.8, high=0.86)
    assert (found.pages, found.lane, found.heads["intent"].ece) == (found.bars[0].figure, None, None)
    assert shipped_figures("harken-2", tmp_path) is None
    (tmp_path / FIGURES_FILE).write_text("{")
    assert shipped_figures("harken-1", tmp_path) is None
    assert shipped_figures("harken-1", tmp_path / "none") is None
