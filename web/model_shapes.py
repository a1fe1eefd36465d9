"""What the JSON API answers about the model; as in ``shapes``, the names are the contract."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field

from store.tables import ModelVersionRow
from web.model_figures import Figure as FoundFigure
from web.model_figures import HeadFigures
from web.model_shown import HeadCard, LabelLine, Overview
from web.shapes import Shape, Time
from web.why import Why as FoundWhy

Head = Literal["intent", "service_code", "sentiment", "urgency"]


class WordThatMattered(Shape):
    """A word of the post; `start` and `end` count characters of `text`."""

    text: str
    start: int
    end: int
    log_odds: float = Field(description="what the label loses without the word, natural log; below 0: it spoke against")


class AnswerWhy(Shape):
    """One answer, and the words that mattered to it, the most important first."""

    head: Head
    label: str = Field(description="as the model calls it: of services, mostly a general code")
    probability: float
    words: list[WordThatMattered]


class DangerWords(Shape):
    """Words that raise an alarm whatever the model says."""

    reason: str
    matched: str = Field(description="in lower case and without accents")
    self_harm: bool


class Why(Shape):
    """Why a post is read as it is."""

    mention_id: str
    model: str = Field(examples=["harken-e5-small-1+3"])
    text: str = Field(description="as much of the post as is read")
    answers: list[AnswerWhy]
    words_not_tried: int = Field(description="words beyond the first 60, which were never left out")
    danger: DangerWords | None


def why(mention_id: int, said: FoundWhy) -> Why:
    """An explanation as the API shows it."""
    found, danger = said.found, said.danger
    return Why(
        mention_id=str(mention_id),
        model=found.model,
        text=found.text,
        answers=[
            AnswerWhy(
                head=cast(Head, one.head),
                label=one.label,
                probability=one.probability,
                words=[
                    WordThatMattered(
                        text=found.word(weight.word),
                        start=found.words[weight.word][0],
                        end=found.words[weight.word][1],
                        log_odds=weight.log_odds,
                    )
                    for weight in one.notable()
                ],
            )
            for one in found.reasons
        ],
        words_not_tried=found.not_tried,
        danger=DangerWords(reason=danger.reason, matched=danger.matched, self_harm=danger.self_harm)
        if danger
        else None,
    )


class Figure(Shape):
    """A measured value, and where it lies 95 times in 100."""

    value: float
    low: float
    high: float


class ModelHead(Shape):
    """How the shipped model does on one question, on posts that it never saw."""

    head: Head
    posts: int | None = None
    macro_f1: Figure | None = None
    macro_recall: Figure | None = None
    accuracy: Figure | None = None
    calibration_error: Figure | None = None


class ModelLabel(Shape):
    """One answer that the model can give."""

    head: Head
    label: str
    please_check_below: float | None = Field(description="null: a service that the city has not taught it yet")
    expected_precision: float | None = Field(description="of the answers above; null: not measured")
    expected_share_above: float | None = Field(description="of the answers with this label; null: not measured")
    recall: Figure | None
    off: bool = Field(description="always to be checked, and a service is left empty")
    off_by: str | None
    off_since: Time | None


class EmergencyLane(Shape):
    """When the model raises an alarm, beside the word patterns, which always do."""

    threshold: float
    off: bool
    found: Figure | None = Field(description="share of emergencies that the model or the patterns find")
    found_by_model: Figure | None
    pages_per_1000: Figure | None = Field(description="ordinary posts that raise an alarm")
    expected_found: float | None = Field(description="as the threshold was set; null: not measured")
    expected_pages_per_1000: float | None


class Model(Shape):
    """What answers now."""

    model: str = Field(examples=["harken-e5-small-1+3"])
    name: str
    version: str
    languages: list[str] = Field(description="in any other, every answer is to be checked")
    learned_version: int | None = Field(description="null: as it was shipped")
    since: Time | None = Field(description="of the learned version")
    shadow_version: int | None
    trouble: str | None = Field(description="why the learned version does not answer after all")
    emergency: EmergencyLane
    heads: list[ModelHead]
    labels: list[ModelLabel]


class ModelVersion(Shape):
    """Heads that this city's corrections taught."""

    number: int
    state: Literal["candidate", "refused", "shadow", "live", "retired"]
    reason: str
    base: str = Field(description="the shipped model that it was made for")
    corrections: int
    figures: dict[str, Any] = Field(description="what the gate measured")
    made_at: Time
    made_by: str
    decided_at: Time | None
    decided_by: str | None
    live_from: Time | None
    replaced: int | None = Field(description="what answered before it; 0: the model as it was shipped")


def model(found: Overview) -> Model:
    """The model as the API shows it."""
    now, figures = found.answering, found.figures
    labels = [_label(head, line) for head in found.heads for line in head.labels]
    return Model(
        model=now.model,
        name=now.base.name,
        version=now.base.version,
        languages=list(now.base.languages),
        learned_version=now.live.number if now.live else None,
        since=now.live.live_from if now.live else None,
        shadow_version=now.shadow.number if now.shadow else None,
        trouble=found.unfit or None,
        emergency=EmergencyLane(
            threshold=now.base.emergency,
            off=any(one.off for one in labels if (one.head, one.label) == ("urgency", "emergency")),
            found=_figure(figures.lane) if figures else None,
            found_by_model=_figure(figures.lane_by_model) if figures else None,
            pages_per_1000=_figure(figures.pages) if figures else None,
            expected_found=now.base.lane.recall if now.base.lane else None,
            expected_pages_per_1000=now.base.lane.pages_per_1000 if now.base.lane else None,
        ),
        heads=[_head(head.head, head.figures) for head in found.heads],
        labels=labels,
    )


def version(row: ModelVersionRow) -> ModelVersion:
    """A version as the API shows it."""
    return ModelVersion(
        number=row.number,
        state=cast(Any, row.state),
        reason=row.reason,
        base=row.base,
        corrections=row.corrections,
        figures=row.figures,
        made_at=row.made_at,
        made_by=row.made_by,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        live_from=row.live_from,
        replaced=row.replaced,
    )


def _head(name: str, found: HeadFigures | None) -> ModelHead:
    head = cast(Head, name)
    if found is None:
        return ModelHead(head=head)
    return ModelHead(
        head=head,
        posts=found.posts,
        macro_f1=_figure(found.macro_f1),
        macro_recall=_figure(found.macro_recall),
        accuracy=_figure(found.accuracy),
        calibration_error=_figure(found.ece),
    )


def _label(head: HeadCard, line: LabelLine) -> ModelLabel:
    return ModelLabel(
        head=cast(Head, head.head),
        label=line.label,
        please_check_below=line.threshold,
        expected_precision=line.expected.precision if line.expected else None,
        expected_share_above=line.expected.passed if line.expected else None,
        recall=_figure(line.figures.recall) if line.figures else None,
        off=line.off is not None,
        off_by=line.off.by if line.off else None,
        off_since=line.off.off_since if line.off else None,
    )


def _figure(found: FoundFigure | None) -> Figure | None:
    return Figure(value=found.value, low=found.low, high=found.high) if found else None
