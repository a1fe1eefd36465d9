"""Taking in a page: mentions once each, edits as revisions, deletions as tombstones, our own posts as outbound.

The statements that store a page's new posts all at once are in ``store.pages``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import and_, func, or_, update
from sqlalchemy.exc import StatementError
from sqlmodel import Session, col, select

from store import audit, content, outbound, pages, quarantine, ranges, requests, work
from store.engine import TROUBLE
from store.tables import (
    AccountRow,
    ContentRow,
    ConversationRow,
    DraftRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
)
from store.types import now
from vocabulary import Edit, Mention, OwnPost, Page, Unreadable

#: Posts that are stored together: as many as a platform's page holds, and never more than a statement can name.
AT_ONCE = 500

Heard = Mention | OwnPost
CountsOnly = Callable[[Mention], bool]


@dataclass(kw_only=True, slots=True)
class Taken:
    """What a page brought."""

    collected: int = 0  #: mentions on the page
    new: int = 0
    edited: int = 0
    deleted: int = 0
    own: int = 0
    unreadable: int = 0  #: set aside now, and not before
    refused: int = 0  #: posts that no row takes
    mention_ids: list[int] = field(default_factory=list)  #: of the new ones

    def add(self, other: "Taken") -> None:
        """Sum up over pages."""
        self.collected += other.collected
        self.new += other.new
        self.edited += other.edited
        self.deleted += other.deleted
        self.own += other.own
        self.unreadable += other.unreadable
        self.refused += other.refused
        self.mention_ids += other.mention_ids


def take_page(
    session: Session, account: AccountRow, source: str, page: Page, *, reply_within: timedelta, answerable: bool = True
) -> Taken:
    """Store a page. Posts older than ``reply_within`` count for trends only.

    The order within a thread is the order of time, whatever order the platform served.
    """
    answered_since = now() - reply_within

    def counts_only(mention: Mention) -> bool:
        return not answerable or mention.posted_at < answered_since

    taken = Taken(collected=len(page.mentions))
    for run in _runs(page):
        taken.add(_take(session, account, source, run, counts_only))
    for edit in page.edits:
        taken.edited += revise(session, account.platform, edit)
    for post_id in page.deletions:
        taken.deleted += forget(session, account.platform, post_id)
    for lost in page.unreadable:
        taken.unreadable += quarantine.keep(session, account, source, lost)
    return taken


def _runs(page: Page) -> Iterator[list[Heard]]:
    """What the page holds in the order of time, cut where posts of ours stand between others'."""
    outgoing = {post.post_id: post for post in page.own_posts}
    heard: list[Heard] = sorted([*page.mentions, *outgoing.values()], key=lambda one: (one.posted_at, one.post_id))
    for _, alike in groupby(heard, key=lambda one: (type(one), one.platform)):
        run = list(alike)
        for start in range(0, len(run), AT_ONCE):
            yield run[start : start + AT_ONCE]


def _take(session: Session, account: AccountRow, source: str, run: Sequence[Heard], counts_only: CountsOnly) -> Taken:
    """Store some posts; where no row takes one of them, each by itself, so that it alone is set aside."""
    try:
        with session.begin_nested():
            return _take_run(session, account, run, counts_only)
    except (StatementError, ValueError) as err:
        if isinstance(err, TROUBLE):  # the database's own trouble is not the post's
            raise
        if len(run) == 1:
            kept = quarantine.keep(session, account, source, _not_storable(run[0], err))
            return Taken(unreadable=kept, refused=1)
    taken = Taken()
    for item in run:
        taken.add(_take(session, account, source, [item], counts_only))
    return taken


def _not_storable(item: Heard, err: Exception) -> Unreadable:
    raw = (item.raw if isinstance(item, Mention) else b"") or item.post_id.encode("utf-8", "replace")
    return Unreadable(raw=raw, why=f"it can't be stored ({type(err).__name__})")


