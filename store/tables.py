"""All tables. Times are UTC; words that people wrote live in ``content`` alone, every other table points at it.

One file, since SQLModel resolves relations by class name and a reader wants the whole schema on one page.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.types import NAMING, UtcDateTime, now, one_of
from vocabulary import DraftState, HeardHow, Outcome, Purpose, Urgency, Visibility

SQLModel.metadata.naming_convention = NAMING

MENTION_STATES = (
    "new",  # stored, not looked at
    "assessed",
    "drafted",
    "waiting_for_resident",  # we asked where
    "filed",  # a request is open, no reply is due
    "answered",
    "dismissed",
    "quarantined",  # three tries to understand it failed
    "deleted",  # gone from its platform; the words are emptied
)
WORK_STATES = ("ready", "leased", "done", "dead")
TICKET_STATES = ("pending", "sending", "in_doubt", "open", "failed", "closed", "cancelled", "dry_run")
VERSION_STATES = (
    "candidate",  # passed the gate and waits for a person
    "refused",  # did not pass it
    "shadow",  # answers beside the live one; its answers are kept and never used
    "live",
    "retired",
)
ROLES = ("viewer", "responder", "approver", "admin")


def at(**given: Any) -> Any:
    """A column with a time."""
    return Field(sa_type=UtcDateTime, **given)


def some_json() -> Any:
    """A column with a small JSON value."""
    return Field(default_factory=dict, sa_type=JSON)


class AccountRow(SQLModel, table=True):
    """One login of the city; what the file says of it stays in the file."""

    __tablename__ = "account"
    __table_args__ = (one_of("state", ("ok", "paused", "unauthorized", "rate_limited")),)

    id: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    platform: str
    state: str = "ok"
    armed: bool = False  # by an admin; the file's ceiling holds besides
    last_success_at: datetime | None = at(default=None)
    last_try_at: datetime | None = at(default=None)
    not_before: datetime | None = at(default=None)  # back-off or rate limit
    failures: int = 0
    error: str | None = None
    quota: dict[str, Any] = some_json()


class SourceRangeRow(SQLModel, table=True):
    """The range ledger: one stretch of one source; the mark moves only when nothing is open."""

    __tablename__ = "source_range"
    __table_args__ = (Index("ix_source_range_open", "account_id", "source", "open"),)

    id: int = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    source: str
    since: datetime = at()
    since_id: str | None = None
    resume_at: str | None = None
    newest_id: str | None = None  # of all pages so far
    newest_at: datetime | None = at(default=None)
    started_at: datetime = at(default_factory=now)
    finished_at: datetime | None = at(default=None)
    open: bool = True


class GapRow(SQLModel, table=True):
    """A stretch that a platform no longer serves, or that lies before our first round: visible, never silent."""

    __tablename__ = "gap"
    __table_args__ = (UniqueConstraint("account_id", "source", "to_at"),)

    id: int = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    source: str
    from_at: datetime | None = at(default=None)  # None: since ever
    to_at: datetime = at()
    reason: str
    noticed_at: datetime = at(default_factory=now)


class BreakerRow(SQLModel, table=True):
    """How much of a source could not be read lately; where that is too much, nobody listens to it for now."""

    __tablename__ = "breaker"

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    source: str = Field(primary_key=True)
    heard: int = 0  # posts that were new, the unreadable among them
    unreadable: int = 0
    stopped_at: datetime | None = at(default=None)
    stopped_version: str | None = None  # of Harken, that could not read it


class ContentRow(SQLModel, table=True):
    """Words of residents and staff, and raw payloads. Disposing empties the row and leaves a tombstone."""

    __tablename__ = "content"
    __table_args__ = (Index("ix_content_derived_from", "derived_from"),)

    id: int = Field(default=None, primary_key=True)
    record_class: str  # post, reply, draft, note, raw, description, place, api
    text: str | None = None
    media: list[dict[str, str]] | None = Field(default=None, sa_type=JSON)
    raw: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    derived_from: int | None = Field(default=None, foreign_key="content.id")  # disposed together with it
    created_at: datetime = at(default_factory=now)
    legal_hold: bool = False
    sealed_at: datetime | None = at(default=None)
    disposed_at: datetime | None = at(default=None)


class IdentityRow(SQLModel, table=True):
    """A platform's user. The id is for ever; the handle may change hands."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("platform", "platform_user_id"),)

    id: int = Field(default=None, primary_key=True)
    platform: str
    platform_user_id: str
    handle: str = ""
    name: str = ""
    first_seen_at: datetime = at(default_factory=now)


