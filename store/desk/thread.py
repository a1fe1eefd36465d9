"""The desk: one conversation with its posts, and what was drafted, decided and filed for each mention."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from store import sight
from store.desk.assessed import Assessed, corrections_of, lay_over
from store.desk.drafts import DraftCard, drafts_of
from store.desk.inbox import AlarmLine, alarm_line
from store.desk.requests import RequestLine, requests_of
from store.desk.rows import by_id, by_key, grouped
from store.refusals import Missing
from store.sight import Sight
from store.tables import (
    AccountRow,
    AlarmRow,
    AssessmentRow,
    ContactRuleRow,
    ContentRow,
    ConversationRow,
    DismissalRow,
    DraftRow,
    IdentityRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
    NoteRow,
    OwnPostRow,
    PlaceRow,
    ReplyRow,
    StaffRow,
)
from store.types import now
from vocabulary import Visibility


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """One post of the thread, a resident's or ours."""

    ours: bool
    post_id: str
    author: str | None  #: handle, or our account's name
    name: str
    text: str
    language: str
    posted_at: datetime
    url: str
    in_reply_to: str | None
    mention_id: int | None = None  #: None: ours
    media: tuple[dict[str, str], ...] = ()
    edited: int = 0  #: how often
    earlier: tuple[str, ...] = ()  #: wordings before, oldest first
    deleted_at: datetime | None = None
    visibility: str = "public"
    heard_how: tuple[str, ...] = ()
    origin: str = ""  #: of ours: harken or native
    seq: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceCard:
    """Where the trouble is."""

    address: str
    lat: float | None
    long: float | None
    neighborhood: str | None
    source: str
    precise: bool
    confirmed_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dismissed:
    """Who said that nothing is to be done."""

    reason: str
    by: str
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteCard:
    """A remark of staff."""

    text: str
    by: str
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MentionCard:
    """A mention and all that hangs on it."""

    id: int
    conversation_id: int
    platform: str
    state: str
    historic: bool
    addresses_us: bool
    post: Post
    assessed: Assessed | None
    alarm: AlarmLine | None  #: the newest of this mention
    place: PlaceCard | None
    drafts: tuple[DraftCard, ...]  #: those that matter now, oldest turn first
    past_drafts: tuple[DraftCard, ...]  #: superseded, cancelled and the like
    requests: tuple[RequestLine, ...]
    dismissed: Dismissed | None
    contact_rules: tuple[str, ...]

    @property
    def in_danger(self) -> bool:
        """Whether an alarm is open here."""
        return self.alarm is not None and self.alarm.outcome is None

    @property
    def needs_a_person(self) -> bool:
        """Whether a decision is open here."""
        undecided = any(draft.state in {"pending", "held", "manual", "failed"} for draft in self.drafts)
        return undecided or self.in_danger


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """A conversation, as the desk shows it."""

    id: int
    platform: str
    last_seq: int
    owner: str | None  #: e-mail
    held_reason: str | None
    sensitive: bool
    due_at: datetime | None
    posts: tuple[Post, ...]
    cards: tuple[MentionCard, ...]  #: those in danger first, then those that need a person
    notes: tuple[NoteCard, ...]

    def card(self, mention_id: int) -> MentionCard:
        """One mention's card."""
        return next(card for card in self.cards if card.id == mention_id)


def thread(session: Session, conversation_id: int, seen: Sight) -> Thread:
    """A conversation with everything on it.

    Raises:
        Missing: there is none, or none that this reader may see.
    """
    row = session.get(ConversationRow, conversation_id)
    mentions = list(session.exec(select(MentionRow).where(MentionRow.conversation_id == conversation_id)))
    within = {one.id for one in mentions if sight.may(session, sight.mentions(seen), MentionRow, one.id)}
    if row is None or not within:
        raise Missing("There is no such conversation.")
    # The thread around a post is read with it, but a direct message only by whom it is granted to.
    mentions = [one for one in mentions if one.id in within or one.visibility != Visibility.DIRECT]
    ids = [mention.id for mention in mentions]
    words = _words(session, mentions)
    posts = {mention.id: _post(mention, words) for mention in mentions}
    cards = _cards(session, mentions, posts)
    owner = session.get(StaffRow, row.owner_id) if row.owner_id else None
    order = {mention_id: number for number, mention_id in enumerate(ids)}
    return Thread(
        id=row.id,
        platform=row.platform,
        last_seq=row.last_seq,
        owner=owner.email if owner else None,
        held_reason=row.held_reason,
        sensitive=row.sensitive,
        due_at=row.due_at,
        posts=tuple(
            sorted([*posts.values(), *_ours(session, conversation_id, ids)], key=lambda p: (p.posted_at, p.seq))
        ),
        cards=tuple(sorted(cards, key=lambda card: (not card.in_danger, not card.needs_a_person, order[card.id]))),
        notes=_notes(session, conversation_id),
    )


