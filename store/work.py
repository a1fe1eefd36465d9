"""Work rows: the truth of what is to be done. Claimed with a lease and a fence; attempts count before the work.

Leases and due times go by the store's own clock (``store.clock``). Claiming and finishing are single statements over
whole pages, made to be run in ``Store.claiming()`` by many workers at once: rows that another holds are passed over,
and the fence tells who still may finish.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    case,
    delete,
    func,
    literal_column,
    null,
    or_,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from crashing import paced
from store import attention, clock, rows, wakeups
from store.tables import WorkRow
from store.types import now

LEASE = paced(timedelta(seconds=60))
MAX_ATTEMPTS = 8
FIRST_WAIT = paced(timedelta(seconds=5))
#: Of a pause before it is spread: with the half that may come on top, no pause is longer than 15 minutes.
LONGEST_WAIT = paced(timedelta(minutes=10))
KEPT = timedelta(days=1)  #: how long what was done can still be seen
PRUNED_AT_ONCE = 5_000

# Written into the statements, not bound to them: only so do they use the indexes of unfinished rows.
READY = col(WorkRow.state) == literal_column("'ready'")
LEASED = col(WorkRow.state) == literal_column("'leased'")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A piece of work that is ours until the lease ends."""

    work_id: int
    kind: str
    ref: str
    attempt: int
    fence: int


def put(
    session: Session, kind: str, ref: str | int, *, not_before: datetime | None = None, lane: str | None = None
) -> None:
    """Ask for something to be done; asking twice is asking once, and wakes what was done before.

    What is being done at this moment is done again, since whoever does it may have read too early.
    """
    put_all(session, kind, [ref], not_before=not_before, lane=lane)


def put_all(
    session: Session,
    kind: str,
    refs: Iterable[str | int],
    *,
    not_before: datetime | None = None,
    lane: str | None = None,
) -> None:
    """Ask for many things of one kind, each of them once, in one statement.

    ``lane``: what shares one is done by one worker at a time, in the order of its due times (``claim(in_lanes=True)``).
    """
    wanted = [{"ref": str(ref)} for ref in refs]
    if not wanted:
        return
    make = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    due = clock.moment(session, not_before)
    statement = make(SQLModel.metadata.tables["work"]).values(
        kind=kind, lane=lane, state="ready", attempt=0, fence=0, not_before=due, created_at=clock.moment(session)
    )
    was, asked = col(WorkRow.state), statement.excluded
    over = (was == "done") | (was == "dead")
    sooner = (was == "ready") & (col(WorkRow.not_before) < asked.not_before)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "ref"],
            set_={
                "state": "ready",
                "attempt": case((over, 0), else_=col(WorkRow.attempt)),
                "error": case((over, null()), else_=col(WorkRow.error)),
                "not_before": case((sooner, col(WorkRow.not_before)), else_=asked.not_before),
                # Somebody works on what it was before: that one finishes nothing, and it is done once more.
                "fence": case((was == "leased", col(WorkRow.fence) + 1), else_=col(WorkRow.fence)),
                "lease_until": null(),
                "lane": asked.lane,
            },
        ),
        wanted,
    )
    if not_before is None or not_before <= now():
        session.info.setdefault(wakeups.ASKED, set()).add(kind)


def put_new(session: Session, kind: str, refs: Sequence[int]) -> None:
    """Ask for what was made this moment, so that nobody can have asked for it: at a third of the price."""
    due = clock.read(session)
    usual = {"kind": kind, "state": "ready", "attempt": 0, "fence": 0, "not_before": due, "created_at": due}
    put = rows.insert(session, WorkRow, [{**usual, "ref": str(ref)} for ref in refs], unless_there=True)
    if put < len(refs):
        put_all(session, kind, refs)
    session.info.setdefault(wakeups.ASKED, set()).add(kind)


