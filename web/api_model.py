"""``/api/v1/model``: what answers, how good it is, what it learned, and what it may answer by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from pipeline import decide, learning
from pipeline.deployment import Deployment
from store import cursors, models
from store.refusals import Missing
from web import deps, model_shapes, model_shown, reach, shapes
from web.asked import Asked, Paged, Words
from web.deps import Admin, Deployed, Viewer
from web.errors import paging

router = deps.noun("model")


class SwitchOff(Asked):
    """What it takes to switch an answer off."""

    confirmation: Annotated[Words, Field(max_length=40, description="`emergency`, to switch urgency/emergency off")] = (
        ""
    )


@router.get("")
def one_model(d: Deployed, _who: Viewer) -> model_shapes.Model:
    """What answers now, its figures, and each answer with its threshold and its switch. Null: not measured."""
    with d.store.reading() as session:
        return model_shapes.model(model_shown.overview(session, d))


@router.get("/versions")
def list_versions(
    d: Deployed, _who: Viewer, asked: Annotated[Paged, Query()]
) -> shapes.Listed[model_shapes.ModelVersion]:
    """What was learned from this city, the last made first."""
    with d.store.reading() as session, paging():
        before = None if asked.cursor is None else cursors.decode("model-versions", asked.cursor, (int,))[0]
        rows = [row for row in models.versions(session, limit=1_000) if before is None or row.number < before]
        page, more = rows[: asked.limit], len(rows) > asked.limit
        last = cursors.encode("model-versions", page[-1].number) if more else None
        return shapes.Listed(items=[model_shapes.version(row) for row in page], next=last)


@router.post("/versions/{number}/promote")
def promote(d: Deployed, who: Admin, number: str) -> model_shapes.ModelVersion:
    """Let a version answer, from the next posts on. 409: it was refused, or answers already."""
    learning.promote(d, who, reach.row_id(number, "version"))
    return _version(d, number)


@router.post("/versions/{number}/shadow")
def shadow(d: Deployed, who: Admin, number: str) -> model_shapes.ModelVersion:
    """Let a version answer beside the one in use: its answers are kept and never used."""
    learning.shadow(d, who, reach.row_id(number, "version"))
    return _version(d, number)


@router.post("/versions/{number}/rollback")
def roll_back(d: Deployed, who: Admin, number: str) -> model_shapes.ModelVersion:
    """Let what answered before this version answer again. 409: another one answers now."""
    learning.rollback(d, who, reach.row_id(number, "version"))
    return _version(d, number)


@router.put("/switches/{head}/{label}")
def switch_off(
    d: Deployed, who: Admin, head: str, label: str, asked: SwitchOff | None = None
) -> model_shapes.ModelLabel:
    """Have staff check an answer every time, from the next post on; a service is then left for them to fill in.

    To switch `urgency/emergency` off takes a confirmation; the word patterns raise alarms all the same.
    """
    decide.set_label(d, who, head, label, on=False, confirmation=asked.confirmation if asked else "")
    return _label(d, head, label)


@router.delete("/switches/{head}/{label}")
def switch_on(d: Deployed, who: Admin, head: str, label: str) -> model_shapes.ModelLabel:
    """Let the model give an answer by itself again."""
    decide.set_label(d, who, head, label, on=True)
    return _label(d, head, label)


def _version(d: Deployment, number: str) -> model_shapes.ModelVersion:
    with d.store.reading() as session:
        return model_shapes.version(models.version(session, int(number)))


def _label(d: Deployment, head: str, label: str) -> model_shapes.ModelLabel:
    with d.store.reading() as session:
        found = model_shapes.model(model_shown.overview(session, d)).labels
    for one in found:
        if (one.head, one.label) == (head, label):
            return one
    raise Missing(f"the model has no answer {label!r} of {head!r}")
