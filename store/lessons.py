"""What staff have said of posts, with the words they said it of: what a classifier can learn from.

Words that were disposed of are in nothing that is given here, and private messages never are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from store import sight
from store.sight import Sight
from store.tables import (
    AccountRow,
    ApprovalRow,
    AssessmentRow,
    ContentRow,
    CorrectionRow,
    DraftRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
    PlaceRow,
    RequestProposalRow,
)
from store.types import now
from vocabulary import Visibility

AT_ONCE = 500  #: ids in one query
NO_MODEL = "none"  #: an assessment that stands in for one that the model never made


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """One wording of a mention, and where it belongs."""

    mention_id: int
    text: str
    platform: str
    accounts: frozenset[str]  #: that heard it
    language: str  #: as it was assessed; ``und`` where it was not
    neighborhood: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a person said that a post is."""

    post: Post
    field: str  #: intent, service_code, sentiment, urgency
    value: str | None  #: a service is the city's own code
    by: str
    corrected: bool  #: False: they approved what was made of the classifier's answer, and so let it stand


def corrections(session: Session, *, limit: int) -> list[Said]:
    """The newest correction of each mention and field, the newest first."""
    latest: dict[tuple[int, str], CorrectionRow] = {}
    query = select(CorrectionRow).order_by(col(CorrectionRow.id).desc())
    for row in session.exec(query).yield_per(AT_ONCE):
        latest.setdefault((row.mention_id, row.field), row)
        if len(latest) >= limit:
            break
    posts = _posts(session, {row.mention_id: row.made_at for row in reversed(latest.values())})
    return [
        Said(post=posts[row.mention_id], field=row.field, value=row.value, by=row.by, corrected=True)
        for row in latest.values()
        if row.mention_id in posts
    ]


def let_stand(session: Session, *, limit: int) -> list[Said]:
    """Intents and services that a person acted on and nobody corrected, the newest first.

    Corrections alone would teach only what went wrong, and measure only there: the live version is wrong on each of
    them. An approved reply says that the intent was right; an approved request, that its service is.
    """
    query = (
        select(ApprovalRow, DraftRow.mention_id, RequestProposalRow.service_code)
        .join(DraftRow, col(DraftRow.id) == col(ApprovalRow.draft_id))
        .join(RequestProposalRow, col(RequestProposalRow.draft_id) == col(DraftRow.id), isouter=True)
        .where(col(ApprovalRow.undone_at).is_(None), col(DraftRow.kind) != "follow_up")
        .order_by(col(ApprovalRow.id).desc())
        .limit(limit)
    )
    approved: dict[int, tuple[ApprovalRow, str | None]] = {}
    for row, mention_id, proposed in session.exec(query):
        approved.setdefault(mention_id, (row, proposed))
    moments = {mention_id: row.approved_at for mention_id, (row, _) in approved.items()}
    posts = _posts(session, moments)
    read = {row.mention_id: row for row in _newest_assessments(session, posts, until=moments)}
    spoken = _corrected(session, posts)
    found = []
    for mention_id, (row, code) in approved.items():
        if mention_id not in posts or mention_id not in read:
            continue
        values: dict[str, str] = {"intent": read[mention_id].intent}
        if "request" in row.parts and code is not None:
            values["service_code"] = code
        found += [
            Said(post=posts[mention_id], field=field, value=value, by=row.by, corrected=False)
            for field, value in values.items()
            if (mention_id, field) not in spoken
        ]
    return found


