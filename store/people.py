"""Who may do what: staff, their grants, one-time links, API tokens. Signing in is ``store/sign_in.py``.

Staff are never deleted, since records name them. Of links and tokens only the SHA-256 is kept.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from store import audit
from store.refusals import Conflict, Invalid, Missing
from store.tables import (
    ROLES,
    AccountRow,
    ApiTokenRow,
    ConversationRow,
    DepartmentRow,
    StaffGrantRow,
    StaffRow,
    WebSessionRow,
)
from store.types import now

#: Each role may do all that the ones before it may, but an admin neither approves nor reads direct messages.
ROLE_RANK = {"viewer": 0, "responder": 1, "approver": 2}
LINK_LASTS = timedelta(hours=24)
TOKEN_PREFIX = "hk_"  # so that a leaked one is recognised by secret scanners
EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """A role, and where it holds: one account, one department, or, with neither, everywhere."""

    role: str
    account_id: int | None = None
    department_id: int | None = None
    department: str = ""  #: its name, as ``services.csv`` spells it

    def gives(self, role: str) -> bool:
        """Whether it carries the rights of a role. An admin reads, but nothing between."""
        if "admin" in (role, self.role):
            return self.role == "admin" and role in ("admin", "viewer")
        return ROLE_RANK[self.role] >= ROLE_RANK[role]


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A person, or a token, and what was granted to it."""

    by: str  #: e-mail, or ``token:NAME``; what records name
    roles: frozenset[str]
    staff_id: int | None = None
    token_id: int | None = None  #: only of a token without an owner: an owned one acts in its owner's name
    account_ids: frozenset[int] | None = None  #: None: all accounts
    department_ids: frozenset[int] | None = None  #: None: all departments
    grants: tuple[Grant, ...] = ()
    credential: str = ""  #: what it came with: ``token:3``, ``session:12``

    def may(self, role: str) -> bool:
        """Whether this principal has the rights of a role, somewhere."""
        if role == "admin":
            return "admin" in self.roles
        if role == "viewer" and "admin" in self.roles:
            return True
        return any(ROLE_RANK.get(held, -1) >= ROLE_RANK[role] for held in self.roles)

    def may_touch(self, account_id: int) -> bool:
        """Whether an account is within the grants."""
        return self.account_ids is None or account_id in self.account_ids

    def granted(self, role: str) -> tuple[Grant, ...]:
        """Where it has the rights of a role."""
        return tuple(grant for grant in self.grants or _flat(self) if grant.gives(role))


def _flat(who: Principal) -> Iterable[Grant]:
    """The grants of a principal that was made without any: every role, wherever its ids say."""
    for role in sorted(who.roles):
        if who.account_ids is not None:
            yield from (Grant(role=role, account_id=one) for one in sorted(who.account_ids))
        elif who.department_ids is not None:
            yield from (Grant(role=role, department_id=one) for one in sorted(who.department_ids))
        else:
            yield Grant(role=role)


def secret_sha(secret: str) -> str:
    """What is kept of a link, a session or a token. Plain SHA-256 is enough for 256 random bits."""
    return audit.sha(secret)


def add_staff(session: Session, email: str, *, by: str, name: str = "") -> StaffRow:
    """A new person, without any grant.

    Raises:
        Invalid: the e-mail is none.
        Conflict: the person is there already.
    """
    email = email.strip().lower()
    if not EMAIL.fullmatch(email):
        raise Invalid(f"{email!r} is no e-mail address", field="email")
    if session.exec(select(StaffRow).where(StaffRow.email == email)).first() is not None:
        raise Conflict(f"{email} is on the list already", code="exists")
    row = StaffRow(email=email, name=name.strip()[:200])
    session.add(row)
    session.flush()
    audit.append(session, by=by, action="staff.added", subject=f"staff:{row.id}")
    return row


def staff(session: Session, email: str) -> StaffRow:
    """The person of an e-mail.

    Raises:
        Missing: there is none.
    """
    row = session.exec(select(StaffRow).where(StaffRow.email == email.strip().lower())).first()
    if row is None:
        raise Missing(f"nobody on the list has the e-mail {email!r}")
    return row


