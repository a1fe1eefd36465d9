"""Whether heads that were fitted to corrections may take the place of those that answer now.

They may if both hold:

1. They are better on corrections that they did not learn from. Each held-back mention is one trial: won if the new
   heads are right in more of its labelled fields than the old, lost if in fewer. The one-sided exact test of McNemar
   (Psychometrika 12, 1947; the exact form is the sign test; Dietterich, Neural Computation 10, 1998, finds its false
   alarms to keep to their bound) must give ``p`` below ``BETTER_AT``: five won and none lost is the least that does.
2. Nothing that was known is lost, on the shipped regression set and on the held-back mentions: no head as a whole, no
   label, no language, no neighbourhood that has ``ENOUGH`` posts falls by more than its margin, and no more emergencies
   are missed than today. On the regression set the old heads and the shipped ones are both the measure,
   whichever is better: many small losses must not add up over many versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.heads import Heads, LinearHead
from classifiers.refit import Read
from vocabulary import Urgency

BETTER_AT = 0.05  #: the chance of a false alarm, per version
ENOUGH = 20  #: posts; fewer tell a loss from chance too badly
MARGIN = 0.05  #: of a label's F1, of a language's or neighbourhood's share of right answers …
LEAST_LOSS = 2  #: … or so many of its posts, where they are more: one or two of thirty show no trend
HEAD_MARGIN = 0.01  #: of the share of right answers over the whole regression set
PAGES_MARGIN = 0.005  #: of the share of ordinary posts that page somebody
SHOWN = 5  #: losses that a reason names

Right = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """Posts whose labels are known, and what they belong to."""

    posts: Read
    groups: Sequence[Mapping[str, str]]  #: of each post: ``language``, ``neighborhood``; what is not known is left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the gate says."""

    passed: bool
    reason: str  #: for people: what was won, or what stood against it
    figures: dict[str, Any]  #: JSON: everything that was measured


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """One thing that must not be lost."""

    where: str  #: regression set, held-back corrections
    what: str  #: ``intent as a whole``, ``intent = praise``, ``service_code, language es``
    posts: int
    before: float
    after: float
    margin: float

    @property
    def lost(self) -> bool:
        return self.before - self.after > self.margin + 1e-9

    @classmethod
    def of_group(cls, where: str, what: str, posts: int, before: float, after: float) -> _Share:
        return cls(
            where=where, what=what, posts=posts, before=before, after=after, margin=max(MARGIN, LEAST_LOSS / posts)
        )

    def told(self) -> str:
        return f"{self.what} falls from {self.before:.3f} to {self.after:.3f} on {self.posts} posts of the {self.where}"


def judge(
    new: Heads,
    old: Heads,
    shipped: Heads,
    *,
    held_back: Measured,
    regression: Measured,
    emergency: float,
) -> Verdict:
    """Weigh new heads against those that answer now.

    ``emergency``: the probability from which a post goes to the emergency lane.
    """
    won, lost, even = _trials(new, old, held_back.posts)
    chance = sign_test(won, lost)
    shares = [
        *_shares("regression set", new, (old, shipped), regression, whole=HEAD_MARGIN),
        *_shares("held-back corrections", new, (old,), held_back, whole=MARGIN),
        *_lane(new, (old, shipped), regression.posts, emergency),
    ]
    losses = [share for share in shares if share.lost]
    better = chance < BETTER_AT
    figures = {
        "held_back": {"mentions": won + lost + even, "won": won, "lost": lost, "p": round(chance, 5)},
        "right": _right_shares(new, old, held_back.posts, regression.posts),
        "shares": [_told_share(share) for share in shares],
    }
    return Verdict(
        passed=better and not losses, reason=_reason(won, lost, even, chance, losses, better=better), figures=figures
    )


def sign_test(won: int, lost: int) -> float:
    """How likely so many wins, or more, were if winning and losing were even chances. One-sided, exact."""
    trials = won + lost
    return float(sum(comb(trials, k) for k in range(won, trials + 1)) / 2**trials)


def _trials(new: Heads, old: Heads, posts: Read) -> tuple[int, int, int]:
    """Mentions won, lost and even; one without a label for any head counts as even."""
    gained = np.zeros(len(posts), dtype=np.intp)
    for name in new.heads:
        at, after = _right(new.heads[name], name, posts)
        _, before = _right(old.heads[name], name, posts)
        np.add.at(gained, at, after.astype(np.intp) - before.astype(np.intp))
    return int((gained > 0).sum()), int((gained < 0).sum()), int((gained == 0).sum())


def _right(head: LinearHead, name: str, posts: Read) -> tuple[NDArray[np.intp], Right]:
    """The posts that are labelled for a head, and which of them it reads rightly. A label it lacks is never right."""
    at = np.array([number for number, said in enumerate(posts.labels) if name in said], dtype=np.intp)
    said = head.said(posts.vectors[at])
    return at, np.array([label == posts.labels[number][name] for number, label in zip(at, said, strict=True)], np.bool_)