def conversation_of(session: Session, *, mention_id: int | None = None, draft_id: int | None = None) -> tuple[int, int]:
    """Where a mention or a draft belongs: its conversation and its mention.

    Raises:
        Missing: there is no such mention or draft.
    """
    if draft_id is not None:
        draft = session.get(DraftRow, draft_id)
        mention_id = draft.mention_id if draft else None
    mention = session.get(MentionRow, mention_id) if mention_id is not None else None
    if mention is None:
        raise Missing("There is no such mention.")
    return mention.conversation_id, mention.id


def last_seq(session: Session, conversation_id: int) -> int:
    """How far a conversation has moved on; 0 for none."""
    row = session.get(ConversationRow, conversation_id)
    return row.last_seq if row else 0


def people(session: Session) -> list[tuple[str, str]]:
    """E-mail and name of everybody who can own a conversation."""
    rows = session.exec(select(StaffRow).where(col(StaffRow.disabled_at).is_(None)).order_by(StaffRow.email))
    return [(row.email, row.name or row.email) for row in rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    revisions: dict[int, list[MentionRevisionRow]]
    contents: dict[int, ContentRow]
    identities: dict[int, IdentityRow]
    doors: dict[int, tuple[str, ...]]


def _words(session: Session, mentions: Sequence[MentionRow]) -> _Words:
    ids = [mention.id for mention in mentions]
    revisions = grouped(
        session.exec(
            select(MentionRevisionRow)
            .where(col(MentionRevisionRow.mention_id).in_(ids))
            .order_by(col(MentionRevisionRow.rev))
        ),
        "mention_id",
    )
    doors: dict[int, set[str]] = defaultdict(set)
    for source in session.exec(select(MentionSourceRow).where(col(MentionSourceRow.mention_id).in_(ids))):
        doors[source.mention_id].add(source.heard_how)
    return _Words(
        revisions=revisions,
        contents=by_id(session, ContentRow, (r.content_id for group in revisions.values() for r in group)),
        identities=by_id(session, IdentityRow, (mention.identity_id for mention in mentions)),
        doors={mention_id: tuple(sorted(found)) for mention_id, found in doors.items()},
    )


def _post(mention: MentionRow, words: _Words) -> Post:
    wordings = [words.contents[row.content_id] for row in words.revisions.get(mention.id, [])]
    author = words.identities.get(mention.identity_id or 0)
    standing = wordings[-1] if wordings else None
    return Post(
        ours=False,
        post_id=mention.current_post_id,
        author=author.handle if author else None,
        name=author.name if author else "",
        text=(standing.text or "") if standing else "",
        language=mention.language or "",
        posted_at=mention.posted_at,
        url=mention.url,
        in_reply_to=mention.in_reply_to,
        mention_id=mention.id,
        media=tuple((standing.media if standing else None) or ()),
        edited=mention.rev - 1,
        earlier=tuple(row.text or "" for row in wordings[:-1]),
        deleted_at=mention.deleted_at,
        visibility=mention.visibility,
        heard_how=words.doors.get(mention.id, ()),
        seq=mention.seq,
    )


def _ours(session: Session, conversation_id: int, mention_ids: list[int]) -> list[Post]:
    """What we wrote: as the platform listed it, and what was sent but not listed yet."""
    listed = list(session.exec(select(OwnPostRow).where(OwnPostRow.conversation_id == conversation_id)))
    seen = {row.post_id for row in listed}
    sent = select(ReplyRow).where(
        col(ReplyRow.mention_id).in_(mention_ids), col(ReplyRow.state).in_(("sent", "retracted"))
    )
    replies = [row for row in session.exec(sent) if row.post_id]
    retracted = {row.post_id for row in replies if row.state == "retracted"}
    by_hand = {row.post_id for row in replies if row.origin == "native"}
    rows: list[Any] = [*listed, *replies]
    accounts = by_id(session, AccountRow, (row.account_id for row in rows))
    texts = by_id(session, ContentRow, (row.content_id for row in rows))

    def post(row: Any, when: datetime, seq: int, deleted_at: datetime | None) -> Post:
        return Post(
            ours=True,
            post_id=row.post_id,
            author=accounts[row.account_id].name,
            name="",
            text=texts[row.content_id].text or "",
            language="",
            posted_at=when,
            url=row.url,
            in_reply_to=row.in_reply_to,
            deleted_at=deleted_at or (when if row.post_id in retracted else None),
            origin="native" if row.post_id in by_hand else "harken",
            seq=seq,
        )

    posts = [post(row, row.posted_at, row.seq, row.deleted_at) for row in listed]
    posts += [post(row, row.sent_at or now(), 0, None) for row in replies if row.post_id not in seen]
    return posts


def _cards(session: Session, mentions: Sequence[MentionRow], posts: dict[int, Post]) -> list[MentionCard]:
    ids = [mention.id for mention in mentions]
    assessments = by_key(session, AssessmentRow, "mention_id", ids)
    corrections = corrections_of(session, ids)
    alarms = by_key(session, AlarmRow, "mention_id", ids)
    dismissals = {
        row.mention_id: row
        for row in session.exec(
            select(DismissalRow).where(col(DismissalRow.mention_id).in_(ids), col(DismissalRow.undone_at).is_(None))
        )
    }
    places = by_id(session, PlaceRow, (mention.place_id for mention in mentions))
    rules = _contact_rules(session, [mention.identity_id for mention in mentions])
    drafts, requests = drafts_of(session, ids), requests_of(session, ids)
    return [
        MentionCard(
            id=mention.id,
            conversation_id=mention.conversation_id,
            platform=mention.platform,
            state=mention.state,
            historic=mention.historic,
            addresses_us=mention.addresses_us,
            post=posts[mention.id],
            assessed=lay_over(assessments.get(mention.id), corrections.get(mention.id, {})),
            alarm=alarm_line(alarms[mention.id]) if mention.id in alarms else None,
            place=_place(places.get(mention.place_id or 0)),
            drafts=tuple(draft for draft in drafts.get(mention.id, []) if draft.matters),
            past_drafts=tuple(draft for draft in drafts.get(mention.id, []) if not draft.matters),
            requests=tuple(line for line in requests.get(mention.id, []) if line.status != "proposed"),
            dismissed=_dismissed(dismissals.get(mention.id)),
            contact_rules=rules.get(mention.identity_id or 0, ()),
        )
        for mention in mentions
    ]


def _place(row: PlaceRow | None) -> PlaceCard | None:
    return PlaceCard(**{name: getattr(row, name) for name in PlaceCard.__dataclass_fields__}) if row else None


def _dismissed(row: DismissalRow | None) -> Dismissed | None:
    return Dismissed(reason=row.reason, by=row.by, made_at=row.made_at) if row else None


def _contact_rules(session: Session, identity_ids: list[int | None]) -> dict[int, tuple[str, ...]]:
    query = select(ContactRuleRow).where(col(ContactRuleRow.identity_id).in_([one for one in identity_ids if one]))
    live = [row for row in session.exec(query) if row.until is None or row.until > now()]
    return {
        key: tuple(f"{row.scope}: {row.reason}" for row in rows) for key, rows in grouped(live, "identity_id").items()
    }


def _notes(session: Session, conversation_id: int) -> tuple[NoteCard, ...]:
    rows = list(
        session.exec(select(NoteRow).where(NoteRow.conversation_id == conversation_id).order_by(col(NoteRow.id)))
    )
    words = by_id(session, ContentRow, (row.content_id for row in rows))
    return tuple(NoteCard(text=words[r.content_id].text or "", by=r.by, made_at=r.made_at) for r in rows)