class ResidentRow(SQLModel, table=True):
    """A person, known only through links that were given or confirmed."""

    __tablename__ = "resident"

    id: int = Field(default=None, primary_key=True)
    created_at: datetime = at(default_factory=now)


class IdentityLinkRow(SQLModel, table=True):
    """Why we hold an identity to be a resident's; never by guessing, and it can be parted again."""

    __tablename__ = "identity_link"
    __table_args__ = (
        one_of("basis", ("given_by_resident", "confirmed_by_staff")),
        Index(
            "uq_identity_link_live",
            "identity_id",
            unique=True,
            sqlite_where=text("parted_at IS NULL"),
            postgresql_where=text("parted_at IS NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True)
    identity_id: int = Field(foreign_key="identity.id")
    resident_id: int = Field(foreign_key="resident.id")
    basis: str
    by: str
    linked_at: datetime = at(default_factory=now)
    parted_at: datetime | None = at(default=None)


class ContactRuleRow(SQLModel, table=True):
    """What an identity wants no more of."""

    __tablename__ = "contact_rule"
    __table_args__ = (one_of("scope", ("replies", "follow_ups", "all")),)

    id: int = Field(default=None, primary_key=True)
    identity_id: int = Field(foreign_key="identity.id", index=True)
    scope: str
    reason: str
    by: str
    made_at: datetime = at(default_factory=now)
    until: datetime | None = at(default=None)


class ConversationRow(SQLModel, table=True):
    """A thread on one platform."""

    __tablename__ = "conversation"
    __table_args__ = (UniqueConstraint("platform", "conversation_key"),)

    id: int = Field(default=None, primary_key=True)
    platform: str
    conversation_key: str
    last_seq: int = 0  # rises with each post of anybody, and each edit
    owner_id: int | None = Field(default=None, foreign_key="staff.id")
    claimed_by_id: int | None = Field(default=None, foreign_key="staff.id")
    claimed_at: datetime | None = at(default=None)
    held_reason: str | None = None
    sensitive: bool = False
    due_at: datetime | None = at(default=None)
    incident_id: int | None = None


class NoteRow(SQLModel, table=True):
    """A remark of staff on a conversation; never posted."""

    __tablename__ = "note"

    id: int = Field(default=None, primary_key=True)
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    content_id: int = Field(foreign_key="content.id")
    by: str
    made_at: datetime = at(default_factory=now)


class MentionRow(SQLModel, table=True):
    """A post that concerns the city."""

    __tablename__ = "mention"
    __table_args__ = (
        UniqueConstraint("platform", "post_id"),  # a post heard twice is one mention
        one_of("state", MENTION_STATES),
        one_of("visibility", Visibility),
        Index("ix_mention_state_posted", "state", "posted_at"),
        Index("ix_mention_posted", "posted_at"),
    )

    id: int = Field(default=None, primary_key=True)
    platform: str
    post_id: str
    current_post_id: str = Field(index=True)  # X gives an edit a new id; replies go to this one
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    identity_id: int | None = Field(default=None, foreign_key="identity.id", index=True)
    content_id: int = Field(foreign_key="content.id")
    raw_id: int | None = Field(default=None, foreign_key="content.id")
    url: str = ""
    in_reply_to: str | None = Field(default=None, index=True)
    quoted_post_id: str | None = None
    visibility: str = Visibility.PUBLIC
    language: str | None = None
    addresses_us: bool = True
    posted_at: datetime = at()
    collected_at: datetime = at(default_factory=now)
    historic: bool = False
    state: str = "new"
    seq: int = 0  # the conversation's ``last_seq`` that it was given
    rev: int = 1
    rev_hash: str = ""
    checked_at: datetime | None = at(default=None)  # last looked at for edits and deletion
    deleted_at: datetime | None = at(default=None)
    place_id: int | None = Field(default=None, foreign_key="place.id", index=True)


class MentionRevisionRow(SQLModel, table=True):
    """Each wording of a post."""

    __tablename__ = "mention_revision"
    __table_args__ = (UniqueConstraint("mention_id", "rev"),)

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id")
    rev: int
    rev_hash: str
    post_id: str = Field(index=True)  # X gives an edit a new id
    content_id: int = Field(foreign_key="content.id")
    seen_at: datetime = at(default_factory=now)


class MentionSourceRow(SQLModel, table=True):
    """By which accounts and doors a mention came."""

    __tablename__ = "mention_source"
    __table_args__ = (one_of("heard_how", HeardHow),)

    mention_id: int = Field(foreign_key="mention.id", primary_key=True)
    account_id: int = Field(foreign_key="account.id", primary_key=True)
    heard_how: str = Field(primary_key=True)
    heard_at: datetime = at(default_factory=now)


class OwnPostRow(SQLModel, table=True):
    """What one of our accounts wrote on its platform, by whatever hand."""

    __tablename__ = "own_post"
    __table_args__ = (UniqueConstraint("platform", "post_id"),)

    id: int = Field(default=None, primary_key=True)
    platform: str
    post_id: str
    account_id: int = Field(foreign_key="account.id")
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    content_id: int = Field(foreign_key="content.id")
    in_reply_to: str | None = Field(default=None, index=True)
    url: str = ""
    posted_at: datetime = at()
    seq: int = 0
    deleted_at: datetime | None = at(default=None)


class PlaceRow(SQLModel, table=True):
    """Where the trouble is. The resident's own words of it are content."""

    __tablename__ = "place"
    __table_args__ = (one_of("source", ("post", "thread", "geotag", "staff")),)

    id: int = Field(default=None, primary_key=True)
    content_id: int | None = Field(default=None, foreign_key="content.id")
    address: str = ""
    lat: float | None = None
    long: float | None = None
    neighborhood: str | None = None
    source: str = "post"
    precise: bool = True
    confirmed_by: str | None = None


class AssessmentRow(SQLModel, table=True):
    """What a classifier version said of a mention; never overwritten."""

    __tablename__ = "assessment"
    __table_args__ = (UniqueConstraint("mention_id", "rev", "model"), one_of("urgency", Urgency))

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", index=True)
    rev: int
    model: str
    intent: str
    service_code: str | None = None
    sentiment: str
    urgency: str
    language: str
    scores: dict[str, Any] = some_json()
    please_check: list[str] = Field(default_factory=list, sa_type=JSON)
    signal: str | None = None
    assessed_at: datetime = at(default_factory=now)


class CorrectionRow(SQLModel, table=True):
    """What staff said instead of the classifier."""

    __tablename__ = "correction"
    __table_args__ = (one_of("field", ("intent", "service_code", "sentiment", "urgency")),)

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", index=True)
    field: str
    was: str | None = None
    value: str | None = None
    by: str
    made_at: datetime = at(default_factory=now)


class ModelVersionRow(SQLModel, table=True):
    """Heads that the city's corrections taught, over the encoder of one shipped model."""

    __tablename__ = "model_version"
    __table_args__ = (
        one_of("state", VERSION_STATES),
        Index(
            "uq_model_version_live",
            "state",
            unique=True,
            sqlite_where=text("state = 'live'"),
            postgresql_where=text("state = 'live'"),
        ),  # no live one: the shipped model's own heads answer
    )

    id: int = Field(default=None, primary_key=True)
    number: int = Field(unique=True)
    made_at: datetime = at(default_factory=now)
    made_by: str
    base: str  # name and version of the shipped model: its encoder gives the vectors
    heads: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # classifiers/heads.py reads them
    figures: dict[str, Any] = some_json()  # what the gate measured
    corrections: int = 0  # how many it learned from or was measured on
    last_correction_id: int = 0  # the newest that it knew of
    state: str = "candidate"
    reason: str = ""  # why it is in this state, for people
    decided_at: datetime | None = at(default=None)
    decided_by: str | None = None
    live_from: datetime | None = at(default=None)  # last made live; None: never was
    replaced: int | None = None  # number of the version that answered before it; 0: the shipped model


class LabelSwitchRow(SQLModel, table=True):
    """An answer that staff want to check every time, however sure the classifier is of it."""

    __tablename__ = "label_switch"

    head: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    off_since: datetime = at(default_factory=now)
    by: str


class ShadowAnswerRow(SQLModel, table=True):
    """What a version in the shadow says of a mention, beside what the live one said; never used."""

    __tablename__ = "shadow_answer"
    __table_args__ = (UniqueConstraint("mention_id", "rev", "model_version_id"),)

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id")
    rev: int
    model_version_id: int = Field(foreign_key="model_version.id", index=True)
    answer: dict[str, Any] = some_json()  # head -> its label and confidence, and the live one's label
    assessed_at: datetime = at(default_factory=now)


class AlarmRow(SQLModel, table=True):
    """A person may be in danger: reminded until somebody acknowledges."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index(
            "uq_alarm_open",
            "conversation_id",
            unique=True,
            sqlite_where=text("outcome IS NULL"),
            postgresql_where=text("outcome IS NULL"),
        ),  # repeats in one conversation fold into one alarm
    )

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", index=True)
    conversation_id: int = Field(foreign_key="conversation.id")
    reason: str  # which pattern or threshold fired; our words, not the resident's
    self_harm: bool = False
    repeats: int = 0
    raised_at: datetime = at(default_factory=now)
    recipients: list[str] = Field(default_factory=list, sa_type=JSON)  # kinds of door, never the secret URL
    notified: int = 0
    failed: int = 0
    last_notified_at: datetime | None = at(default=None)
    last_error: str | None = None
    escalated_at: datetime | None = at(default=None)
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = at(default=None)
    outcome: str | None = None  # acknowledged, not_an_emergency, handed_over


class DraftRow(SQLModel, table=True):
    """A reply that is proposed, and the decision over it."""

    __tablename__ = "draft"
    __table_args__ = (
        one_of("state", DraftState),
        one_of("kind", ("reply", "follow_up", "request_only")),
        one_of("purpose", Purpose),
        one_of("visibility", Visibility),
        UniqueConstraint("mention_id", "turn", "ordinal"),
        Index("ix_draft_state_created", "state", "created_at"),
        Index(
            "uq_draft_live",
            "mention_id",
            "turn",
            unique=True,
            sqlite_where=text("state IN ('pending','held','approved','sending','in_doubt','manual')"),
            postgresql_where=text("state IN ('pending','held','approved','sending','in_doubt','manual')"),
        ),
    )

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", index=True)
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    state: str = DraftState.PENDING
    kind: str = "reply"
    purpose: str = Purpose.ANSWER
    turn: int = 1  # which reply to this mention
    ordinal: int = 1  # which draft of this turn
    language: str = "en"
    reply_as_id: int = Field(foreign_key="account.id")
    addressee_id: int | None = Field(default=None, foreign_key="identity.id")
    conversation_seq: int = 0  # the conversation's ``last_seq`` that it was written for
    rev_hash: str = ""  # of the mention, as seen
    content_id: int = Field(foreign_key="content.id")  # the text
    staff_content_id: int | None = Field(default=None, foreign_key="content.id")  # the same in the staff language
    template: str = ""
    visibility: str = Visibility.PUBLIC  # of the reply: never wider than the post's
    version: int = 1
    needs_review: bool = False
    held_reason: str | None = None
    no_text_reason: str = ""
    edited_by: str | None = None
    request_id: int | None = Field(default=None, foreign_key="service_request.id", index=True)
    send_after: datetime | None = at(default=None)
    error: str | None = None
    would_send: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    would_send_text_id: int | None = Field(default=None, foreign_key="content.id")
    superseded_by: int | None = None
    created_at: datetime = at(default_factory=now)


class RequestProposalRow(SQLModel, table=True):
    """What the CRM would get, for a draft; decided apart from the reply."""

    __tablename__ = "request_proposal"
    __table_args__ = (one_of("state", ("pending", "approved", "rejected", "cancelled")),)

    id: int = Field(default=None, primary_key=True)
    draft_id: int = Field(foreign_key="draft.id", unique=True)
    state: str = "pending"
    service_code: str
    description_id: int = Field(foreign_key="content.id")
    public_description: str
    address: str = ""
    lat: float | None = None
    long: float | None = None
    reference: str
    attach_to: int | None = Field(default=None, foreign_key="service_request.id")


class ApprovalRow(SQLModel, table=True):
    """A named person's yes to exact bytes."""

    __tablename__ = "approval"
    __table_args__ = (CheckConstraint("(staff_id IS NULL) <> (token_id IS NULL)", name="one_principal"),)

    id: int = Field(default=None, primary_key=True)
    draft_id: int = Field(foreign_key="draft.id", index=True)
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    token_id: int | None = Field(default=None, foreign_key="api_token.id")
    by: str
    approved_at: datetime = at(default_factory=now)
    version: int
    text_sha: str
    parts: list[str] = Field(default_factory=list, sa_type=JSON)
    diff_id: int | None = Field(default=None, foreign_key="content.id")
    undone_at: datetime | None = at(default=None)


REPLY_STATES = ("approved", "sending", "in_doubt", "sent", "failed", "cancelled", "manual", "dry_run", "retracted")
_LIVE_REPLY = text("state IN ('approved','sending','in_doubt','sent','manual')")


class ReplyRow(SQLModel, table=True):
    """The intent to post exactly these bytes, and what became of it; or a reply staff wrote by hand."""

    __tablename__ = "reply"
    __table_args__ = (
        one_of("state", REPLY_STATES),
        one_of("origin", ("harken", "native")),
        Index(
            "uq_reply_live", "mention_id", "turn", unique=True, sqlite_where=_LIVE_REPLY, postgresql_where=_LIVE_REPLY
        ),  # one live reply per turn, over all accounts
    )

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", index=True)
    turn: int
    draft_id: int | None = Field(default=None, foreign_key="draft.id", index=True)
    account_id: int = Field(foreign_key="account.id")
    origin: str = "harken"
    state: str = "approved"
    key: str = Field(unique=True)
    content_id: int = Field(foreign_key="content.id")  # the frozen bytes
    text_sha: str = ""
    in_reply_to: str  # post id
    addressee: str | None = None  # platform user id
    fence: int = 0
    attempt: int = 0
    not_before: datetime | None = at(default=None)  # in doubt: when it may be read back
    not_found: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # times in a row, since the last call
    post_id: str | None = Field(default=None, index=True)
    url: str = ""
    sent_at: datetime | None = at(default=None)
    error: str | None = None
    retract_reason: str | None = None


class DismissalRow(SQLModel, table=True):
    """Nothing is to be done, and who said so."""

    __tablename__ = "dismissal"

    id: int = Field(default=None, primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", index=True)
    reason: str
    by: str
    made_at: datetime = at(default_factory=now)
    undone_at: datetime | None = at(default=None)


class DepartmentRow(SQLModel, table=True):
    """Who fixes it."""

    __tablename__ = "department"

    id: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


class ServiceRequestRow(SQLModel, table=True):
    """What the city is asked to do."""

    __tablename__ = "service_request"
    __table_args__ = (
        one_of("status", ("proposed", "open", "closed", "cancelled")),
        CheckConstraint(
            "outcome IS NULL OR outcome IN (" + ", ".join(f"'{o}'" for o in Outcome) + ")", name="outcome_known"
        ),
        Index("ix_service_request_status_code", "status", "service_code"),
    )

    id: int = Field(default=None, primary_key=True)
    reference: str = Field(unique=True)
    token: str = Field(unique=True)  # for the residents' page; not guessable
    source: str = "social"
    service_code: str
    service_name: str
    department_id: int | None = Field(default=None, foreign_key="department.id")
    description_id: int = Field(foreign_key="content.id")
    public_description: str = ""
    address: str = ""
    lat: float | None = None
    long: float | None = None
    neighborhood: str | None = None
    status: str = "proposed"
    outcome: str | None = None
    status_notes_id: int | None = Field(default=None, foreign_key="content.id")
    requested_at: datetime = at(default_factory=now)
    clock_started_at: datetime | None = at(default=None)
    paused_at: datetime | None = at(default=None)
    paused_for_s: int = 0
    expected_at: datetime | None = at(default=None)
    expected_basis: str | None = None
    closed_at: datetime | None = at(default=None)
    closed_by: str | None = None
    merged_into: int | None = Field(default=None, foreign_key="service_request.id")
    reopened_from: int | None = Field(default=None, foreign_key="service_request.id")
    public: bool = True


class RequestMentionRow(SQLModel, table=True):
    """Which mentions a request is about."""

    __tablename__ = "request_mention"
    __table_args__ = (one_of("role", ("reporter", "also_affected", "update")),)

    request_id: int = Field(foreign_key="service_request.id", primary_key=True)
    mention_id: int = Field(foreign_key="mention.id", primary_key=True, index=True)
    role: str = "reporter"
    added_at: datetime = at(default_factory=now)


class RequestEventRow(SQLModel, table=True):
    """What happened to a request, in our words."""

    __tablename__ = "request_event"

    id: int = Field(default=None, primary_key=True)
    request_id: int = Field(foreign_key="service_request.id", index=True)
    happened_at: datetime = at(default_factory=now)
    kind: str  # filed, ticket_opened, ticket_failed, attached, closed, reopened, outcome_set
    by: str
    detail: str = ""


class TicketRow(SQLModel, table=True):
    """The intent to open a ticket, and the CRM's record of it."""

    __tablename__ = "ticket"
    __table_args__ = (UniqueConstraint("request_id", "crm", "turn"), one_of("state", TICKET_STATES))

    id: int = Field(default=None, primary_key=True)
    request_id: int = Field(foreign_key="service_request.id", index=True)
    crm: str
    turn: int = 1
    key: str = Field(unique=True)
    state: str = "pending"
    service_request_id: str | None = Field(default=None, index=True)
    token: str | None = None
    fence: int = 0
    attempt: int = 0
    not_before: datetime | None = at(default=None)
    not_found: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # as for a reply
    give_up_reply_wait_at: datetime | None = at(default=None)
    updated_at: datetime | None = at(default=None)
    opened_at: datetime | None = at(default=None)
    error: str | None = None


class StaffRow(SQLModel, table=True):
    """A person who works with Harken; never deleted, since records name them."""

    __tablename__ = "staff"

    id: int = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    name: str = ""
    password_hash: str | None = None
    link_hash: str | None = None
    link_until: datetime | None = at(default=None)
    failures: int = 0
    locked_until: datetime | None = at(default=None)
    created_at: datetime = at(default_factory=now)
    disabled_at: datetime | None = at(default=None)


class StaffGrantRow(SQLModel, table=True):
    """What a person may do, and where."""

    __tablename__ = "staff_grant"
    __table_args__ = (one_of("role", ROLES), one_of("scope", ("all", "account", "department")))

    id: int = Field(default=None, primary_key=True)
    staff_id: int = Field(foreign_key="staff.id", index=True)
    role: str
    scope: str = "all"
    account_id: int | None = Field(default=None, foreign_key="account.id")
    department_id: int | None = Field(default=None, foreign_key="department.id")


class WebSessionRow(SQLModel, table=True):
    """A sign-in; only the hash of its secret is kept."""

    __tablename__ = "web_session"

    id: int = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True)
    staff_id: int = Field(foreign_key="staff.id", index=True)
    created_at: datetime = at(default_factory=now)
    seen_at: datetime = at(default_factory=now)
    until: datetime = at()
    ended_at: datetime | None = at(default=None)


class ApiTokenRow(SQLModel, table=True):
    """A key to the JSON API; only the hash of it is kept."""

    __tablename__ = "api_token"
    __table_args__ = (one_of("role", ROLES),)

    id: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    token_hash: str = Field(unique=True)
    role: str
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = at(default_factory=now)
    used_at: datetime | None = at(default=None)
    disabled_at: datetime | None = at(default=None)


class SettingRow(SQLModel, table=True):
    """Facts that an admin changes while it runs: kill switches and the like; each change is audited."""

    __tablename__ = "setting"

    key: str = Field(primary_key=True)
    value: dict[str, Any] = some_json()
    by: str
    changed_at: datetime = at(default_factory=now)


def _while(name: str, state: str, *columns: str) -> Index:
    """An index of the work rows in one state."""
    where = text(f"state = '{state}'")
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class WorkRow(SQLModel, table=True):
    """Something to be done; the truth, whatever wakes a worker."""

    __tablename__ = "work"
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        one_of("state", WORK_STATES),
        # Only what is unfinished is in an index to claim by: that stays small, however much was done.
        _while("ix_work_ready", "ready", "kind", "not_before", "id"),
        _while("ix_work_leased", "leased", "kind", "lease_until"),
    )

    id: int = Field(default=None, primary_key=True)
    kind: str
    ref: str
    lane: str | None = None  # what shares a lane is worked on by one worker at a time, in order
    state: str = "ready"
    attempt: int = 0
    fence: int = 0
    lease_until: datetime | None = at(default=None)
    not_before: datetime = at(default_factory=now)
    worker: str | None = None
    error: str | None = None
    created_at: datetime = at(default_factory=now)


class LeaderRow(SQLModel, table=True):
    """Whose clock runs, where several processes have one; the epoch rises with every change of hands."""

    __tablename__ = "leader"

    name: str = Field(primary_key=True)
    holder: str
    epoch: int
    lease_until: datetime = at()


class AttentionRow(SQLModel, table=True):
    """What was given up on, until a person has dealt with it."""

    __tablename__ = "attention"
    __table_args__ = (
        Index(
            "uq_attention_open",
            "kind",
            "ref",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True)
    kind: str  # unreadable, source, work, draft, ticket, account, gap, alarm
    ref: str
    account_id: int | None = Field(default=None, foreign_key="account.id")
    mention_id: int | None = Field(default=None, foreign_key="mention.id")
    content_id: int | None = Field(default=None, foreign_key="content.id")  # the raw bytes
    summary: str  # our words
    remedy: str = ""
    raised_at: datetime = at(default_factory=now)
    owner: str | None = None
    acked_at: datetime | None = at(default=None)
    closed_at: datetime | None = at(default=None)
    outcome: str | None = None  # replayed, discarded, resolved
    closed_by: str | None = None


class AnswerOnceRow(SQLModel, table=True):
    """What a write with an ``Idempotency-Key`` was answered, so that a repeat is answered the same."""

    __tablename__ = "answer_once"
    __table_args__ = (UniqueConstraint("principal", "key"),)

    id: int = Field(default=None, primary_key=True)
    principal: str
    key: str
    request_sha: str
    status: int | None = None  # None: the first is still being answered
    content_id: int | None = Field(default=None, foreign_key="content.id")
    made_at: datetime = at(default_factory=now)


class AuditRow(SQLModel, table=True):
    """One link of the chain; ids and hashes, never words. Triggers refuse to change or remove it."""

    __tablename__ = "audit"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    happened_at: datetime = at()
    by: str
    action: str
    subject: str
    hashes: dict[str, str] = some_json()
    prev: str
    hash: str


class MentionRollupRow(SQLModel, table=True):
    """How many posts of a quarter of an hour share a value, so that trends need not read mentions.

    It is never added to: ``analytics.rollup`` counts a whole quarter anew. A quarter, since some zones are 30 or 45
    minutes off the hour.
    """

    __tablename__ = "mention_rollup"
    __table_args__ = (
        Index("ix_mention_rollup_quarter", "quarter"),
        {"sqlite_with_rowid": False},  # the key is the table: a range of time lies together
    )

    dimension: str = Field(primary_key=True)  # what is counted: sentiment, intent, service_code, …
    about: str = Field(primary_key=True)  # of all posts: empty; else of those about this service
    quarter: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})  # since 1970, in UTC
    value: str = Field(primary_key=True)  # ``none``: has none
    accounts: str = Field(primary_key=True)  # all that heard it, like ``,1,3,``: heard twice is counted once
    n: int
    felt: int  # how many of them have a sentiment
    sentiment_sum: int  # of -1, 0 and 1


class RollupDueRow(SQLModel, table=True):
    """When something was posted that must be counted anew. Triggers write it, so that no way of writing is missed."""

    __tablename__ = "rollup_due"

    id: int = Field(default=None, primary_key=True)
    posted_at: datetime = at(index=True)


class AnswerWeekRow(SQLModel, table=True):
    """What the classifier answered in one week of the city, counted once: ``analytics.answers`` says how."""

    __tablename__ = "answer_week"

    week: str = Field(primary_key=True)  # its Monday, ISO 8601
    counts: dict[str, int] = some_json()
