"""A model that answers in words that the city does not have: told by ``harken doctor``, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.deployment import Deployment
from settings import load
from tests.deployments import written
from tests.fakes import ScriptedClassifier, said

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    held = Deployment(load(written(tmp_path, NOWHERE, accounts={})))
    yield held
    held.close()


def examined(deployment: Deployment, **scores: dict[str, float]) -> doctor.Finding:
    answer = said()
    answering = replace(answer, scores={**answer.scores, **scores})
    deployment.classifier = ScriptedClassifier(script={"street light": answering})
    return next(finding for finding in doctor.of_deployment(deployment) if finding.what == "model")


def test_services_that_nobody_has_are_a_fault(deployment: Deployment) -> None:
    found = examined(deployment, service_code={"karaoke": 1.0, "none": 0.0})

    assert found.mark == "FAIL"
    assert "service_code karaoke is no word of Harken's nor a service of the city" in found.told
    assert "[classifier]" in found.told


def test_services_that_it_does_not_know_are_told(deployment: Deployment) -> None:
    found = examined(deployment, service_code={"pothole_road": 1.0, "none": 0.0})

    assert found.mark == "warn"
    assert "services that map there are never proposed" in found.told
    assert "maps_to in services.csv" in found.told


def test_the_shipped_labels_are_good(deployment: Deployment) -> None:
    assert examined(deployment).mark == "ok"