def _posts(session: Session, moments: dict[int, datetime]) -> dict[int, Post]:
    """The wording that stood at a moment, of each mention whose words are still there."""
    found: dict[int, Post] = {}
    for ids in _chunks(moments):
        rows = session.exec(
            select(MentionRow).where(
                col(MentionRow.id).in_(ids),
                MentionRow.state != "deleted",
                MentionRow.visibility != Visibility.DIRECT.value,
            )
        ).all()
        words = _words(session, {row.id: moments[row.id] for row in rows})
        accounts = _accounts(session, ids)
        languages = {row.mention_id: row.language for row in _newest_assessments(session, ids)}
        areas = dict(
            session.exec(
                select(MentionRow.id, PlaceRow.neighborhood)
                .join(PlaceRow, col(PlaceRow.id) == col(MentionRow.place_id))
                .where(col(MentionRow.id).in_(ids))
            ).all()
        )
        for row in rows:
            if text := words.get(row.id, "").strip():
                found[row.id] = Post(
                    mention_id=row.id,
                    text=text,
                    platform=row.platform,
                    accounts=frozenset(accounts[row.id]),
                    language=languages.get(row.id, "und"),
                    neighborhood=areas.get(row.id),
                )
    return found


def _words(session: Session, moments: dict[int, datetime]) -> dict[int, str]:
    """A correction is of the wording that its author read; a later edit may say something else."""
    wording: dict[int, int] = {}
    revisions = select(MentionRevisionRow).where(col(MentionRevisionRow.mention_id).in_(moments))
    for row in session.exec(revisions.order_by(col(MentionRevisionRow.rev))):
        if row.rev == 1 or row.seen_at <= moments[row.mention_id]:
            wording[row.mention_id] = row.content_id
    query = select(ContentRow.id, ContentRow.text).where(col(ContentRow.id).in_(wording.values()))
    texts: dict[int, str | None] = dict(session.exec(query).all())
    return {mention_id: texts.get(content_id) or "" for mention_id, content_id in wording.items()}


def _accounts(session: Session, ids: Sequence[int]) -> defaultdict[int, set[str]]:
    names = defaultdict[int, set[str]](set)
    query = (
        select(MentionSourceRow.mention_id, AccountRow.name)
        .join(AccountRow, col(AccountRow.id) == col(MentionSourceRow.account_id))
        .where(col(MentionSourceRow.mention_id).in_(ids))
    )
    for mention_id, name in session.exec(query):
        names[mention_id].add(name)
    return names


def _newest_assessments(
    session: Session, ids: Iterable[int], *, until: Mapping[int, datetime] | None = None
) -> list[AssessmentRow]:
    """Of each mention; ``until``: no later than its moment there, when a person saw it."""
    newest: dict[int, AssessmentRow] = {}
    for some in _chunks(ids):
        query = select(AssessmentRow).where(col(AssessmentRow.mention_id).in_(some), AssessmentRow.model != NO_MODEL)
        for row in session.exec(query.order_by(col(AssessmentRow.id))):
            if until is None or row.assessed_at <= until[row.mention_id]:
                newest[row.mention_id] = row
    return list(newest.values())


def _corrected(session: Session, ids: Iterable[int]) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for some in _chunks(ids):
        query = select(CorrectionRow.mention_id, CorrectionRow.field).where(col(CorrectionRow.mention_id).in_(some))
        found.update(session.exec(query).all())
    return found


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    every = list(ids)
    yield from (every[first : first + AT_ONCE] for first in range(0, len(every), AT_ONCE))


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """A mention that nobody corrected, with what the classifier was unsure of."""

    post: Post
    scores: dict[str, dict[str, float]]  #: head -> label -> probability
    intent: str
    service_code: str | None


def uncorrected(
    session: Session, seen: Sight, *, since: datetime, limit: int, but: Collection[int] = ()
) -> list[Doubt]:
    """The newest mentions that the classifier read and nobody corrected, posted since a moment, within one's sight."""
    query = (
        select(MentionRow.id)
        .where(
            sight.mentions(seen, "responder"),
            col(MentionRow.state).not_in(("deleted", "new", "quarantined")),
            col(MentionRow.posted_at) >= since,
            col(MentionRow.id).not_in(select(CorrectionRow.mention_id)),
            col(MentionRow.id).not_in(but),
        )
        .order_by(col(MentionRow.posted_at).desc())
        .limit(limit)
    )
    posts = _posts(session, dict.fromkeys(session.exec(query).all(), now()))
    return [
        Doubt(post=posts[row.mention_id], scores=row.scores, intent=row.intent, service_code=row.service_code)
        for row in _newest_assessments(session, posts)
    ]
