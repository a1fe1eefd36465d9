"""Whether posts, and the model's answers to them, are still like those of the first weeks: population stability index.

Credit scoring calls an index of 0.1 to 0.25 a moderate change and more a large one. That is a custom, not a law
(Yurdakul 2018, Statistical Properties of Population Stability Index; du Pisanie, Allison and Visagie 2023,
arXiv:2303.01227). Here it warns from 0.2 on, a little early, and only where chance alone would not explain it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from analytics.answers import Week

SMALL, WARNS = 0.1, 0.2
FIRST_WEEKS = 4  #: full weeks that later ones are compared with
FEWEST_POSTS = 200  #: in the first weeks together; below, there is nothing to compare with
RARE = 5  #: labels with fewer posts than this, as expected of the smaller side, are counted together (Cochran's rule)
_Z_99 = 2.3263  #: of the normal distribution: once in a hundred weeks chance alone exceeds it

DIMENSIONS = ("intent", "service_code", "urgency", "sentiment", "language", "platform", "length")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How far one week is from the first weeks in one respect."""

    index: float  #: population stability index; 0: the same shares
    by_chance: float  #: what it stays below in 99 of 100 weeks if nothing changed
    most: str | None = None  #: the label whose share changed most
    before: float = 0.0  #: share of that label in the first weeks
    now: float = 0.0  #: and in this week

    @property
    def warns(self) -> bool:
        """Whether it is worth a warning: large, and no accident of few posts."""
        return self.index > max(WARNS, self.by_chance)

    @property
    def enough(self) -> bool:
        """Whether there were posts enough to see a change that is worth a warning."""
        return self.by_chance <= WARNS


@dataclass(frozen=True, kw_only=True, slots=True)
class First:
    """What later weeks are compared with."""

    since: date
    until: date  #: the day after its last
    posts: int
    weeks: tuple[Week, ...]

    @property
    def last_day(self) -> date:
        """The last of them."""
        return self.until - timedelta(days=1)

    def shares(self, dimension: str) -> dict[str, int]:
        """Posts by label, all its weeks together."""
        total: Counter[str] = Counter()
        for week in self.weeks:
            total.update(week.shares.get(dimension, {}))
        return dict(total)


def first(weeks: Sequence[Week], *, today: date) -> First | None:
    """The first full weeks, of those that come first on record; None where there is too little to compare with.

    The very first is left out: the system seldom begins on a Monday morning.
    """
    full = [week for week in weeks[1:] if is_over(week, today)][:FIRST_WEEKS]
    posts = sum(week.posts for week in full)
    if not full or posts < FEWEST_POSTS:
        return None
    return First(since=full[0].start, until=full[-1].start + timedelta(weeks=1), posts=posts, weeks=tuple(full))


def is_over(week: Week, today: date) -> bool:
    """Whether its last day has passed."""
    return week.start + timedelta(weeks=1) <= today


def difference(was: Mapping[str, int], is_now: Mapping[str, int]) -> Difference:
    """How far two counts by label are from each other."""
    before, after = folded(was, is_now)
    n, m = sum(before.values()), sum(after.values())
    shift = {label: after[label] / max(m, 1) - before[label] / max(n, 1) for label in before}
    most = max(shift, key=lambda label: abs(shift[label]), default=None)
    return Difference(
        index=index(before, after),
        by_chance=by_chance(len(before), n, m),
        most=most,
        before=before[most] / max(n, 1) if most else 0.0,
        now=after[most] / max(m, 1) if most else 0.0,
    )


def index(was: Mapping[str, int], is_now: Mapping[str, int]) -> float:
    """The population stability index: the sum of (a - e) ln(a / e) over the labels' shares.

    Half a post is added to each label, so that one which is new, or gone, does not make it infinite.
    """
    labels = {*was, *is_now}
    n, m = sum(was.values()) + len(labels) / 2, sum(is_now.values()) + len(labels) / 2
    total = 0.0
    for label in labels:
        e, a = (was.get(label, 0) + 0.5) / n, (is_now.get(label, 0) + 0.5) / m
        total += (a - e) * math.log(a / e)
    return total


def by_chance(labels: int, n: int, m: int) -> float:
    """What the index stays below in 99 of 100 weeks if nothing changed: (1/n + 1/m) times a quantile of chi-squared.

    Source: Yurdakul 2018; the quantile by Wilson and Hilferty 1931, right to a percent or two.
    """
    if labels < 2 or n == 0 or m == 0:
        return math.inf
    k = labels - 1
    quantile = k * (1 - 2 / (9 * k) + _Z_99 * math.sqrt(2 / (9 * k))) ** 3
    return (1 / n + 1 / m) * quantile


OTHERS = "all others"


def folded(was: Mapping[str, int], is_now: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Both counts over the same labels, those that are too rare to compare added up to one."""
    n, m = sum(was.values()), sum(is_now.values())
    enough = RARE * (n + m) / max(1, min(n, m))
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for label in sorted({*was, *is_now}):
        name = label if was.get(label, 0) + is_now.get(label, 0) >= enough else OTHERS
        before[name] += was.get(label, 0)
        after[name] += is_now.get(label, 0)
    return dict(before), dict(after)