def grant(
    session: Session, row: StaffRow, role: str, *, by: str, account: str | None = None, department: str | None = None
) -> StaffGrantRow:
    """Give a person a role: everywhere, on one account, or for one department. Given twice is given once.

    Raises:
        Invalid: the role, the account or the department is not known, or an admin's role is narrowed.
    """
    if role not in ROLES:
        raise Invalid(f"{role!r} is no role; use one of {', '.join(ROLES)}", field="role")
    if account and department:
        raise Invalid("a grant is for an account or for a department, not both", field="department")
    if role == "admin" and (account or department):
        raise Invalid("an admin's role holds everywhere", field="role")
    scope = "account" if account else "department" if department else "all"
    wanted: dict[str, Any] = {
        "staff_id": row.id,
        "role": role,
        "scope": scope,
        "account_id": _account_id(session, account),
        "department_id": _department_id(session, department),
    }
    same = session.exec(select(StaffGrantRow).filter_by(**wanted)).first()
    if same is not None:
        return same
    given = StaffGrantRow(**wanted)
    session.add(given)
    session.flush()
    where = {"account": account or "", "department": department or ""}
    audit.append(
        session,
        by=by,
        action="staff.granted",
        subject=f"staff:{row.id}",
        hashes={"role": role, "scope": scope, **{key: value for key, value in where.items() if value}},
    )
    return given


def revoke(session: Session, given: StaffGrantRow, *, by: str) -> None:
    """Take a grant back; it ends with the next request."""
    hashes = {"role": given.role, "scope": given.scope}
    audit.append(session, by=by, action="staff.revoked", subject=f"staff:{given.staff_id}", hashes=hashes)
    session.delete(given)
    session.flush()


def _account_id(session: Session, name: str | None) -> int | None:
    if not name:
        return None
    row = session.exec(select(AccountRow).where(AccountRow.name == name)).first()
    if row is None:
        raise Invalid(f"there is no account {name!r}", field="account")
    return row.id


def _department_id(session: Session, name: str | None) -> int | None:
    if not name:
        return None
    row = session.exec(select(DepartmentRow).where(DepartmentRow.name == name)).first()
    if row is None:
        raise Invalid(f"there is no department {name!r} in services.csv", field="department")
    return row.id


def grants_of(session: Session, staff_ids: Sequence[int]) -> dict[int, list[Grant]]:
    """The grants of several people, in the order they were given."""
    query = (
        select(StaffGrantRow, DepartmentRow.name)
        .join(DepartmentRow, col(DepartmentRow.id) == col(StaffGrantRow.department_id), isouter=True)
        .where(col(StaffGrantRow.staff_id).in_(staff_ids))
        .order_by(col(StaffGrantRow.id))
    )
    found: dict[int, list[Grant]] = {one: [] for one in staff_ids}
    for row, department in session.exec(query):
        made = Grant(
            role=row.role, account_id=row.account_id, department_id=row.department_id, department=department or ""
        )
        found[row.staff_id].append(made)
    return found


def everybody(session: Session) -> list[tuple[StaffRow, list[Grant]]]:
    """All people, disabled ones too, with their grants."""
    rows = list(session.exec(select(StaffRow).order_by(col(StaffRow.email))))
    held = grants_of(session, [row.id for row in rows])
    return [(row, held[row.id]) for row in rows]


def disable(session: Session, row: StaffRow, *, by: str) -> None:
    """Shut a person out at once: sign-ins, the one-time link, owned tokens and claims end. The records stay."""
    moment = now()
    row.disabled_at = row.disabled_at or moment
    row.link_hash = row.link_until = row.password_hash = None
    session.add(row)
    for ended in (
        update(WebSessionRow)
        .where(col(WebSessionRow.staff_id) == row.id, col(WebSessionRow.ended_at).is_(None))
        .values(ended_at=moment),
        update(ApiTokenRow)
        .where(col(ApiTokenRow.staff_id) == row.id, col(ApiTokenRow.disabled_at).is_(None))
        .values(disabled_at=moment),
        update(ConversationRow)
        .where(col(ConversationRow.claimed_by_id) == row.id)
        .values(claimed_by_id=None, claimed_at=None),
        update(ConversationRow).where(col(ConversationRow.owner_id) == row.id).values(owner_id=None),
    ):
        session.execute(ended)
    audit.append(session, by=by, action="staff.disabled", subject=f"staff:{row.id}")


def new_link(session: Session, row: StaffRow, *, by: str) -> str:
    """The secret of a one-time sign-in link; an earlier one is void. It lets its holder set a password.

    Raises:
        Conflict: the person is disabled.
    """
    if row.disabled_at is not None:
        raise Conflict(f"{row.email} is disabled", code="disabled")
    secret = secrets.token_urlsafe(32)
    row.link_hash, row.link_until = secret_sha(secret), now() + LINK_LASTS
    session.add(row)
    audit.append(session, by=by, action="staff.link_made", subject=f"staff:{row.id}")
    return secret


