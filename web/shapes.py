"""What the JSON API answers: the names are the contract (design.md 5.3), so add to them and never rename.

Every list is ``{"items": […], "next": cursor or null}``; ids are opaque strings; times are RFC 3339 in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from vocabulary import DraftState

Item = TypeVar("Item")
Intent = Literal["report", "question", "status", "complaint", "praise", "other"]
Sentiment = Literal["negative", "neutral", "positive"]
Urgency = Literal["emergency", "high", "normal"]
MentionState = Literal[
    "new",
    "assessed",
    "drafted",
    "waiting_for_resident",
    "filed",
    "answered",
    "dismissed",
    "quarantined",
    "deleted",
]
DraftKind = Literal["reply", "follow_up", "request_only"]
Purpose = Literal["answer", "clarify", "referral", "follow_up", "emergency", "correction"]
TicketState = Literal["none", "pending", "sending", "in_doubt", "open", "failed", "closed"]
Outcome = Literal["fixed", "no_action", "not_found", "duplicate", "referred", "not_ours", "cancelled", "unknown"]
Part = Literal["reply", "request"]


def rfc3339(moment: datetime) -> str:
    """A time in UTC, with a Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Time = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    Field(json_schema_extra={"examples": ["2026-11-21T21:32:44.120000Z"]}),
]


