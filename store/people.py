"""Who may do what: staff, their grants, API tokens."""

from dataclasses import dataclass

#: Each role may do all that the ones before it may, but an admin neither approves nor reads direct messages.
ROLE_RANK = {"viewer": 0, "responder": 1, "approver": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A person, or a token, and what was granted to it."""

    by: str  #: e-mail, or ``token:NAME``; what records name
    roles: frozenset[str]
    staff_id: int | None = None
    token_id: int | None = None
    account_ids: frozenset[int] | None = None  #: None: all accounts
    department_ids: frozenset[int] | None = None  #: None: all departments

    def may(self, role: str) -> bool:
        """Whether this principal has the rights of a role."""
        if role == "admin":
            return "admin" in self.roles
        if role == "viewer" and "admin" in self.roles:
            return True
        return any(ROLE_RANK.get(held, -1) >= ROLE_RANK[role] for held in self.roles)

    def may_touch(self, account_id: int) -> bool:
        """Whether an account is within the grants."""
        return self.account_ids is None or account_id in self.account_ids
