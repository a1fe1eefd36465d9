"""The words of the field, as values that travel between the stages.

Everything here is frozen and keyword-only. Rows stay in ``store/``; foreign JSON becomes one of these at the edge.
The words themselves are explained in ``docs/glossary.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Intent(StrEnum):
    """What the author wants from the city."""

    REPORT = "report"  # something the city can fix
    QUESTION = "question"
    STATUS = "status"  # asks after an earlier report
    COMPLAINT = "complaint"  # an opinion or grievance, nothing to fix
    PRAISE = "praise"
    OTHER = "other"  # not for the city to answer


class Sentiment(StrEnum):
    """The author's mood; never used to rank a resident's priority."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Urgency(StrEnum):
    """How soon somebody must look."""

    EMERGENCY = "emergency"  # life safety: the 911 / 988 lane
    HIGH = "high"
    NORMAL = "normal"


class HeardHow(StrEnum):
    """By which door a mention came; what we may do and keep depends on it."""

    MENTION = "mention"
    QUOTE = "quote"
    REPLY = "reply"
    PAGE_COMMENT = "page_comment"
    TAGGED = "tagged"
    SEARCH = "search"
    WEBHOOK = "webhook"
    DIRECT = "direct"
    DESK = "desk"
    IMPORT = "import"


class Visibility(StrEnum):
    """Who can see a post; a reply may only narrow it."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    FOLLOWERS = "followers"
    DIRECT = "direct"


class Purpose(StrEnum):
    """What a reply draft is for."""

    ANSWER = "answer"
    CLARIFY = "clarify"  # asks where
    REFERRAL = "referral"  # a partner outside the city handles it
    FOLLOW_UP = "follow_up"  # the request closed
    EMERGENCY = "emergency"
    CORRECTION = "correction"  # sets right what we said before


class DraftState(StrEnum):
    """Where a reply draft stands; the transitions are in ``store/decisions.py``."""

    PENDING = "pending"
    HELD = "held"
    APPROVED = "approved"
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    SENT = "sent"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    MANUAL = "manual"
    DRY_RUN = "dry_run"
    RETRACTED = "retracted"


class Outcome(StrEnum):
    """How a service request ended. Closed is not fixed."""

    FIXED = "fixed"
    NO_ACTION = "no_action"
    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"
    REFERRED = "referred"
    NOT_OURS = "not_ours"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


#: The service codes that the shipped model knows; a city's own codes map to these.
GENERAL_CODES: tuple[str, ...] = (
    "pothole_road",
    "sidewalk",
    "streetlight",
    "traffic_signal_sign",
    "trash_dumping",
    "graffiti",
    "tree_vegetation",
    "water_sewer_drain",
    "noise",
    "parking_vehicle",
    "snow_ice",
    "blight_code",
    "homeless_encampment",
    "health_animal_hazard",
    "parks",
    "transit",
    "power_utility",
    "air_quality",
    "public_safety",
    "billing_permits",
    "other_service",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Who wrote a post, as its platform names them."""

    platform_user_id: str  #: immutable; what approvals bind to
    handle: str  #: without the leading @; may change hands
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Media:
    """A photo or film attached to a post."""

    kind: str  #: photo, video, other
    url: str = ""
    alt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mention:
    """One post that concerns the city, as its platform showed it."""

    platform: str
    post_id: str  #: the platform's own id; unique together with ``platform``
    conversation_key: str  #: the platform's id of the thread; the root's ``post_id`` where it has none
    text: str  #: plain text, markup removed
    posted_at: datetime  #: aware, UTC
    heard_how: HeardHow
    author: Author | None = None  #: None: the platform hides who wrote it
    url: str = ""
    in_reply_to: str | None = None  #: post id
    quoted_post_id: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    language: str | None = None  #: as the platform says, ISO 639-1
    media: tuple[Media, ...] = ()
    lat: float | None = None  #: WGS84, as the author attached it
    long: float | None = None
    addresses_us: bool = True  #: the author named or quoted our account, or wrote on our page: a reply is invited
    edited_from: tuple[str, ...] = ()  #: earlier post ids of the same post, where an edit makes a new id (X)
    raw: bytes = b""  #: the platform's own JSON for this post

    @property
    def rev_hash(self) -> str:
        """Hash of what an approver reads: text, media and quoted post. Hex SHA-256."""
        seen = "\x00".join([self.text, *(m.url for m in self.media), self.quoted_post_id or ""])
        return hashlib.sha256(seen.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnPost:
    """What one of the city's accounts wrote, by whatever hand."""

    platform: str
    post_id: str
    conversation_key: str
    text: str
    posted_at: datetime
    in_reply_to: str | None = None
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A post that now reads otherwise."""

    post_id: str  #: the id under which we know it
    mention: Mention  #: as it reads now (its ``post_id`` is new where the platform gives edits new ids)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """An item a platform served that we could not read: kept whole, never dropped."""

    raw: bytes
    why: str  #: for staff: the field and what was wrong with it


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The stretch of one source that is to be walked through."""

    source: str  #: ``mentions``, ``search``, ``feed``, ``comments``…: a listener names its own sources
    since: datetime  #: aware, UTC; nothing older is wanted
    since_id: str | None = None  #: newest post id of the last complete walk, overlap already taken off
    resume_at: str | None = None  #: ``Page.next`` of the last page that was stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page as the platform served it, unreadable items and all."""

    mentions: tuple[Mention, ...] = ()
    edits: tuple[Edit, ...] = ()
    deletions: tuple[str, ...] = ()  #: post ids
    own_posts: tuple[OwnPost, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    newest_id: str | None = None  #: newest post id on this page, for the high-water mark
    next: str | None = None  #: opaque, holds no secret; None: the range is walked through
    gap_before: datetime | None = None  #: the platform serves nothing older than this although it was asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """What a classifier version says of a text, with calibrated probabilities."""

    intent: str
    service_code: str | None
    sentiment: str
    urgency: str
    language: str  #: ISO 639-1, or ``und``
    scores: Mapping[str, Mapping[str, float]]  #: per head: label to probability, summing to 1
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a post says the trouble is."""

    text: str  #: the words of the post, or what staff typed
    address: str = ""
    lat: float | None = None
    long: float | None = None
    neighborhood: str | None = None
    source: str = "post"  #: post, thread, geotag, staff
    precise: bool = True  #: False: a whole street or neighbourhood; a crew could not find it


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One line of the city's ``services.csv``."""

    service_code: str
    service_name: str
    service_name_es: str = ""
    maps_to: str = ""
    department: str = ""
    sla: str = ""  #: ISO 8601 duration; days are business days, hours open hours
    handled_by: str = ""  #: a partner outside the city; then no ticket is proposed
    description: str = ""
    keywords: tuple[str, ...] = ()
    group: str = ""
    public: bool = True
    confidential: bool = False
    needs_place: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Whether, how and until when a mention may be answered on its platform."""

    may_reply: bool
    how: str  #: public_reply, private_reply, manual, none
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestProposal:
    """What the CRM would get, shown before approval."""

    service_code: str
    description: str  #: for staff; handles and personal numbers masked
    public_description: str  #: service and rounded place only
    address: str = ""
    lat: float | None = None
    long: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyDraft:
    """A proposed reply: text that nobody has said yes to."""

    draft_id: str
    account: str
    platform: str
    in_reply_to: str  #: post id
    conversation_key: str
    addressee: str | None  #: the author's platform user id
    text: str
    visibility: Visibility = Visibility.PUBLIC

    def approve(self, *, by: str, at: datetime) -> ApprovedReply:
        """The one way to an ``ApprovedReply``: a named person says yes to exactly this text.

        Raises:
            ValueError: nobody is named, the time is naive, or there is no text.
        """
        if not by.strip():
            raise ValueError("an approval names a person")
        if at.tzinfo is None:
            raise ValueError("the time of an approval needs a zone")
        if not self.text.strip():
            raise ValueError("an empty reply cannot be approved")
        return ApprovedReply(draft=self, approved_by=by, approved_at=at, _made_by_approve=_APPROVED)


_APPROVED = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovedReply:
    """A reply that a named person approved, byte for byte. Only this can be sent."""

    draft: ReplyDraft
    approved_by: str
    approved_at: datetime
    _made_by_approve: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._made_by_approve is not _APPROVED:
            raise TypeError("an ApprovedReply is made by ReplyDraft.approve alone")

    @property
    def text(self) -> str:
        """The approved text, never rendered again."""
        return self.draft.text

    @property
    def in_reply_to(self) -> str:
        """Post id that is answered."""
        return self.draft.in_reply_to


@dataclass(frozen=True, kw_only=True, slots=True)
class SentReply:
    """A reply as it stands on its platform."""

    post_id: str
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostNow:
    """A post as its platform shows it at this moment, for the check before sending."""

    post_id: str
    exists: bool
    rev_hash: str | None = None
    author_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRequest:
    """What we ask of the CRM."""

    reference: str  #: public, non-guessable: ``AF-7QK2M9``; also the read-back mark
    service_code: str
    description: str
    address: str = ""
    lat: float | None = None
    long: float | None = None
    requested_at: datetime | None = None


class TicketStatus(StrEnum):
    """Open311 knows only these two."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """The CRM's record of a service request."""

    service_request_id: str | None  #: None while the CRM has only given a token
    token: str | None = None
    status: TicketStatus = TicketStatus.OPEN
    status_notes: str = ""
    expected_at: datetime | None = None
    updated_at: datetime | None = None
    outcome: Outcome = Outcome.UNKNOWN


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """What a target offers against doing a thing twice; promise no more than this."""

    idempotency_key: bool = False  #: the same key again makes no second one
    key_kept: timedelta | None = None  #: how long it remembers a key; None: as long as we may ask
    own_record_key: bool = False  #: we name the record, so writing it again writes the same one
    external_id: bool = False  #: our key is a field of the record, and no two records may share it
    takes_one: bool = False  #: it refuses a second for what the first answered
    read_back: bool = True  #: what stands there can be listed
    lists_late: bool = False  #: what was made may be listed much later, or without what we know it by
    left: str = ""  #: how it can happen twice all the same, in a line for people
