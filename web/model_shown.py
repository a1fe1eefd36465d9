"""What the Model pages show: the version that answers, each answer's threshold and switch, and how all of it drifts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from babel.dates import format_date
from sqlmodel import Session, col, select

from analytics import answers, drift
from analytics.answers import Week
from analytics.calendar import day_of
from analytics.drift import Difference, First
from analytics.rollup import NONE
from classifiers.heads import Heads
from classifiers.model_folder import NO_SERVICE, SHIPPED, Expected, ModelConfig, read_config
from pipeline.decide.labels import labels
from pipeline.deployment import Deployment
from pipeline.serving import KIND
from store import models, switches
from store.tables import AttentionRow, LabelSwitchRow, ModelVersionRow
from store.types import now
from web import words
from web.model_figures import Figures, HeadFigures, LabelFigures, shipped_figures

WEEKS = 26  #: of the charts
LINES = 5  #: of a chart whose labels are many; the others are one line more
#: Weeks on record that are looked at for the first full ones.
EARLY = drift.FIRST_WEEKS + 1

DIMENSIONS: Mapping[str, str] = {
    "intent": "What people want",
    "service_code": "Service",
    "urgency": "Urgency",
    "sentiment": "Sentiment",
    "language": "Language",
    "platform": "Platform",
    "length": "Length of the post",
}
#: What the model says, and what it is given.
OUTPUTS, INPUTS = ("intent", "service_code", "urgency", "sentiment"), ("language", "platform", "length")
FEW_LABELS = ("intent", "urgency", "sentiment", "length")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answering:
    """What answers now."""

    model: str  #: as assessments name it
    base: ModelConfig
    live: ModelVersionRow | None
    shadow: ModelVersionRow | None

    @property
    def shipped(self) -> str:
        """The shipped model, as figures name it."""
        return f"{self.base.name}-{self.base.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelLine:
    """One answer that the model can give."""

    label: str
    name: str
    threshold: float | None  #: None: learned by the city alone, and not yet
    expected: Expected | None
    figures: LabelFigures | None
    off: LabelSwitchRow | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadCard:
    """One question that the model answers."""

    head: str
    name: str
    figures: HeadFigures | None
    labels: tuple[LabelLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The first of the Model pages."""

    answering: Answering
    others: Mapping[str, str]  #: questions that a model of the city's choice answers instead, by its name
    figures: Figures | None
    heads: tuple[HeadCard, ...]
    versions: tuple[ModelVersionRow, ...]
    unfit: str  #: why the live version does not answer after all; empty: it does, as far as is known
    agreement: Mapping[str, models.Agreement]  #: of the version in the shadow with the live one, by head


def answering(session: Session) -> Answering:
    """Which model answers, and which version of the city's heads over it."""
    base, live = read_config(SHIPPED), models.live(session)
    shipped = f"{base.name}-{base.version}"
    fits = live if live is not None and live.base == shipped else None  # of another base: it is not used
    return Answering(
        model=f"{shipped}+{fits.number}" if fits else shipped, base=base, live=fits, shadow=models.in_shadow(session)
    )


def overview(session: Session, d: Deployment) -> Overview:
    """All of the first page."""
    found = answering(session)
    figures = shipped_figures(found.shipped)
    shadow = found.shadow
    return Overview(
        answering=found,
        others={words.HEADS[head]: one.model for head, one in d.settings.classifier.heads.items()},
        figures=figures,
        heads=tuple(_heads(session, d, found, figures)),
        versions=tuple(models.versions(session)),
        unfit=_unfit(session, found.live),
        agreement=models.agreement(session, shadow.id) if shadow else {},
    )


def _unfit(session: Session, live: ModelVersionRow | None) -> str:
    """What a worker said of a version that it could not take up."""
    if live is None:
        return ""
    concern = select(AttentionRow.summary).where(
        AttentionRow.kind == KIND, AttentionRow.ref == f"version:{live.number}", col(AttentionRow.closed_at).is_(None)
    )
    return session.exec(concern).first() or ""