def _take_run(session: Session, account: AccountRow, run: Sequence[Heard], counts_only: CountsOnly) -> Taken:
    mentions = [item for item in run if isinstance(item, Mention)]
    if mentions:
        return _take_mentions(session, account, mentions, counts_only)
    return Taken(own=sum(outbound.take(session, account, item) for item in run if isinstance(item, OwnPost)))


def _take_mentions(
    session: Session, account: AccountRow, mentions: Sequence[Mention], counts_only: CountsOnly
) -> Taken:
    """Posts of one platform, in the order of time: what is new together, what says nothing new hardly at all.

    What we have and reads otherwise now, or is on the page in another version too, is looked at by itself.
    """
    taken = Taken()
    have = pages.known_among(session, mentions[0].platform, (name for one in mentions for name in _names(one)))
    heard: list[tuple[int, Mention]] = []
    fresh: list[Mention] = []
    touched: set[str] = set()  # names of posts that this page has made or changed: of them ``have`` knows nothing

    def store_fresh() -> None:
        heard.extend(zip(_add(session, fresh, counts_only, taken), fresh, strict=True))
        fresh.clear()

    for mention in mentions:
        names = _names(mention)
        known_as = next((have[name] for name in names if name in have), None)
        if touched.isdisjoint(names):
            if known_as is None:
                fresh.append(mention)
                touched.update(names)
                continue
            if known_as.says_the_same(mention):
                heard.append((known_as.mention_id, mention))
                continue
            touched |= {known_as.post_id, known_as.current_post_id}
        touched.update(names)
        store_fresh()
        row = next((row for name in names if (row := known(session, mention.platform, name)) is not None), None)
        if row is None:  # only named as what another was before, and never heard by that name
            fresh.append(mention)
            continue
        taken.edited += _apply_revision(session, row, mention)
        heard.append((row.id, mention))
    store_fresh()
    session.flush()
    pages.note_sources(session, account.id, heard)
    return taken


def _names(mention: Mention) -> tuple[str, ...]:
    return (mention.post_id, *mention.edited_from)


def _add(session: Session, mentions: Sequence[Mention], counts_only: CountsOnly, taken: Taken) -> list[int]:
    """Store new posts and ask for their assessment; what we answered before we heard it is settled at once."""
    if not mentions:
        return []
    ids = pages.add(session, mentions, counts_only=counts_only)
    work.put_new(session, "assess", ids)
    answered = pages.answered_among(session, mentions[0].platform, [mention.post_id for mention in mentions])
    for mention_id, mention in zip(ids, mentions, strict=True):
        if mention.post_id in answered:
            outbound.settle_if_answered(session, session.get_one(MentionRow, mention_id), mention.post_id)
    taken.new += len(ids)
    taken.mention_ids += ids
    return ids


def known(session: Session, platform: str, post_id: str) -> MentionRow | None:
    """The mention under any id it ever had: on X each edit gave it another."""
    session.flush()
    found = pages.known_among(session, platform, [post_id]).get(post_id)
    return None if found is None else session.get(MentionRow, found.mention_id)


def conversation(session: Session, platform: str, key: str) -> ConversationRow:
    """The thread's row, made when it is new."""
    query = select(ConversationRow).where(ConversationRow.platform == platform, ConversationRow.conversation_key == key)
    row = session.exec(query).first()
    if row is None:
        row = ConversationRow(platform=platform, conversation_key=key)
        session.add(row)
        session.flush()
    return row


def revise(session: Session, platform: str, edit: Edit) -> int:
    """A post may read otherwise now; gives 1 if it does."""
    row = known(session, platform, edit.post_id)
    return 0 if row is None else _apply_revision(session, row, edit.mention)


