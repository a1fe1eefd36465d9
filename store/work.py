"""Work rows: the truth of what is to be done. Claimed with a lease and a fence; attempts count before the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, update
from sqlmodel import Session, col, select

from store import attention
from store.tables import WorkRow
from store.types import now

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 8
#: Waits after each failed try; the last one repeats.
BACK_OFF = tuple(timedelta(seconds=s) for s in (5, 10, 20, 60, 300, 900))


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A piece of work that is ours until the lease ends."""

    work_id: int
    kind: str
    ref: str
    attempt: int
    fence: int


def put(session: Session, kind: str, ref: str | int, *, not_before: datetime | None = None) -> None:
    """Ask for something to be done; asking twice is asking once, and wakes what was done before.

    What is being done at this moment is done again, since whoever does it may have read too early.
    """
    row = session.exec(select(WorkRow).where(WorkRow.kind == kind, WorkRow.ref == str(ref))).first()
    due = not_before or now()
    if row is None:
        session.add(WorkRow(kind=kind, ref=str(ref), not_before=due))
        return
    if row.state in {"done", "dead"}:
        row.state, row.attempt, row.not_before, row.error = "ready", 0, due, None
    elif row.state == "ready":
        row.not_before = min(row.not_before, due)
    else:  # somebody works on what it was before: that one finishes nothing, and it is done once more
        row.state, row.fence, row.lease_until, row.not_before = "ready", row.fence + 1, None, due
    session.add(row)


def claim(session: Session, kind: str, *, worker: str, limit: int, at: datetime | None = None) -> list[Claim]:
    """Take what is due, the oldest first. What is leased longer than its lease was left by a dead worker."""
    moment = at or now()
    due = (
        select(WorkRow)
        .where(WorkRow.kind == kind)
        .where(
            or_(
                (col(WorkRow.state) == "ready") & (col(WorkRow.not_before) <= moment),
                (col(WorkRow.state) == "leased") & (col(WorkRow.lease_until) < moment),
            )
        )
        .order_by(col(WorkRow.not_before), col(WorkRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claims = []
    for row in session.exec(due).all():
        if row.attempt >= MAX_ATTEMPTS:
            bury(session, row, row.error or "its worker died each time")
            continue
        row.state, row.worker = "leased", worker
        row.attempt, row.fence, row.lease_until = row.attempt + 1, row.fence + 1, moment + LEASE
        session.add(row)
        claims.append(Claim(work_id=row.id, kind=row.kind, ref=row.ref, attempt=row.attempt, fence=row.fence))
    session.flush()
    return claims


def finish(session: Session, claims: Sequence[Claim]) -> int:
    """Mark as done; gives how many were still ours. A worker that lost its lease finishes nothing."""
    done = 0
    for held in claims:
        done += _if_ours(session, held, state="done", error=None, lease_until=None)
    return done


def later(session: Session, held: Claim, *, at: datetime, error: str | None = None, free: bool = False) -> None:
    """Try again at a moment. ``free``: the try does not count, since nothing was wrong."""
    attempt = held.attempt - 1 if free else held.attempt
    _if_ours(session, held, state="ready", not_before=at, error=error, lease_until=None, attempt=attempt)


def give_back(session: Session, claims: Sequence[Claim]) -> None:
    """What was claimed and not begun is somebody else's; the try does not count."""
    for held in claims:
        _if_ours(session, held, state="ready", lease_until=None, attempt=held.attempt - 1)


def give_up(session: Session, held: Claim, error: str) -> None:
    """Nothing more will be tried; a person must look."""
    row = session.get_one(WorkRow, held.work_id)
    if row.fence == held.fence and row.state == "leased":
        bury(session, row, error)


def bury(session: Session, row: WorkRow, error: str) -> None:
    """A dead row stands on *Needs attention* until it is replayed or discarded."""
    row.state, row.error, row.lease_until = "dead", error[:500], None
    session.add(row)
    attention.raise_(
        session,
        kind="work",
        ref=f"{row.kind}:{row.ref}",
        summary=f"{row.kind} of {row.ref} was given up: {error[:300]}",
        remedy="replay it once the cause is mended, or discard it",
    )


def replay(session: Session, kind: str, ref: str) -> None:
    """Give a dead row new tries."""
    put(session, kind, ref)


def wait_after(attempt: int) -> timedelta:
    """The pause after a failed try."""
    return BACK_OFF[min(attempt, len(BACK_OFF)) - 1]


def _if_ours(session: Session, held: Claim, **values: object) -> int:
    changed = session.execute(
        update(WorkRow)
        .where(col(WorkRow.id) == held.work_id, col(WorkRow.fence) == held.fence, col(WorkRow.state) == "leased")
        .values(**values)
    )
    return int(getattr(changed, "rowcount", 0))


def due_in(session: Session, *, at: datetime | None = None) -> int:
    """How many rows are due now."""
    moment = at or now()
    ready = (col(WorkRow.state) == "ready") & (col(WorkRow.not_before) <= moment)
    lapsed = (col(WorkRow.state) == "leased") & (col(WorkRow.lease_until) < moment)
    return session.exec(select(func.count()).select_from(WorkRow).where(or_(ready, lapsed))).one()


def by_state(session: Session) -> dict[str, int]:
    """How many rows stand in each state."""
    counted = session.exec(select(WorkRow.state, func.count()).group_by(WorkRow.state)).all()
    return dict(counted)
