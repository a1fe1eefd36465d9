"""Whose clock runs, where several processes have one: a lease with an epoch, in one row.

The lease goes by the database's clock. It alone would not do, since a process may stand still between looking at it
and writing: so whatever a leader writes, it writes in a transaction that first makes sure of its epoch (``must_hold``).
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

import crashing
from crashing import paced
from errors import HarkenError
from store import clock
from store.tables import LeaderRow

LEASE = paced(timedelta(seconds=15))


class NotLeadingError(HarkenError):
    """Another process has taken over: what this one was about to write is that one's to write."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One process's time as leader."""

    name: str  #: of what is led
    holder: str
    epoch: int  #: rises with every change of hands


def stand(session: Session, name: str, *, holder: str, lease: timedelta = LEASE) -> Term | None:
    """Lead, unless somebody does: None then.

    A lease that ends later than one given now was given before the clock was set back, and binds nobody for so long.
    """
    moment = clock.moment(session)
    make = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = make(LeaderRow).values(name=name, holder=holder, epoch=1, lease_until=moment + lease)
    until = col(LeaderRow.lease_until)
    taken = session.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "epoch": col(LeaderRow.epoch) + 1, "lease_until": moment + lease},
            where=or_(until < moment, until > moment + 2 * lease),
        ).returning(col(LeaderRow.epoch))
    ).scalar()
    crashing.here("leader.standing")
    return None if taken is None else Term(name=name, holder=holder, epoch=taken)


def renew(session: Session, term: Term, *, lease: timedelta = LEASE) -> bool:
    """Stay leader; gives whether it still was. A lease that ended and that nobody took is taken up again."""
    crashing.here("leader.renewing")
    return _set_until(session, term, lease)


def resign(session: Session, term: Term) -> None:
    """Let another lead at once."""
    _set_until(session, term, timedelta(seconds=-1))


def must_hold(session: Session, term: Term) -> None:
    """Make sure that this is the leader, until the transaction ends: nobody takes over before.

    Raises:
        NotLeadingError: it is not.
    """
    same = select(LeaderRow.epoch).where(
        LeaderRow.name == term.name, LeaderRow.holder == term.holder, LeaderRow.epoch == term.epoch
    )
    if session.exec(same.with_for_update(read=True)).first() is None:
        raise NotLeadingError(f"{term.holder} no longer leads the {term.name} (its epoch was {term.epoch})")


def _set_until(session: Session, term: Term, span: timedelta) -> bool:
    same = (
        (col(LeaderRow.name) == term.name)
        & (col(LeaderRow.holder) == term.holder)
        & (col(LeaderRow.epoch) == term.epoch)
    )
    changed = session.execute(
        update(LeaderRow)
        .where(same)
        .values(lease_until=clock.moment(session) + span)
        .returning(col(LeaderRow.epoch))
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None
