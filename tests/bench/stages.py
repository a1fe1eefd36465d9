"""The stages in this process: assessing, drafting. No platform is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlmodel import select

from pipeline import assess, draft
from pipeline.deployment import Deployment
from store import intake
from store.tables import AccountRow
from tests.bench.figures import Figure, figure
from tests.bench.posts import mentions
from tests.fakes import SCRIPT, ScriptedClassifier
from vocabulary import Page

READ_FOR_REAL = 512  #: mentions that the shipped model reads; the script reads the rest, unmeasured
WITHIN = timedelta(days=2)


def assessing_and_drafting(city: Deployment, account: str, count: int) -> list[Figure]:
    """The two stages over the mentions that then stand on the console."""
    with city.store.writing() as session:
        row = session.exec(select(AccountRow).where(AccountRow.name == account)).one()
        page = Page(mentions=tuple(mentions(count)))
        intake.take_page(session, row, "mentions", page, reply_within=WITHIN)
    _ = city.classifier
    assessed = _batches(city, assess.assess_due, assess.BATCH, until=READ_FOR_REAL)
    city.classifier = ScriptedClassifier(script={"": SCRIPT["pothole"]})
    _batches(city, assess.assess_due, assess.BATCH, until=count)
    drafted = _batches(city, draft.draft_due, draft.BATCH, until=count)
    return [
        figure("assess", "mentions/s", assessed, f"batches of {assess.BATCH}, the shipped model"),
        figure("draft", "mentions/s", drafted, f"batches of {draft.BATCH}"),
    ]


def _batches(city: Deployment, stage: Callable[..., int], size: int, *, until: int) -> list[float]:
    """The rate of each whole batch of a stage."""
    rates, done = [], 0
    while done < until:
        began = time.perf_counter()
        handled = stage(city, worker="bench")
        if handled == 0:
            break
        done += handled
        if handled == size:
            rates.append(handled / (time.perf_counter() - began))
    return rates