def _heads(session: Session, d: Deployment, found: Answering, figures: Figures | None) -> list[HeadCard]:
    thresholds = _thresholds(d, found.live)
    off = {(row.head, row.label): row for row in switches.rows(session)}
    cards = []
    for head, known in labels(d).items():
        measured = figures.heads.get(head) if figures else None
        lines = [
            LabelLine(
                label=label,
                name=label_name(d, head)(label),
                threshold=thresholds[head].get(label),
                expected=None if found.live else found.base.heads[head].expected.get(label),  # of the shipped heads
                figures=measured.labels.get(label) if measured else None,
                off=off.get((head, label)),
            )
            for label in known
        ]
        cards.append(HeadCard(head=head, name=words.HEADS[head], figures=measured, labels=tuple(lines)))
    return cards


def _thresholds(d: Deployment, live: ModelVersionRow | None) -> Mapping[str, Mapping[str, float]]:
    """Those of the version that answers; a version that can't be read answers nowhere, and the shipped ones hold."""
    if live is not None:
        try:
            learned = Heads.from_bytes(live.heads).bands(d.bands).please_check
            others = d.settings.classifier.heads  # that a model of the city's choice answers
            return {**d.bands.please_check, **{head: of for head, of in learned.items() if head not in others}}
        except ValueError:
            pass
    return d.bands.please_check


def label_name(d: Deployment, dimension: str) -> Callable[[str], str]:
    """What people read for a label of the model, or for a value that was counted."""
    services = {one.service_code: one.service_name for one in d.services}
    for one in d.services:
        services.setdefault(one.maps_to or one.service_code, one.service_name)

    def name(value: str) -> str:
        if value in {NO_SERVICE, NONE} and dimension == "service_code":
            return "No service"
        if dimension == "service_code":
            return services.get(value) or words.word(value)
        if dimension == "length":
            return f"{value.replace('-', ' to ')} characters" if not value.endswith("-") else f"{value[:-1]} and more"
        return words.word(value)

    return name


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One week of a table that a chart draws."""

    start: date
    label: str
    cells: tuple[str, ...]  #: percentages
    posts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One chart with its table."""

    key: str
    title: str
    what: str  #: of the numbers, for the caption
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    before: tuple[str, ...]  #: the same over the first weeks
    folded: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Respect:
    """One respect in which the last full week is compared with the first weeks."""

    key: str
    name: str
    difference: Difference
    most: str  #: the name of the label whose share changed most
    is_input: bool

    @property
    def told(self) -> str:
        """How large the change is, in a word."""
        if self.difference.index <= max(drift.SMALL, 0.0):
            return "little"
        if not self.difference.warns:
            return "some" if self.difference.index <= drift.WARNS else "large, but the posts are few"
        return "large"


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """The second of the Model pages."""

    first: First | None
    last: Week | None  #: the last full week
    respects: tuple[Respect, ...]
    indices: Section | None
    sections: tuple[Section, ...]
    models: tuple[str, ...]  #: that answered in the weeks compared, the oldest first
    weeks: int  #: on record
    early: int  #: posts in the first full weeks so far

    @property
    def warnings(self) -> list[Respect]:
        """What is worth a look, the largest first."""
        found = [one for one in self.respects if one.difference.warns]
        return sorted(found, key=lambda one: -one.difference.index)


def drifted(session: Session, d: Deployment) -> Drift:
    """How far the last full week is from the first, and every week in between. Reads a row a week."""
    today = day_of(now(), d.settings.zone)
    early = answers.first_weeks(session, at_most=EARLY)
    weeks = answers.weeks(session, at_most=WEEKS + 1)
    full = [week for week in weeks if drift.is_over(week, today)][-WEEKS:]
    first = drift.first(early, today=today)
    last = full[-1] if first is not None and full and full[-1].start >= first.until else None
    later = [week for week in full if first is not None and week.start >= first.until]
    return Drift(
        first=first,
        last=last,
        respects=tuple(_respects(d, first, last)) if first and last else (),
        indices=_indices(first, later) if first and later else None,
        sections=tuple(_sections(d, full, first)) if full else (),
        models=_models(first, last),
        weeks=len(weeks),
        early=sum(week.posts for week in early[1:] if drift.is_over(week, today)),
    )


def _models(first: First | None, last: Week | None) -> tuple[str, ...]:
    weeks = [*(first.weeks if first else ()), *((last,) if last else ())]
    return tuple(dict.fromkeys(model for week in weeks for model in sorted(week.shares.get("model", {}))))


