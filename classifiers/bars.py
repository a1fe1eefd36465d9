"""What the classifier is to reach, and whether it does: the table at the top of ``make evaluate``.

A bar is held against the sets it is stated for and stands there missed as plainly as reached. Posts of the val parts
calibrated the model; the held-back ones are by writers who wrote nothing that it or we learned from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from classifiers import figures
from classifiers.figures import Estimate, Marks
from classifiers.readings import Graded, PostSet, Reading, together
from vocabulary import Intent, Sentiment, Urgency

HELD_BACK = "held-back posts"
INTENTS, REQUESTS = "intents/val", "requests311/val"
SENTIMENT, SPANISH, AIRLINE = "sentiment/val", "sentiment_es/val", "airline/val"
CIVIC = "civic_tweets/val"
ELSEWHERE = "requests311 of New York and Hoboken"  #: for the sister model, which never saw these cities

QUANTISED_ON = frozenset({HELD_BACK, REQUESTS, SENTIMENT})  #: what full precision is compared on

ENOUGH_ROWS = 18  #: of a service, to count in its average
REPORTS_FOUND = 0.90
AT_LEAST, AT_MOST = "≥", "≤"

Readings = Mapping[str, Reading]  #: set -> what was said of it
_Measure = Callable[[Graded], Estimate | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One thing to reach, with our figures. Without a ``target`` it is told beside the others, to explain them."""

    what: str
    target: float | None = None
    side: str = AT_LEAST  #: of the target, on which we want to be
    val: Estimate | None = None  #: on a val part of the data
    held_back: Estimate | None = None  #: on our held-back posts
    both: Estimate | None = None  #: on both together
    judged: tuple[str, ...] = ("val",)  #: which of the three the bar is held against: all of them must reach it
    note: str = ""
    digits: int = 3

    @property
    def verdict(self) -> str:
        """Reached or missed; "clearly" where the whole interval is on that side."""
        if self.target is None:
            return ""
        judged = {"val": self.val, "held_back": self.held_back, "both": self.both}
        found = [one for name in self.judged if (one := judged[name]) is not None]
        if len(found) < len(self.judged):
            return "not measured"
        reached = all(self._on_side(one.value) for one in found)
        ends = [end for one in found for end in (one.low, one.high)]
        clearly = all(self._on_side(end) for end in ends) if reached else not any(map(self._on_side, ends))
        return f"{'clearly ' if clearly else ''}{'reached' if reached else 'missed'}"

    @property
    def reach(self) -> str:
        """As it is written in the table: ``≥ 0.735``."""
        return "" if self.target is None else f"{self.side} {self.target:g}"

    def _on_side(self, value: float) -> bool:
        assert self.target is not None
        return value >= self.target if self.side == AT_LEAST else value <= self.target


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Others:
    """Models that are measured beside ours, if they were given."""

    full_precision: Readings = field(default_factory=dict)  #: the same model before its weights were quantised
    sister: Reading | None = None  #: of the same recipe, but trained without two cities, on their posts


def the_bars(readings: Readings, others: Others) -> list[Bar]:
    """All bars in the order of the issue."""
    return [
        *_sentiment(readings),
        *_services(readings, others.sister),
        *_reports(readings),
        *_intents(readings),
        *_emergencies(readings),
        *_calibration(readings),
        *_spanish(readings),
        *_praise(readings),
        *_quantised(readings, others.full_precision),
    ]


def _sentiment(readings: Readings) -> list[Bar]:
    return [
        Bar(
            what="TweetEval sentiment, macro recall",
            target=0.735,
            val=_of(readings, SENTIMENT, "sentiment", macro_recall),
            held_back=_of(readings, HELD_BACK, "sentiment", macro_recall),
        ),
        Bar(
            what="airline sentiment (never trained on), macro recall",
            target=0.72,
            val=_of(readings, AIRLINE, "sentiment", macro_recall),
        ),
    ]


