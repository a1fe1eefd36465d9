"""From an id in an address to something the caller may see, and may act on.

What a caller may not see is 404, as if it were not there; what they see and may not touch is 403.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from pipeline.deployment import Deployment
from store import inbox, sight
from store.people import Principal
from store.refusals import Forbidden, Missing
from store.sight import Sight
from store.tables import AccountRow, AttentionRow, DraftRow, MentionRow, ServiceRequestRow
from web import deps, shield
from web.deps import Deployed

Door = Callable[..., Principal]
Condition = Callable[[Sight, str], ColumnElement[bool]]
LARGEST = 2**63 - 1


def row_id(value: str, noun: str) -> int:
    """The number behind an id of ours.

    Raises:
        Missing: it can't be one.
    """
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= LARGEST):
        raise Missing(f"there is no {noun} {value!r}")
    return int(value)


def check(session: Session, seen: Sight, table: Any, noun: str, number: int, condition: Condition, role: str) -> None:
    """Let pass who sees it and holds the role there.

    Raises:
        Missing, Forbidden: as they say.
    """
    if not sight.may(session, condition(seen, "viewer"), table, number):
        raise Missing(f"there is no {noun} {number}")
    if role != "viewer" and not sight.may(session, condition(seen, role), table, number):
        raise Forbidden(f"this takes the role {role} here")


def console(request: Request, d: Deployed) -> None:
    """For every page of the console: who writes holds the role of that address over what the address names.

    Raises:
        Missing, Forbidden: as they say.
    """
    for name, value in request.path_params.items():
        if name.endswith("_id"):
            number = row_id(str(value), name.removesuffix("_id"))
            if request.method not in shield.SAFE_METHODS:
                _may_write(d, deps.signed_in(request, d), name.removesuffix("_id"), number, deps.role_of(request))


def _may_write(d: Deployment, who: Principal, noun: str, number: int, role: str) -> None:
    seen = sight.sight(who, d.services)
    with d.store.reading() as session:
        if noun == "conversation":
            _conversation(session, seen, number, role)
        else:
            table, condition = NOUNS[noun]
            check(session, seen, table, noun, number, condition, role)


def _conversation(session: Session, seen: Sight, number: int, role: str) -> None:
    """A conversation is its mentions': one of them is enough."""
    of_it = select(MentionRow.id).where(MentionRow.conversation_id == number)
    if session.exec(of_it.where(sight.mentions(seen))).first() is None:
        raise Missing(f"there is no conversation {number}")
    if session.exec(of_it.where(sight.mentions(seen, role))).first() is None:
        raise Forbidden(f"this takes the role {role} here")


def kill_switch(d: Deployment, who: Principal, scope: str, *, on: bool) -> None:
    """Let pass who may stop a scope, or let it go on. Who was granted one account may stop that one.

    Raises:
        Forbidden: the role or the grant does not allow it.
    """
    if not on and not (who.may("approver") or who.may("admin")):
        raise Forbidden("to let it go on takes the role approver or admin")
    grants = (*who.granted("responder" if on else "approver"), *who.granted("admin"))
    if any(one.account_id is None and one.department_id is None for one in grants):
        return
    with d.store.reading() as session:
        query = select(AccountRow.name).where(col(AccountRow.id).in_([one.account_id for one in grants]))
        if scope not in {f"account:{name}" for name in session.exec(query)}:
            raise Forbidden("this switch concerns accounts that you were not granted")


def _reach(door: Door, role: str, table: Any, noun: str, condition: Condition) -> Callable[..., int]:
    """A dependency: the number of what the address names. It also notes whose words the answer will repeat."""

    def of(request: Request, d: Deployed, who: Annotated[Principal, Depends(door)]) -> int:
        number = row_id(request.path_params[f"{noun}_id"], noun)
        with d.store.reading() as session:
            check(session, sight.sight(who, d.services), table, noun, number, condition, role)
            request.state.words_of = _words_of(session, table, number)
        return number

    return of


def _words_of(session: Session, table: Any, number: int) -> int | None:
    """The content that an answer about it may repeat, and must not outlive."""
    row = session.get_one(table, number)
    if isinstance(row, DraftRow):
        return session.get_one(MentionRow, row.mention_id).content_id
    if isinstance(row, ServiceRequestRow):
        return row.description_id
    return row.content_id if isinstance(row, MentionRow) else None


def _attention(seen: Sight, role: str) -> ColumnElement[bool]:
    return inbox.needs_attention(seen, role)


def _request(seen: Sight, role: str) -> ColumnElement[bool]:
    return sight.requests(seen, role) & col(ServiceRequestRow.status).in_(inbox.FILED)


def mention_for(door: Door, role: str) -> Callable[..., int]:
    """A mention within reach of a role."""
    return _reach(door, role, MentionRow, "mention", sight.mentions)


def draft_for(door: Door, role: str) -> Callable[..., int]:
    """A draft within reach of a role."""
    return _reach(door, role, DraftRow, "draft", sight.drafts)


def request_for(door: Door, role: str) -> Callable[..., int]:
    """A filed request within reach of a role."""
    return _reach(door, role, ServiceRequestRow, "request", _request)


def attention_for(door: Door) -> Callable[..., int]:
    """Something that needs attention, within one's grants."""
    return _reach(door, "responder", AttentionRow, "attention", _attention)


#: What an address of the console may name.
NOUNS: dict[str, tuple[Any, Condition]] = {
    "draft": (DraftRow, sight.drafts),
    "mention": (MentionRow, sight.mentions),
    "request": (ServiceRequestRow, sight.requests),
    "concern": (AttentionRow, _attention),
}


#: On a page, by who is signed in.
PageOfMention = Annotated[int, Depends(mention_for(deps.staff, "viewer"))]
SeenMention = Annotated[int, Depends(mention_for(deps.viewer, "viewer"))]
MentionToChange = Annotated[int, Depends(mention_for(deps.responder, "responder"))]
SeenDraft = Annotated[int, Depends(draft_for(deps.viewer, "viewer"))]
DraftToChange = Annotated[int, Depends(draft_for(deps.responder, "responder"))]
DraftToApprove = Annotated[int, Depends(draft_for(deps.approver, "approver"))]
SeenRequest = Annotated[int, Depends(request_for(deps.viewer, "viewer"))]
RequestToClose = Annotated[int, Depends(request_for(deps.responder, "responder"))]
AttentionToSettle = Annotated[int, Depends(attention_for(deps.responder_or_admin))]