def _shares(where: str, new: Heads, olds: Sequence[Heads], measured: Measured, *, whole: float) -> Iterator[_Share]:
    posts = measured.posts
    for name, head in new.heads.items():
        at, after = _right(head, name, posts)
        befores = [_right(old.heads[name], name, posts)[1] for old in olds]
        if len(at) >= ENOUGH:
            yield _Share(
                where=where,
                what=f"{name} as a whole",
                posts=len(at),
                before=max(float(right.mean()) for right in befores),
                after=float(after.mean()),
                margin=max(whole, LEAST_LOSS / len(at)),
            )
        for kind in ("language", "neighborhood"):
            groups = np.array([measured.groups[number].get(kind, "") for number in at], dtype=object)
            for group in sorted(set(groups) - {""}):
                inside = groups == group
                if (count := int(inside.sum())) >= ENOUGH:
                    before = max(float(right[inside].mean()) for right in befores)
                    yield _Share.of_group(where, f"{name}, {kind} {group}", count, before, float(after[inside].mean()))
        yield from _label_shares(where, name, head, [old.heads[name] for old in olds], posts, at)


def _label_shares(
    where: str, name: str, head: LinearHead, olds: Sequence[LinearHead], posts: Read, at: NDArray[np.intp]
) -> Iterator[_Share]:
    wanted = [posts.labels[number][name] for number in at]
    said = head.said(posts.vectors[at])
    said_before = [old.said(posts.vectors[at]) for old in olds]
    for label in sorted(set(wanted)):
        if (count := wanted.count(label)) >= ENOUGH:
            before = max(_f1(label, wanted, one) for one in said_before)
            yield _Share.of_group(where, f"{name} = {label}", count, before, _f1(label, wanted, said))


def _f1(label: str, wanted: Sequence[str], said: Sequence[str]) -> float:
    hits = sum(one == other == label for one, other in zip(wanted, said, strict=True))
    return 2 * hits / (wanted.count(label) + said.count(label)) if hits else 0.0


def _lane(new: Heads, olds: Sequence[Heads], posts: Read, emergency: float) -> Iterator[_Share]:
    """What the model alone sends to the emergency lane: what the words of danger send, no heads can change."""
    at = [number for number, said in enumerate(posts.labels) if "urgency" in said]
    cry = np.array([posts.labels[number]["urgency"] == Urgency.EMERGENCY for number in at], dtype=np.bool_)
    if not cry.any() or cry.all():
        return
    vectors = posts.vectors[np.array(at, dtype=np.intp)]
    after, *befores = (_paged(heads.heads["urgency"], vectors, emergency) for heads in (new, *olds))
    yield _Share(
        where="regression set",
        what="emergencies found by the model",
        posts=int(cry.sum()),
        before=max(float(paged[cry].mean()) for paged in befores),
        after=float(after[cry].mean()),
        margin=0.0,
    )
    yield _Share(
        where="regression set",
        what="ordinary posts that page nobody",
        posts=int((~cry).sum()),
        before=max(1 - float(paged[~cry].mean()) for paged in befores),
        after=1 - float(after[~cry].mean()),
        margin=PAGES_MARGIN,
    )


def _paged(head: LinearHead, vectors: NDArray[np.float32], emergency: float) -> Right:
    return np.asarray(head.probabilities(vectors)[:, head.labels.index(Urgency.EMERGENCY)] >= emergency)


def _right_shares(new: Heads, old: Heads, held_back: Read, regression: Read) -> dict[str, dict[str, Any]]:
    """Share of right answers by head, before and after."""
    found: dict[str, dict[str, Any]] = {}
    for where, posts in (("held_back", held_back), ("regression", regression)):
        found[where] = {}
        for name in new.heads:
            at, after = _right(new.heads[name], name, posts)
            before = _right(old.heads[name], name, posts)[1]
            if len(at):
                told = {
                    "posts": len(at),
                    "before": round(float(before.mean()), 4),
                    "after": round(float(after.mean()), 4),
                }
                found[where][name] = told
    return found


def _told_share(share: _Share) -> dict[str, Any]:
    return {
        "where": share.where,
        "what": share.what,
        "posts": share.posts,
        "before": round(share.before, 4),
        "after": round(share.after, 4),
        "lost": share.lost,
    }


def _reason(won: int, lost: int, even: int, chance: float, losses: Sequence[_Share], *, better: bool) -> str:
    trials = f"{won} of {won + lost + even} held-back mentions are read better than before and {lost} worse"
    if better and not losses:
        return f"{trials} (p = {chance:.3f}), and nothing that was known is lost"
    against = [] if better else [f"not better beyond chance: {trials} (p = {chance:.3f}; below {BETTER_AT} is needed)"]
    against += [share.told() for share in losses[:SHOWN]]
    if len(losses) > SHOWN:
        against.append(f"and {len(losses) - SHOWN} more")
    return "; ".join(against)
