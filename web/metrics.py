"""Counts for Prometheus, asked of the database at each scrape: they hold for all processes together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlmodel import Session, col, select

from pipeline.deployment import Deployment
from store import work
from store.tables import AccountRow, AlarmRow, AttentionRow, DraftRow, MentionRow
from store.types import now

CONTENT_TYPE = CONTENT_TYPE_LATEST


class StoreCollector(Collector):
    """What the store says now."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def collect(self) -> Iterator[Metric]:
        """One family of gauges each."""
        with self.deployment.store.reading() as session:
            yield _by_state("harken_mentions", "Mentions by state.", _counted(session, MentionRow))
            yield _by_state("harken_drafts", "Reply drafts by state.", _counted(session, DraftRow))
            yield _by_state("harken_work", "Work rows by state.", work.by_state(session))
            yield GaugeMetricFamily("harken_work_due", "Work rows that are due now.", value=work.due_in(session))
            yield GaugeMetricFamily("harken_alarms_open", "Alarms nobody acknowledged.", value=_alarms(session))
            yield GaugeMetricFamily("harken_attention_open", "What needs attention.", value=_attention(session))
            yield _ages(session, set(self.deployment.accounts()))


def page(deployment: Deployment) -> bytes:
    """The counts as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(deployment))
    return generate_latest(registry)


def _counted(session: Session, table: type[Any]) -> dict[str, int]:
    return dict(session.exec(select(table.state, func.count()).group_by(table.state)).all())


def _by_state(name: str, words: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=["state"])
    for state, count in sorted(counts.items()):
        family.add_metric([state], count)
    return family


def _alarms(session: Session) -> int:
    return session.exec(select(func.count()).select_from(AlarmRow).where(col(AlarmRow.acknowledged_at).is_(None))).one()


def _attention(session: Session) -> int:
    return session.exec(
        select(func.count()).select_from(AttentionRow).where(col(AttentionRow.closed_at).is_(None))
    ).one()


def _ages(session: Session, names: set[str]) -> GaugeMetricFamily:
    """An account that was never heard has no age; its absence is what to alert on."""
    words = "Seconds since an account's last complete round."
    family = GaugeMetricFamily("harken_account_last_success_age_seconds", words, labels=["account", "platform"])
    for row in session.exec(select(AccountRow).order_by(col(AccountRow.name))):
        if row.name in names and row.last_success_at is not None:
            family.add_metric([row.name, row.platform], (now() - row.last_success_at).total_seconds())
    return family
