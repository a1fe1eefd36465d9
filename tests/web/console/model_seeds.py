"""Half a year of a model at work: weeks that drift at the end, and versions that wait, answer or were refused."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import numpy as np

from analytics.calendar import day_of
from classifiers.heads import Heads, LinearHead
from classifiers.model_folder import SHIPPED, read_config
from pipeline.serving import base
from store import models
from store.tables import AnswerWeekRow
from store.types import now
from tests.web.console.conftest import City

WIDTH = 8
USUAL = {
    "intent": {"report": 50, "question": 15, "status": 10, "complaint": 12, "praise": 5, "other": 8},
    "service_code": {
        "pothole": 20,
        "graffiti_removal": 8,
        "streetlight_out": 9,
        "sidewalk_repair": 6,
        "noise_complaint": 7,
        "traffic_signal": 4,
        "illegal_dumping": 9,
        "none": 37,
    },
    "urgency": {"emergency": 1, "high": 9, "normal": 90},
    "sentiment": {"negative": 55, "neutral": 35, "positive": 10},
    "language": {"en": 82, "es": 15, "und": 3},
    "platform": {"x": 60, "facebook": 40},
    "length": {"0-40": 12, "41-100": 38, "101-200": 35, "201-400": 12, "401-": 3},
    "model": {"harken-minilm-1": 1},
}
STORM = {"intent": {"report": 88, "question": 4, "status": 3, "complaint": 3, "praise": 1, "other": 1}}


def half_a_year(city: City, *, weeks: int = 20, storm: bool = True) -> None:
    """Weeks of about 150 posts; in the last full one nearly everybody reports something."""
    chance = random.Random(7)
    monday = day_of(now(), city.deployment.settings.zone)
    monday -= timedelta(days=monday.weekday())
    with city.deployment.store.writing() as session:
        for age in range(weeks, -1, -1):
            like = USUAL | (STORM if storm and age == 1 else {})
            session.add(AnswerWeekRow(week=(monday - timedelta(weeks=age)).isoformat(), counts=_counts(like, chance)))


def _counts(like: dict[str, dict[str, int]], chance: random.Random) -> dict[str, int]:
    posts = chance.randint(120, 180)
    counts = {"posts": posts}
    for dimension, shares in like.items():
        for label in chance.choices(list(shares), weights=list(shares.values()), k=posts):
            key = f"share/{dimension}/{label}"
            counts[key] = counts.get(key, 0) + 1
    for head in ("intent", "service_code", "sentiment", "urgency"):
        counts[f"scored/{head}"] = posts
        counts[f"sure/{head}"] = round(posts * chance.uniform(0.78, 0.86) * 1_000_000)
        counts[f"to_check/{head}"] = round(posts * chance.uniform(0.08, 0.2))
        counts[f"corrected/{head}"] = round(posts * chance.uniform(0.01, 0.06))
    return counts


def heads() -> Heads:
    """Heads that fit no encoder, but are well made."""
    made = {
        name: LinearHead(
            labels=head.labels,
            weights=np.zeros((len(head.labels), WIDTH), dtype=np.float32),
            bias=np.zeros(len(head.labels), dtype=np.float32),
            please_check=head.please_check,
        )
        for name, head in read_config(SHIPPED).heads.items()
    }
    return Heads(base=base(), heads=made)


def figures(*, won: int, lost: int) -> dict[str, Any]:
    """What the gate measures."""
    right = {"posts": 40, "before": 0.71, "after": 0.86}
    shares = [{"where": "regression set", "what": "intent = praise", "posts": 31, "before": 0.84, "after": 0.71}]
    return {
        "held_back": {"mentions": 40, "won": won, "lost": lost, "p": 0.0312},
        "right": {
            "held_back": {"intent": right, "service_code": right},
            "regression": {"intent": {"posts": 812, "before": 0.83, "after": 0.832}},
        },
        "shares": [one | {"lost": lost > 2} for one in shares],
        "against": "harken-minilm-1 as it was shipped",
    }


def versions(city: City) -> None:
    """One refused, one in use, one that waits."""
    raw = heads().to_bytes()
    with city.deployment.store.writing() as session:
        for state, won, lost, reason in (
            ("refused", 4, 5, "not better beyond chance: 4 of 40 held-back mentions are read better than before"),
            ("candidate", 9, 1, "9 of 40 held-back mentions are read better than before and 1 worse (p = 0.011)"),
            ("candidate", 8, 2, "8 of 40 held-back mentions are read better than before and 2 worse (p = 0.031)"),
        ):
            row = models.add(
                session,
                by="learning",
                base=base(),
                heads=raw,
                figures=figures(won=won, lost=lost),
                corrections=61,
                last_correction_id=0,
                state=state,
                reason=reason,
            )
            if row.number == 2:
                models.promote(session, row, by="admin@alderfalls.example", base=base())