def of_link(session: Session, secret: str, *, at: datetime | None = None) -> StaffRow | None:
    """Whom a one-time link was made for; None when it is used, too old or was never made."""
    row = session.exec(select(StaffRow).where(StaffRow.link_hash == secret_sha(secret))).first()
    if row is None or row.disabled_at is not None or row.link_until is None or row.link_until < (at or now()):
        return None
    return row


def create_token(session: Session, name: str, role: str, *, by: str, owner: StaffRow | None = None) -> str:
    """A key to the JSON API, shown this once. With an owner it can do no more than its owner, in the owner's name.

    Raises:
        Invalid: the name or the role can't be taken, or the owner does not hold the role.
        Conflict: the name is in use.
    """
    if not NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no token name: letters, digits, '.', '_' and '-', 64 at most", field="name")
    if role not in ROLES:
        raise Invalid(f"{role!r} is no role; use one of {', '.join(ROLES)}", field="role")
    if session.exec(select(ApiTokenRow).where(ApiTokenRow.name == name)).first() is not None:
        raise Conflict(f"a token {name!r} is there already", code="exists")
    if owner is not None and (owner.disabled_at is not None or not _limited(grants_of_one(session, owner.id), role)):
        raise Invalid(f"{owner.email} does not hold the role {role!r}, so no token of theirs can", field="role")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ApiTokenRow(
        name=name, token_hash=secret_sha(secret), role=role, staff_id=owner.id if owner is not None else None
    )
    session.add(row)
    session.flush()
    audit.append(session, by=by, action="token.created", subject=f"token:{row.id}", hashes={"role": role})
    return secret


def tokens(session: Session) -> list[ApiTokenRow]:
    """All tokens, disabled ones too."""
    return list(session.exec(select(ApiTokenRow).order_by(col(ApiTokenRow.name))))


def disable_token(session: Session, row: ApiTokenRow, *, by: str) -> None:
    """End a token; it is refused from the next request on."""
    row.disabled_at = row.disabled_at or now()
    session.add(row)
    audit.append(session, by=by, action="token.disabled", subject=f"token:{row.id}")


def grants_of_one(session: Session, staff_id: int) -> tuple[Grant, ...]:
    """The grants of one person."""
    return tuple(grants_of(session, [staff_id])[staff_id])


def _limited(held: Iterable[Grant], role: str) -> tuple[Grant, ...]:
    """What a token of a role may do of what its owner may: no more than either."""
    return tuple(
        Grant(role=role, account_id=one.account_id, department_id=one.department_id, department=one.department)
        for one in held
        if one.gives(role) and (role == "admin") == (one.role == "admin")
    )


def principal_of_staff(row: StaffRow, held: Sequence[Grant], *, credential: str = "") -> Principal:
    """A person as a principal."""
    everywhere = any(one.account_id is None and one.department_id is None for one in held)
    departments = frozenset(one.department_id for one in held if one.department_id is not None)
    accounts = frozenset(one.account_id for one in held if one.account_id is not None)
    return Principal(
        by=row.email,
        roles=frozenset(one.role for one in held),
        staff_id=row.id,
        # A department's mentions come by any account, so an account alone decides nothing there: the door looks closer.
        account_ids=None if everywhere or departments else accounts,
        department_ids=None if everywhere or not departments else departments,
        grants=tuple(held),
        credential=credential,
    )


def token_row(session: Session, secret: str) -> ApiTokenRow | None:
    """The token of a secret, if it is still good."""
    if not secret.startswith(TOKEN_PREFIX):
        return None
    row = session.exec(select(ApiTokenRow).where(ApiTokenRow.token_hash == secret_sha(secret))).first()
    return row if row is not None and row.disabled_at is None else None


def principal_of_token(session: Session, secret: str) -> Principal | None:
    """Who comes with an API token; None when it is wrong, disabled, or its owner is."""
    row = token_row(session, secret)
    return None if row is None else principal_of_token_row(session, row)


def principal_of_token_row(session: Session, row: ApiTokenRow) -> Principal | None:
    """The principal behind a token: its owner within the token's role, or the token itself."""
    credential = f"token:{row.id}"
    if row.staff_id is None:
        return Principal(
            by=f"token:{row.name}",
            roles=frozenset({row.role}),
            token_id=row.id,
            grants=(Grant(role=row.role),),
            credential=credential,
        )
    owner = session.get_one(StaffRow, row.staff_id)
    if owner.disabled_at is not None:
        return None
    return principal_of_staff(owner, _limited(grants_of_one(session, owner.id), row.role), credential=credential)
