"""Taking in a page: mentions once each, edits as revisions, deletions as tombstones, our own posts as outbound."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, update
from sqlalchemy.exc import OperationalError, StatementError
from sqlmodel import Session, col, select

from store import attention, audit, content, outbound, ranges, requests, work
from store.tables import (
    AccountRow,
    ContentRow,
    ConversationRow,
    DraftRow,
    IdentityRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
)
from store.types import now
from vocabulary import Author, Edit, Mention, OwnPost, Page, Unreadable


@dataclass(kw_only=True, slots=True)
class Taken:
    """What a page brought."""

    collected: int = 0  #: mentions on the page
    new: int = 0
    edited: int = 0
    deleted: int = 0
    own: int = 0
    unreadable: int = 0
    mention_ids: list[int] = field(default_factory=list)  #: of the new ones

    def add(self, other: "Taken") -> None:
        """Sum up over pages."""
        self.collected += other.collected
        self.new += other.new
        self.edited += other.edited
        self.deleted += other.deleted
        self.own += other.own
        self.unreadable += other.unreadable
        self.mention_ids += other.mention_ids


def take_page(
    session: Session, account: AccountRow, source: str, page: Page, *, reply_within: timedelta, answerable: bool = True
) -> Taken:
    """Store a page. Posts older than ``reply_within`` count for trends only.

    The order within a thread is the order of time, whatever order the platform served.
    """
    taken = Taken(collected=len(page.mentions))
    outgoing = {post.post_id: post for post in page.own_posts}
    heard: list[Mention | OwnPost] = [*page.mentions, *outgoing.values()]
    for item in sorted(heard, key=lambda one: (one.posted_at, one.post_id)):
        try:
            with session.begin_nested():
                if isinstance(item, Mention):
                    _take_mention(session, account, item, taken, reply_within=reply_within, answerable=answerable)
                elif outbound.take(session, account, item):
                    taken.own += 1
        except (StatementError, ValueError) as err:  # set aside by itself, or its page could never be stored
            taken.unreadable += _quarantine(session, account, source, _not_storable(item, err))
    for edit in page.edits:
        taken.edited += revise(session, account.platform, edit)
    for post_id in page.deletions:
        taken.deleted += forget(session, account.platform, post_id)
    for lost in page.unreadable:
        taken.unreadable += _quarantine(session, account, source, lost)
    return taken


def _not_storable(item: Mention | OwnPost, err: Exception) -> Unreadable:
    """A post that no row takes; the database's own trouble is not the post's."""
    if isinstance(err, OperationalError):
        raise err
    raw = (item.raw if isinstance(item, Mention) else b"") or item.post_id.encode("utf-8", "replace")
    return Unreadable(raw=raw, why=f"it can't be stored ({type(err).__name__})")


def known(session: Session, platform: str, post_id: str) -> MentionRow | None:
    """The mention under any id it ever had: on X each edit gave it another."""
    own = col(MentionRow.post_id) == post_id
    earlier = select(MentionRevisionRow.mention_id).where(MentionRevisionRow.post_id == post_id)
    later = or_(col(MentionRow.current_post_id) == post_id, col(MentionRow.id).in_(earlier))
    for condition in (own, later):  # nearly always the first, by its unique index
        row = session.exec(select(MentionRow).where(MentionRow.platform == platform, condition)).first()
        if row is not None:
            return row
    return None


def conversation(session: Session, platform: str, key: str) -> ConversationRow:
    """The thread's row, made when it is new."""
    query = select(ConversationRow).where(ConversationRow.platform == platform, ConversationRow.conversation_key == key)
    row = session.exec(query).first()
    if row is None:
        row = ConversationRow(platform=platform, conversation_key=key)
        session.add(row)
        session.flush()
    return row


def identity(session: Session, platform: str, author: Author | None) -> IdentityRow | None:
    """The author's row; a handle that changed is brought up to date. None for an unknown author."""
    if author is None:
        return None
    query = select(IdentityRow).where(
        IdentityRow.platform == platform, IdentityRow.platform_user_id == author.platform_user_id
    )
    row = session.exec(query).first()
    if row is None:
        row = IdentityRow(platform=platform, platform_user_id=author.platform_user_id)
    row.handle, row.name = content.storable(author.handle)[:200], content.storable(author.name)[:200]
    session.add(row)
    session.flush()
    return row


def _take_mention(
    session: Session, account: AccountRow, mention: Mention, taken: Taken, *, reply_within: timedelta, answerable: bool
) -> None:
    row = known(session, mention.platform, mention.post_id)
    for earlier in mention.edited_from if row is None else ():
        row = row or known(session, mention.platform, earlier)
    if row is not None:
        taken.edited += _apply_revision(session, row, mention)
    else:
        row = _new_mention(session, mention, reply_within=reply_within, answerable=answerable)
        taken.new += 1
        taken.mention_ids.append(row.id)
    if session.get(MentionSourceRow, (row.id, account.id, mention.heard_how.value)) is None:
        session.add(MentionSourceRow(mention_id=row.id, account_id=account.id, heard_how=mention.heard_how.value))
        session.flush()


def _new_mention(session: Session, mention: Mention, *, reply_within: timedelta, answerable: bool) -> MentionRow:
    thread = conversation(session, mention.platform, mention.conversation_key)
    thread.last_seq += 1
    author = identity(session, mention.platform, mention.author)
    words_id = content.keep(session, "post", mention.text, media=_media(mention))
    raw_id = content.keep(session, "raw", raw=mention.raw, derived_from=words_id) if mention.raw else None
    row = MentionRow(
        platform=mention.platform,
        post_id=mention.post_id,
        current_post_id=mention.post_id,
        conversation_id=thread.id,
        identity_id=author.id if author else None,
        content_id=words_id,
        raw_id=raw_id,
        url=mention.url,
        in_reply_to=mention.in_reply_to,
        quoted_post_id=mention.quoted_post_id,
        visibility=mention.visibility.value,
        language=mention.language,
        addresses_us=mention.addresses_us,
        posted_at=mention.posted_at,
        historic=not answerable or mention.posted_at < now() - reply_within,
        seq=thread.last_seq,
        rev_hash=mention.rev_hash,
    )
    session.add(row)
    session.flush()
    session.add(
        MentionRevisionRow(
            mention_id=row.id, rev=1, rev_hash=row.rev_hash, post_id=mention.post_id, content_id=words_id
        )
    )
    work.put(session, "assess", row.id)
    outbound.settle_if_answered(session, row, row.post_id)
    return row


def _media(mention: Mention) -> list[dict[str, str]] | None:
    return [{"kind": m.kind, "url": m.url, "alt": content.storable(m.alt)} for m in mention.media] or None


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
    words_id = content.keep(session, "post", mention.text, media=_media(mention), derived_from=row.content_id)
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


def _quarantine(session: Session, account: AccountRow, source: str, item: Unreadable) -> int:
    """Keep what we could not read, once, with its bytes."""
    ref = f"{account.name}:{source}:{audit.sha(item.raw.decode('utf-8', 'replace'))[:24]}"
    if attention.still_open(session, "unreadable", ref) is not None:
        return 0
    attention.raise_(
        session,
        kind="unreadable",
        ref=ref,
        account_id=account.id,
        content_id=content.keep(session, "raw", raw=item.raw),
        summary=f"{account.name}: an item of {source} could not be read: {item.why}",
        remedy="replay it after an upgrade that reads it, or discard it",
    )
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