def claim(
    session: Session, kind: str, *, worker: str, limit: int, at: datetime | None = None, in_lanes: bool = False
) -> list[Claim]:
    """Take what is due, the oldest first, after what a dead worker left: that is leased longer than its lease.

    What has used up its tries is given up instead. ``in_lanes``: a lane in which another worker holds something is
    left to that one; workers then claim one after the other, so this is for kinds that are few.
    """
    moment = clock.moment(session, at)
    if in_lanes and session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('claim ' || :kind, 0))"), {"kind": kind})
    of_kind = col(WorkRow.kind) == kind
    if in_lanes:
        lane, held = col(WorkRow.lane), _lanes_of_others(kind, worker, moment)
        of_kind = of_kind & or_(lane.is_(None), lane.not_in(held))
    lapsed = _oldest("lapsed", of_kind & LEASED & (col(WorkRow.lease_until) < moment), WorkRow.lease_until, limit)
    due = _oldest("due", of_kind & READY & (col(WorkRow.not_before) <= moment), WorkRow.not_before, limit)
    chosen = union_all(select(lapsed.c.id), select(due.c.id)).limit(limit)
    taken = session.execute(
        update(WorkRow)
        .where(col(WorkRow.id).in_(chosen))
        .values(
            state="leased",
            worker=worker,
            attempt=col(WorkRow.attempt) + 1,
            fence=col(WorkRow.fence) + 1,
            lease_until=moment + LEASE,
        )
        .returning(*(col(c) for c in (WorkRow.not_before, WorkRow.id, WorkRow.ref, WorkRow.attempt, WorkRow.fence)))
        .execution_options(synchronize_session=False)
    )
    claims = [
        Claim(work_id=work_id, kind=kind, ref=ref, attempt=attempt, fence=fence)
        for _due, work_id, ref, attempt, fence in sorted(tuple(row) for row in taken)
    ]
    spent = [held for held in claims if held.attempt > MAX_ATTEMPTS]
    for held in spent:
        row = session.get_one(WorkRow, held.work_id, populate_existing=True)
        give_up(session, held, row.error or "its worker died each time")
    return [held for held in claims if held not in spent] if spent else claims


def _lanes_of_others(kind: str, worker: str, moment: ColumnElement[datetime] | datetime) -> Any:
    return select(WorkRow.lane).where(
        WorkRow.kind == kind,
        LEASED,
        col(WorkRow.lease_until) >= moment,
        col(WorkRow.lane).is_not(None),
        WorkRow.worker != worker,
    )


def _oldest(name: str, which: ColumnElement[bool], by: Any, limit: int) -> CTE:
    """Apart from the update, which might else look for its rows more than once and take more than the limit."""
    chosen = select(WorkRow.id).where(which).order_by(by, col(WorkRow.id)).limit(limit)
    return chosen.with_for_update(skip_locked=True).cte(name)


def ours(session: Session, claims: Sequence[Claim]) -> list[Claim]:
    """Those that still hold: first thing in a transaction that does the work of them.

    Their rows stay as they are until the transaction ends.
    """
    held = select(WorkRow.id).where(_held(claims)).order_by(col(WorkRow.id)).with_for_update()
    kept = set(session.exec(held)) if claims else set()
    return [one for one in claims if one.work_id in kept]


def renew(session: Session, claims: Sequence[Claim]) -> None:
    """Lease once more what takes long. What another transaction is about to finish is passed over."""
    _change(session, claims, skip_locked=True, lease_until=clock.moment(session) + LEASE)


def finish(session: Session, claims: Sequence[Claim]) -> int:
    """Mark as done; gives how many were still ours. A worker that lost its lease finishes nothing."""
    return len(_change(session, claims, state="done", error=None, lease_until=None))


def later(
    session: Session, held: Claim, *, at: datetime | None = None, error: str | None = None, free: bool = False
) -> None:
    """Try again at a moment, by default after the pause that is due; the last try's failure is a person's.

    ``free``: the try does not count, since nothing was wrong.
    """
    if held.attempt >= MAX_ATTEMPTS and not free:
        give_up(session, held, error or "it failed each time")
        return
    due = clock.moment(session) + wait_after(held.attempt) if at is None else at
    attempt = held.attempt - 1 if free else held.attempt
    _change(session, [held], state="ready", not_before=due, error=error, lease_until=None, attempt=attempt)


def give_back(session: Session, claims: Sequence[Claim]) -> None:
    """What was claimed and not begun is somebody else's; the try does not count.

    What another transaction is about to ask for anew is passed over: it is given back by that.
    """
    _change(session, claims, skip_locked=True, state="ready", lease_until=None, attempt=col(WorkRow.attempt) - 1)


def give_up(session: Session, held: Claim, error: str) -> None:
    """Nothing more will be tried: a dead row stands on *Needs attention* until it is replayed or discarded."""
    if not _change(session, [held], state="dead", error=error[:500], lease_until=None):
        return
    attention.raise_(
        session,
        kind="work",
        ref=f"{held.kind}:{held.ref}",
        summary=f"{held.kind} of {held.ref} was given up: {error[:300]}",
        remedy="replay it once the cause is mended, or discard it",
    )


