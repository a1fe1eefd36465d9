"""What a principal may see and touch: its grants as conditions of a query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlmodel import Session, col, select

from store.desk.assessed import as_it_stands, latest
from store.people import Grant, Principal
from store.tables import (
    AssessmentRow,
    DraftRow,
    MentionRow,
    MentionSourceRow,
    RequestMentionRow,
    ServiceRequestRow,
)
from vocabulary import Service, Visibility


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """A principal, and the service codes of each department."""

    who: Principal
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def sees_all(self, role: str) -> bool:
        """Whether nothing is hidden, so that no condition is needed."""
        return any(_everywhere(one) and one.role != "admin" for one in self.who.granted(role))


def sight(who: Principal, services: Iterable[Service]) -> Sight:
    """How far a principal sees."""
    codes: dict[str, set[str]] = {}
    for service in services:
        codes.setdefault(service.department, set()).add(service.service_code)
    return Sight(who=who, codes={name: frozenset(of) for name, of in codes.items()})


def mentions(seen: Sight, role: str = "viewer") -> ColumnElement[bool]:
    """A condition on ``MentionRow``: heard by an account, or about a service of a department, that is granted."""
    if seen.sees_all(role):
        return true()
    inner = (
        select(MentionRow.id)
        .join(AssessmentRow, col(AssessmentRow.id) == latest(col(MentionRow.id)), isouter=True)
        .where(or_(false(), *(_of_grant(seen, one) for one in seen.who.granted(role))))
        .correlate(None)
    )
    return col(MentionRow.id).in_(inner)


def drafts(seen: Sight, role: str = "viewer") -> ColumnElement[bool]:
    """A condition on ``DraftRow``: the account that would speak is granted, or the mention's department."""
    if seen.sees_all(role):
        return true()
    granted = seen.who.granted(role)
    accounts = [one.account_id for one in granted if one.account_id is not None]
    rest = tuple(one for one in granted if one.account_id is None)
    inner = (
        select(MentionRow.id)
        .join(AssessmentRow, col(AssessmentRow.id) == latest(col(MentionRow.id)), isouter=True)
        .where(or_(false(), *(_of_grant(seen, one) for one in rest)))
        .correlate(None)
    )
    return or_(col(DraftRow.reply_as_id).in_(accounts), col(DraftRow.mention_id).in_(inner))


def about_mention(seen: Sight, column: Any, role: str = "viewer") -> ColumnElement[bool]:
    """A condition on a column that holds a mention's id."""
    if seen.sees_all(role):
        return true()
    seen_ids: ColumnElement[bool] = column.in_(select(MentionRow.id).where(mentions(seen, role)).correlate(None))
    return seen_ids


def accounts(seen: Sight, column: Any) -> ColumnElement[bool]:
    """A condition on a column that holds an account's id. A department's posts come by any account."""
    granted = [one.account_id for one in seen.who.granted("viewer")]
    within: ColumnElement[bool] = true() if None in granted else column.in_(granted)
    return within


def requests(seen: Sight, role: str = "viewer") -> ColumnElement[bool]:
    """A condition on ``ServiceRequestRow``: one of its mentions is seen, or its department is granted."""
    if seen.sees_all(role):
        return true()
    mine = select(RequestMentionRow.request_id).where(about_mention(seen, col(RequestMentionRow.mention_id), role))
    departments = [one.department_id for one in seen.who.granted(role) if one.department_id is not None]
    return or_(
        col(ServiceRequestRow.id).in_(mine.correlate(None)), col(ServiceRequestRow.department_id).in_(departments)
    )


def may(session: Session, condition: ColumnElement[bool], table: Any, row_id: int) -> bool:
    """Whether a row meets a condition."""
    return session.exec(select(table.id).where(table.id == row_id, condition)).first() is not None


def _everywhere(grant: Grant) -> bool:
    return grant.account_id is None and grant.department_id is None


def _of_grant(seen: Sight, grant: Grant) -> ColumnElement[bool]:
    if grant.role == "admin":  # reads, but no direct messages
        return col(MentionRow.visibility) != Visibility.DIRECT
    if grant.account_id is not None:
        heard = select(MentionSourceRow.mention_id).where(MentionSourceRow.account_id == grant.account_id)
        return col(MentionRow.id).in_(heard)
    if grant.department_id is not None:
        filed = (
            select(RequestMentionRow.mention_id)
            .join(ServiceRequestRow, col(ServiceRequestRow.id) == col(RequestMentionRow.request_id))
            .where(ServiceRequestRow.department_id == grant.department_id)
        )
        codes = sorted(seen.codes.get(grant.department, ()))
        about = and_(col(AssessmentRow.id).is_not(None), as_it_stands("service_code").in_(codes))
        return or_(col(MentionRow.id).in_(filed), about)
    return true()