def _services(readings: Readings, sister: Reading | None) -> list[Bar]:
    bars = [
        Bar(
            what=f"requests311 service, macro F1 (classes of {ENOUGH_ROWS} and more rows)",
            target=0.83,
            val=_of(readings, REQUESTS, "service_code", common_macro_f1),
            held_back=_of(readings, HELD_BACK, "service_code", common_macro_f1),
        ),
        Bar(
            what="service, macro F1 over all classes",
            val=_of(readings, REQUESTS, "service_code", macro_f1),
            held_back=_of(readings, HELD_BACK, "service_code", macro_f1),
        ),
        Bar(
            what="service in cities left out of training (a sister model), macro F1 on the shared classes",
            target=0.62,
            val=macro_f1(sister.graded("service_code")) if sister else None,
            note="" if sister else "needs --sister",
        ),
    ]
    if sister:
        bars.append(
            Bar(
                what=f"of these cities, macro F1 over classes of {ENOUGH_ROWS} and more rows",
                val=common_macro_f1(sister.graded("service_code")),
            )
        )
    return bars


def _reports(readings: Readings) -> list[Bar]:
    if INTENTS not in readings:
        return [Bar(what="report or not, on real posts: precision at recall ≥ 0.90", target=0.93)]
    graded = readings[INTENTS].graded("intent")
    number = graded.number(Intent.REPORT)
    wanted, said = graded.wanted == number, graded.said == number
    return [
        Bar(
            what="report or not, on real posts: precision at recall ≥ 0.90",
            target=0.93,
            val=figures.precision_at_recall(graded.probabilities[:, number], wanted, REPORTS_FOUND),
            note="the threshold is chosen on the same posts",
        ),
        Bar(what="the most likely intent is report: precision", val=figures.precision_of(said, wanted)),
        Bar(what="the most likely intent is report: recall", val=figures.recall_of(said, wanted)),
    ]


def _intents(readings: Readings) -> list[Bar]:
    both = _joined(readings)
    return [
        Bar(
            what="intent, six classes, macro F1",
            target=0.80,
            val=_of(readings, INTENTS, "intent", macro_f1),
            held_back=_of(readings, HELD_BACK, "intent", macro_f1),
            both=macro_f1(both.graded("intent")) if both else None,
            judged=("held_back", "both"),
            note="intents/val has 2 praises, 3 questions, 7 status questions: its average over six says little",
        )
    ]


def _emergencies(readings: Readings) -> list[Bar]:
    return [*_found(readings), *_flagged(readings), *_pages(readings)]


def _found(readings: Readings) -> list[Bar]:
    told = "emergencies: recall of the lane (model or patterns)"
    reading = readings.get(HELD_BACK)
    if reading is None or not (dangers := reading.posts.marks("urgency", Urgency.EMERGENCY)).any():
        return [Bar(what=told, target=0.97, judged=("held_back",))]
    spanish = dangers & ~reading.posts.in_language("en")
    lane = reading.in_lane
    return [
        Bar(what=told, target=0.97, held_back=figures.share(lane[dangers]), judged=("held_back",)),
        Bar(what="emergencies found by the model alone", held_back=figures.share(reading.by_model[dangers])),
        Bar(what="emergencies found by the patterns alone", held_back=figures.share(reading.posts.by_words[dangers])),
        *(
            [Bar(what="Spanish and mixed emergencies found by the lane", held_back=figures.share(lane[spanish]))]
            if spanish.any()
            else []
        ),
    ]


def _flagged(readings: Readings) -> list[Bar]:
    told = "look-alikes of emergencies flagged"
    reading = readings.get(HELD_BACK)
    if reading is None or not (alike := reading.posts.of_kind("lookalike")).any():
        return [Bar(what=told, target=0.05, side=AT_MOST, judged=("held_back",))]
    return [
        Bar(
            what=told,
            target=0.05,
            side=AT_MOST,
            held_back=figures.share(reading.in_lane[alike]),
            judged=("held_back",),
        ),
        Bar(what="look-alikes flagged by the model alone", held_back=figures.share(reading.by_model[alike])),
        Bar(what="look-alikes flagged by the patterns alone", held_back=figures.share(reading.posts.by_words[alike])),
    ]