class Shape(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(frozen=True)


class Listed(Shape, Generic[Item]):
    """A page; ``next`` goes on as ``cursor``, null at the end."""

    items: list[Item]
    next: str | None = None


class ErrorBody(Shape):
    """What was wrong. ``code`` is for programs, ``message`` for people, ``field`` names the culprit."""

    code: str = Field(examples=["not_found"])
    message: str = Field(examples=["there is no draft 12"])
    field: str | None = None


class Error(Shape):
    """Every error looks like this."""

    error: ErrorBody


class Author(Shape):
    """Who wrote it, as the platform names them."""

    handle: str = Field(examples=["maria_g"])
    name: str
    platform_user_id: str


class Media(Shape):
    """A photo or film."""

    kind: str
    url: str = ""
    alt: str = ""


class Assessment(Shape):
    """The newest assessment, with what staff said instead laid over it."""

    intent: Intent
    service_code: str | None
    sentiment: Sentiment
    urgency: Urgency
    language: str = Field(description="ISO 639-1, or und", examples=["en"])
    scores: dict[str, dict[str, float]] = Field(description="the classifier's calibrated probabilities, by head")
    model: str
    please_check: list[str] = Field(description="fields that the classifier is unsure of and nobody corrected")
    corrected_by: str | None = Field(description="who corrected it last")


class Place(Shape):
    """Where the trouble is; WGS84."""

    text: str
    address: str
    lat: float | None
    long: float | None
    neighborhood: str | None
    source: Literal["post", "thread", "geotag", "staff"]
    confirmed_by: str | None


class Alarm(Shape):
    """A person may be in danger: reminded until somebody acknowledges."""

    id: str
    mention_id: str
    conversation_id: str
    reason: str
    self_harm: bool
    repeats: int
    raised_at: Time
    recipients: list[str]
    notified: int
    failed: int
    last_notified_at: Time | None
    last_error: str | None
    escalated_at: Time | None
    acknowledged_by: str | None
    acknowledged_at: Time | None
    outcome: str | None


class Mention(Shape):
    """A post that concerns the city."""

    id: str
    platform: str = Field(examples=["x"])
    accounts: list[str]
    heard_how: list[str]
    visibility: Literal["public", "unlisted", "followers", "direct"]
    post_id: str
    url: str
    author: Author | None
    text: str = Field(description="empty once the post is deleted")
    media: list[Media]
    posted_at: Time
    collected_at: Time
    in_reply_to: str | None
    quoted_post_id: str | None
    conversation_id: str
    resident_id: str | None
    historic: bool = Field(description="too old to answer: counts for trends")
    state: MentionState
    assessment: Assessment | None
    place: Place | None
    draft_id: str | None = Field(description="the newest live draft, or the newest")
    request_id: str | None = Field(description="the newest of request_ids")
    request_ids: list[str]
    alarm: Alarm | None


class PolicyShown(Shape):
    """Whether, how and until when the platform lets us answer, at this moment."""

    may_reply: bool
    how: Literal["public_reply", "private_reply", "manual", "none"]
    reason: str
    until: Time | None


class ProposedRequest(Shape):
    """What the CRM would get."""

    service_code: str
    description: str
    public_description: str
    address: str
    lat: float | None
    long: float | None


class FiledRequest(Shape):
    """The request that was filed, or that the mention joins."""

    request_id: str


class Approval(Shape):
    """A named person's yes, and what it changed in the text (unified diff)."""

    by: str
    at: Time
    diff: str
    parts: list[Part]
    undone_at: Time | None


class SentReply(Shape):
    """The reply as it stands on its platform."""

    post_id: str
    url: str
    sent_at: Time | None
    origin: Literal["harken", "native"]


class Draft(Shape):
    """A reply that is proposed, and what became of it."""

    id: str
    mention_id: str
    conversation_id: str
    state: DraftState
    kind: DraftKind
    purpose: Purpose
    turn: int = Field(description="which reply to this mention")
    language: str
    reply_as: str = Field(description="the account that would speak")
    text: str
    staff_text: str | None = Field(description="the same in the staff language, where the draft is in another")
    length: int = Field(description="by the platform's own count")
    max_length: int | None = Field(description="null where the platform sets none")
    template: str
    visibility: Literal["public", "unlisted", "followers", "direct"] = Field(
        description="of the reply; direct: it is sent privately, to the author alone"
    )
    version: int
    needs_review: bool
    held_reason: str | None
    no_text_reason: str = Field(description="why there is no text, if there is none")
    policy: PolicyShown
    request: ProposedRequest | FiledRequest | None = Field(description="null unless a ticket is proposed or filed")
    reference: str | None = Field(examples=["AF-7QK2M9"])
    approvals: list[Approval]
    send_after: Time | None
    reply: SentReply | None
    would_send: dict[str, Any] | None = Field(description="in a dry run: the exact call that was not made")
    error: str | None
    superseded_by: str | None
    created_at: Time


class DraftConflict(Shape):
    """Somebody or something was quicker; ``draft`` is how it stands now."""

    error: ErrorBody
    draft: Draft | None = None


class RequestEvent(Shape):
    """What happened to a request."""

    at: Time
    kind: str
    by: str
    detail: str


class Request(Shape):
    """What the city is asked to do."""

    id: str
    reference: str
    status: Literal["open", "closed"]
    outcome: Outcome | None
    ticket_state: TicketState
    service_request_id: str | None
    crm: str
    service_code: str
    service_name: str
    department: str
    description: str
    public_description: str
    address: str
    lat: float | None
    long: float | None
    neighborhood: str | None
    requested_at: Time
    expected_at: Time | None
    closed_at: Time | None
    status_notes: str
    mention_ids: list[str]
    events: list[RequestEvent]


class Gap(Shape):
    """A stretch that we did not see."""

    source: str
    from_at: Time | None = Field(description="null: since ever")
    to_at: Time
    reason: str


class Account(Shape):
    """One login of the city."""

    name: str
    platform: str
    state: Literal["ok", "paused", "unauthorized", "rate_limited"]
    sending: Literal["dry_run", "armed"] = Field(description="as it takes effect: the file's ceiling and the arming")
    last_success_at: Time | None
    lag_s: int | None = Field(description="seconds since the last complete round; null before the first")
    gaps: int = Field(description="how many stretches we did not see; they are in gap_list")
    gap_list: list[Gap]
    quota: dict[str, Any]
    error: str | None


class KillSwitch(Shape):
    """Stops sending at once."""

    scope: str = Field(examples=["all", "platform:x", "account:city_hall_x"])
    on: bool
    reason: str
    by: str
    at: Time


class Attention(Shape):
    """What was given up on, until a person has dealt with it."""

    id: str
    kind: str
    ref: str
    account: str | None
    mention_id: str | None
    summary: str
    remedy: str
    raised_at: Time
    age_s: int
    owner: str | None
    acked_at: Time | None
    closed_at: Time | None
    outcome: str | None


class AuditEntry(Shape):
    """One link of the chain: ids and hashes, never words."""

    seq: int
    at: Time
    by: str
    action: str
    subject: str
    hashes: dict[str, str]
    prev: str
    hash: str
