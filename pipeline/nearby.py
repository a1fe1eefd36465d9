"""Open requests that a new report may be about: the same service, close by or on the same street."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from places.distance import metres, same_street
from store import requests
from store.tables import RequestMentionRow, ServiceRequestRow

NEAR_M = 150  #: metres
WITHIN = timedelta(days=90)


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearby:
    """An open request that may be the same trouble."""

    request_id: int
    reference: str
    service_name: str
    address: str
    metres: int | None  #: None: no point is known, the street is the same
    requested_at: datetime
    mentions: int


def open_nearby(session: Session, draft_id: int) -> list[Nearby]:
    """What a draft's proposal could be attached to instead of opening a ticket of its own, the nearest first."""
    proposal = requests.proposal_of(session, draft_id)
    if proposal is None:
        return []
    own = requests.by_reference(session, proposal.reference)
    found = []
    for row in requests.open_of_service(session, proposal.service_code, but=own.id if own else None, within=WITHIN):
        away = _away(row, proposal.lat, proposal.long)
        if (away is not None and away <= NEAR_M) or (away is None and same_street(row.address, proposal.address)):
            found.append(_nearby(session, row, away))
    return sorted(found, key=lambda one: (one.metres is None, one.metres or 0))[:8]


def _away(row: ServiceRequestRow, lat: float | None, long: float | None) -> int | None:
    if lat is None or long is None or row.lat is None or row.long is None:
        return None
    return round(metres(row.lat, row.long, lat, long))


def _nearby(session: Session, row: ServiceRequestRow, away: int | None) -> Nearby:
    counted = select(func.count()).select_from(RequestMentionRow).where(col(RequestMentionRow.request_id) == row.id)
    return Nearby(
        request_id=row.id,
        reference=row.reference,
        service_name=row.service_name,
        address=row.address,
        metres=away,
        requested_at=row.requested_at,
        mentions=session.exec(counted).one(),
    )