def _pages(readings: Readings) -> list[Bar]:
    held = [readings[name] for name in (INTENTS, CIVIC, SENTIMENT) if name in readings]
    ordinary = {one.posts.name: _ordinary(one.posts) for one in held}
    pages = [np.where(one.in_lane[ordinary[one.posts.name]], 1000.0, 0.0) for one in held]
    counts = ", ".join(
        f"{one.posts.name} {int(one.in_lane[ordinary[one.posts.name]].sum())} of {ordinary[one.posts.name].sum():,}"
        for one in held
    )
    written = readings.get(HELD_BACK)
    plain = _ordinary(written.posts) & ~written.posts.of_kind("lookalike") if written else None
    return [
        Bar(
            what="pages per 1,000 ordinary posts",
            target=2,
            side=AT_MOST,
            val=figures.mean(np.concatenate(pages)) if pages else None,
            held_back=figures.mean(np.where(written.in_lane[plain], 1000.0, 0.0))
            if written and plain is not None
            else None,
            note=f"{counts}; only intents/val was read for urgency, so some of the others' may be real: an upper bound"
            if held
            else "",
            digits=1,
        )
    ]


def _ordinary(posts: PostSet) -> Marks:
    """Those that are no emergency, or whose set does not say."""
    return ~posts.marks("urgency", Urgency.EMERGENCY)


def _calibration(readings: Readings) -> list[Bar]:
    sets = {"intent": INTENTS, "service_code": REQUESTS, "sentiment": SENTIMENT, "urgency": INTENTS}
    return [
        Bar(
            what=f"calibration error (ECE), {head}",
            target=0.03,
            side=AT_MOST,
            val=_of(readings, name, head, calibration_error),
            held_back=_of(readings, HELD_BACK, head, calibration_error),
            judged=("val", "held_back"),
            note=f"val: {name}; by chance alone {_noise(readings, name, head)} and {_noise(readings, HELD_BACK, head)}",
        )
        for head, name in sets.items()
    ]


def _noise(readings: Readings, name: str, head: str) -> str:
    """What a perfectly calibrated head would show on these posts."""
    if name not in readings or not len(graded := readings[name].graded(head)):
        return "–"
    return f"{figures.calibration_noise(graded.confidence):.3f}"


def _spanish(readings: Readings) -> list[Bar]:
    apart = None
    spanish = None
    if reading := readings.get(HELD_BACK):
        graded = reading.graded("intent")
        parts = {code: graded.where(reading.posts.in_language(code)[graded.rows]) for code in ("en", "es")}
        if all(map(len, parts.values())):
            apart = figures.difference(macro_f1(parts["en"]), macro_f1(parts["es"]))
        moods = reading.graded("sentiment")
        moods = moods.where(reading.posts.in_language("es")[moods.rows])
        spanish = macro_recall(moods) if len(moods) else None
    return [
        Bar(
            what="Spanish sentiment, macro recall",
            target=0.65,
            val=_of(readings, SPANISH, "sentiment", macro_recall),
            held_back=spanish,
        ),
        Bar(
            what="Spanish intent: macro F1 of English posts less that of Spanish ones",
            target=0.05,
            side=AT_MOST,
            held_back=apart,
            judged=("held_back",),
        ),
    ]


def _praise(readings: Readings) -> list[Bar]:
    both = _joined(readings)
    return [
        Bar(
            what="praise, precision",
            target=0.97,
            val=_of(readings, INTENTS, "intent", _praise_precision),
            held_back=_of(readings, HELD_BACK, "intent", _praise_precision),
            both=_praise_precision(both.graded("intent")) if both else None,
            judged=("held_back", "both"),
        ),
        Bar(
            what="praise above its please_check threshold, precision",
            val=_sure_praise(readings.get(INTENTS)),
            held_back=_sure_praise(readings.get(HELD_BACK)),
            both=_sure_praise(both),
            note="only this praise is taken for praise without a person's look",
        ),
        Bar(
            what="negative posts read as praise (sarcasm among them)",
            val=_negative_as_praise(readings.get(INTENTS)),
            held_back=_negative_as_praise(readings.get(HELD_BACK)),
            both=_negative_as_praise(both),
        ),
    ]