def replay(session: Session, kind: str, ref: str) -> None:
    """Give a dead row new tries, in the lane that it had."""
    row = session.exec(select(WorkRow).where(WorkRow.kind == kind, WorkRow.ref == ref)).first()
    put(session, kind, ref, lane=row.lane if row else None)


def wait_after(attempt: int, dice: Callable[[], float] = random.random) -> timedelta:
    """The pause after a failed try: 5 seconds doubled with each, give or take a half, so that not all come at once."""
    usual: timedelta = min(FIRST_WAIT * 2 ** min(max(attempt, 1) - 1, 20), LONGEST_WAIT)
    return usual * (0.5 + dice())


def _change(session: Session, claims: Sequence[Claim], *, skip_locked: bool = False, **values: Any) -> set[int]:
    """Change the rows that are still ours, in one statement; gives their ids."""
    if not claims:
        return set()
    which = _held(claims)
    if skip_locked:
        free = select(WorkRow.id).where(which).with_for_update(skip_locked=True).cte("free")
        which = col(WorkRow.id).in_(select(free.c.id))
    changed = session.execute(
        update(WorkRow)
        .where(which)
        .values(**values)
        .returning(col(WorkRow.id))
        .execution_options(synchronize_session=False)
    )
    return set(changed.scalars())


def _held(claims: Sequence[Claim]) -> ColumnElement[bool]:
    return tuple_(col(WorkRow.id), col(WorkRow.fence)).in_([(one.work_id, one.fence) for one in claims]) & LEASED


def due_in(session: Session, *, at: datetime | None = None) -> int:
    """How many rows are due now."""
    moment = clock.moment(session, at)
    ready = READY & (col(WorkRow.not_before) <= moment)
    lapsed = LEASED & (col(WorkRow.lease_until) < moment)
    return session.exec(select(func.count()).select_from(WorkRow).where(or_(ready, lapsed))).one()


def due_after(session: Session, kinds: Sequence[str]) -> timedelta | None:
    """How long it is until something of these kinds is due, negative where it is overdue; None: nothing stands.

    A look at the ends of small indexes, however much there is.
    """
    ends: list[Any] = []
    for kind in kinds:
        ends.append(select(func.min(WorkRow.not_before).label("due")).where(WorkRow.kind == kind, READY))
        ends.append(select(func.min(WorkRow.lease_until).label("due")).where(WorkRow.kind == kind, LEASED))
    soonest = session.execute(select(func.min(union_all(*ends).subquery().c.due))).scalar()
    return None if soonest is None else soonest - clock.read(session)


def by_state(session: Session) -> dict[str, int]:
    """How many rows stand in each state."""
    counted = session.exec(select(WorkRow.state, func.count()).group_by(WorkRow.state)).all()
    return dict(counted)


def prune(session: Session, *, older_than: timedelta = KEPT, limit: int = PRUNED_AT_ONCE) -> int:
    """Forget a page of what was done long ago; gives how many.

    The newest row stays, since SQLite would give its id to another, for which a zombie's claim might then fit.
    """
    before = clock.moment(session) - older_than
    done = col(WorkRow.state) == literal_column("'done'")
    newest = select(func.max(WorkRow.id)).scalar_subquery()
    old = (
        select(WorkRow.id)
        .where(done, col(WorkRow.not_before) < before, col(WorkRow.id) < newest)
        .order_by(col(WorkRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    gone = session.execute(
        delete(WorkRow)
        .where(col(WorkRow.id).in_(select(old.c.id)))
        .returning(col(WorkRow.id))
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def clock_set_back(session: Session) -> None:
    """Undo what a clock that was set back does: nothing may wait for as long again.

    What waits is looked at now, since every step knows by itself whether it is too early; a lease lasts no longer than
    one that is given now.
    """
    moment = clock.moment(session)
    for which, values in (
        (READY & (col(WorkRow.not_before) > moment), {"not_before": moment}),
        (LEASED & (col(WorkRow.lease_until) > moment + LEASE), {"lease_until": moment + LEASE}),
    ):
        session.execute(update(WorkRow).where(which).values(**values).execution_options(synchronize_session=False))