def _respects(d: Deployment, first: First, last: Week) -> list[Respect]:
    found = []
    for key in drift.DIMENSIONS:
        one = drift.difference(first.shares(key), last.shares.get(key, {}))
        name = label_name(d, key)
        most = "" if one.most is None else "All others" if one.most == drift.OTHERS else name(one.most)
        found.append(Respect(key=key, name=DIMENSIONS[key], difference=one, most=most, is_input=key in INPUTS))
    return found


def _indices(first: First, weeks: Sequence[Week]) -> Section:
    rows = [
        _row(
            week, [_decimal(drift.difference(first.shares(key), week.shares.get(key, {})).index) for key in DIMENSIONS]
        )
        for week in weeks
    ]
    return Section(
        key="index",
        title="How different each week was",
        what="population stability index against the first weeks",
        columns=tuple(DIMENSIONS.values()),
        rows=tuple(rows),
        before=(),
    )


def _sections(d: Deployment, weeks: Sequence[Week], first: First | None) -> list[Section]:
    """Shares by label, then what staff and the model itself thought of the answers."""
    found = [_shares(d, key, weeks, first) for key in (*OUTPUTS, *INPUTS)]
    early = first.weeks if first else ()
    for key, title, what, of in (
        ("sure", "How sure the model was", "mean probability of the answer given, in percent", _sure),
        ("checked", "Marked “please check”", "share of posts, in percent", _checked),
        ("corrected", "Corrected by staff", "share of that week’s posts corrected by now, in percent", _corrected),
    ):
        found.append(
            Section(
                key=key,
                title=title,
                what=what,
                columns=tuple(words.HEADS.values()),
                rows=tuple(_row(week, [_percent(of([week], head)) for head in words.HEADS]) for week in weeks),
                before=tuple(_percent(of(early, head)) for head in words.HEADS) if early else (),
            )
        )
    return found


def _shares(d: Deployment, key: str, weeks: Sequence[Week], first: First | None) -> Section:
    total: dict[str, int] = {}
    for week in weeks:
        for label, many in week.shares.get(key, {}).items():
            total[label] = total.get(label, 0) + many
    usual = _usual(key, total)
    lines = usual if usual is not None else sorted(total, key=lambda label: (-total[label], label))
    shown = lines if len(lines) <= LINES + 1 or usual is not None else lines[:LINES]
    others = [label for label in total if label not in shown]
    name = label_name(d, key)

    def cells(of: Mapping[str, int]) -> list[str]:
        every = sum(of.values())
        shares = [of.get(label, 0) for label in shown] + ([sum(of.get(label, 0) for label in others)] if others else [])
        return [_percent(share / every if every else None) for share in shares]

    return Section(
        key=key,
        title=DIMENSIONS[key],
        what="share of the week’s posts, in percent",
        columns=(*map(name, shown), *(("All others",) if others else ())),
        rows=tuple(_row(week, cells(week.shares.get(key, {}))) for week in weeks),
        before=tuple(cells(first.shares(key))) if first else (),
        folded=len(others),
    )


def _usual(key: str, total: Mapping[str, int]) -> list[str] | None:
    """Labels that are few stand in their own order."""
    if key == "length":
        return sorted(total, key=lambda group: int(group.partition("-")[0]))
    if key in FEW_LABELS:
        return [label for label in read_config(SHIPPED).heads[key].labels if label in total]
    return None


def _sure(weeks: Sequence[Week], head: str) -> float | None:
    scored = [(week.sure[head], week.posts) for week in weeks if head in week.sure]
    posts = sum(many for _, many in scored)
    return sum(sure * many for sure, many in scored) / posts if posts else None


def _checked(weeks: Sequence[Week], head: str) -> float | None:
    posts = sum(week.posts for week in weeks)
    return sum(week.to_check[head] for week in weeks) / posts if posts else None


def _corrected(weeks: Sequence[Week], head: str) -> float | None:
    posts = sum(week.posts for week in weeks)
    return sum(week.corrected[head] for week in weeks) / posts if posts else None


def _row(week: Week, cells: Sequence[str]) -> Row:
    label = format_date(week.start, "MMM d", locale="en")
    return Row(start=week.start, label=label, cells=tuple(cells), posts=week.posts)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _decimal(value: float) -> str:
    return f"{value:.2f}"