def _praise_precision(graded: Graded) -> Estimate:
    number = graded.number(Intent.PRAISE)
    return figures.precision_of(graded.said == number, graded.wanted == number)


def _sure_praise(reading: Reading | None) -> Estimate | None:
    if reading is None:
        return None
    graded = reading.graded("intent")
    number = graded.number(Intent.PRAISE)
    sure = graded.confidence >= reading.config.heads["intent"].please_check[Intent.PRAISE]
    return figures.precision_of((graded.said == number) & sure, graded.wanted == number)


def _negative_as_praise(reading: Reading | None) -> Estimate | None:
    if reading is None:
        return None
    negative = reading.posts.marks("sentiment", Sentiment.NEGATIVE) & ~reading.posts.marks("intent", Intent.PRAISE)
    said = np.array([one == Intent.PRAISE for one in reading.most_likely("intent")])
    return figures.share(said[negative]) if negative.any() else None


def _quantised(readings: Readings, full: Readings) -> list[Bar]:
    measures: tuple[tuple[str, str, str, _Measure], ...] = (
        ("intent", "macro F1", HELD_BACK, macro_f1),
        ("service_code", "macro F1", REQUESTS, common_macro_f1),
        ("sentiment", "macro recall", SENTIMENT, macro_recall),
        ("urgency", "macro F1", HELD_BACK, macro_f1),
    )
    bars = []
    for head, told, name, measure in measures:
        place = "held_back" if name == HELD_BACK else "val"
        bar = Bar(what=f"int8 against fp32, {head}: {told} lost", target=0.005, side=AT_MOST, judged=(place,))
        if name in full and name in readings:
            graded, whole = readings[name].graded(head), full[name].graded(head)
            changed = figures.share(graded.said != whole.said).value
            before, after = measure(whole), measure(graded)
            lost = figures.difference(before, after) if before and after else None
            bar = replace(bar, val=lost if place == "val" else None, held_back=lost if place == "held_back" else None)
            bars.append(replace(bar, note=f"{changed:.1%} of the answers differ"))
        else:
            bars.append(replace(bar, note="" if full else "needs --full-precision"))
    return bars


def _of(readings: Readings, name: str, head: str, measure: _Measure) -> Estimate | None:
    if name not in readings:
        return None
    graded = readings[name].graded(head)
    return measure(graded) if len(graded) else None


def _joined(readings: Readings) -> Reading | None:
    if HELD_BACK not in readings or INTENTS not in readings:
        return None
    return together(readings[HELD_BACK], readings[INTENTS])


def macro_recall(graded: Graded) -> Estimate:
    """Over the labels that the posts have: what TweetEval ranks by."""
    counted = figures.by_label(figures.confusions(graded.said, graded.wanted, len(graded.labels)))
    return figures.macro(counted.recall, np.flatnonzero(counted.posts), len(graded))


def macro_f1(graded: Graded) -> Estimate:
    """Over the labels that the posts have."""
    return _macro_f1(graded, 1)


def common_macro_f1(graded: Graded) -> Estimate | None:
    """Over the labels of 18 and more posts; None if there is none."""
    counts = np.bincount(graded.wanted, minlength=len(graded.labels))
    return _macro_f1(graded, ENOUGH_ROWS) if (counts >= ENOUGH_ROWS).any() else None


def _macro_f1(graded: Graded, rows: int) -> Estimate:
    counted = figures.by_label(figures.confusions(graded.said, graded.wanted, len(graded.labels)))
    return figures.macro(counted.f1, np.flatnonzero(counted.posts >= rows), len(graded))


def calibration_error(graded: Graded) -> Estimate:
    """Of the most likely labels."""
    return figures.calibration_error(graded.confidence, graded.right)