def _apply_revision(session: Session, row: MentionRow, mention: Mention) -> int:
    """A new wording sends an unapproved draft back to review, and an approval that waits is refused when it is sent."""
    if row.state == "deleted":
        return 0
    if mention.post_id != row.current_post_id:
        earlier = mention.post_id != ranges.later_of(mention.post_id, row.current_post_id)
        if earlier or mention.post_id in _all_ids(session, row):
            return 0  # an older wording, served once more
        row.current_post_id = mention.post_id
        session.add(row)
        outbound.settle_if_answered(session, row, mention.post_id)
    if mention.rev_hash == row.rev_hash:
        return 0
    words_id = content.keep(
        session, "post", mention.text, media=content.shown(mention.media), derived_from=row.content_id
    )
    thread = session.get_one(ConversationRow, row.conversation_id)
    thread.last_seq += 1
    row.rev, row.rev_hash, row.seq = row.rev + 1, mention.rev_hash, thread.last_seq
    session.add(
        MentionRevisionRow(
            mention_id=row.id, rev=row.rev, rev_hash=row.rev_hash, post_id=mention.post_id, content_id=words_id
        )
    )
    session.add(row)
    audit.append(
        session, by="system", action="mention.edited", subject=f"mention:{row.id}", hashes={"to": row.rev_hash}
    )
    work.put(session, "assess", row.id)
    return 1


def _all_ids(session: Session, row: MentionRow) -> set[str]:
    revisions = select(MentionRevisionRow.post_id).where(MentionRevisionRow.mention_id == row.id)
    return {row.post_id, *session.exec(revisions)}


def current_words(session: Session, row: MentionRow) -> ContentRow:
    """The content row of the wording that stands now."""
    query = select(MentionRevisionRow).where(MentionRevisionRow.mention_id == row.id, MentionRevisionRow.rev == row.rev)
    revision = session.exec(query).first()
    return session.get_one(ContentRow, revision.content_id if revision else row.content_id)


def forget(session: Session, platform: str, post_id: str) -> int:
    """A post is gone from its platform: its words go too, at once; ids, decisions and our replies stay. Gives 0 or 1.

    Platforms ask for this within 24 hours.
    """
    row = known(session, platform, post_id)
    if row is None or row.state == "deleted":
        return 0
    content.dispose(session, row.content_id, by="system", why="deleted on its platform")
    row.state, row.deleted_at = "deleted", now()
    session.add(row)
    audit.append(session, by="system", action="mention.deleted", subject=f"mention:{row.id}")
    live = select(DraftRow).where(
        DraftRow.mention_id == row.id, col(DraftRow.state).in_((*outbound.UNDECIDED, "approved"))
    )
    for draft in session.exec(live).all():
        outbound.stop(session, draft, state="cancelled", why="the post was deleted on its platform", by="system")
        requests.cancel_if_unfiled(session, draft.request_id, by="system")
    return 1


def due_for_a_look(
    session: Session, account: AccountRow, *, rhythm: Sequence[tuple[timedelta, timedelta]], limit: int
) -> list[MentionRow]:
    """Mentions that may have been edited or deleted since, the longest unseen first.

    Args:
        session: any.
        account: by which they were heard.
        rhythm: up to which age a post is looked at how often, the youngest first; older than the last: never.
        limit: how many at most.
    """
    moment = now()
    seen_at = func.coalesce(col(MentionRow.checked_at), col(MentionRow.collected_at))
    born = col(MentionRow.posted_at)
    due, younger = [], moment + timedelta(days=1)  # clocks differ: a post may say that it is of tomorrow
    for age, every in rhythm:
        due.append(and_(born > moment - age, born <= younger, seen_at < moment - every))
        younger = moment - age
    query = (
        select(MentionRow)
        .where(MentionRow.platform == account.platform, MentionRow.state != "deleted")
        .where(
            col(MentionRow.id).in_(select(MentionSourceRow.mention_id).where(MentionSourceRow.account_id == account.id))
        )
        .where(or_(*due))
        .order_by(seen_at, col(MentionRow.id))
        .limit(limit)
    )
    return list(session.exec(query))


def mark_looked_at(session: Session, mention_ids: Sequence[int], moment: datetime) -> None:
    """Note when the platform was last asked for these."""
    session.execute(update(MentionRow).where(col(MentionRow.id).in_(mention_ids)).values(checked_at=moment))
