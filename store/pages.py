"""The statements of taking in a page: a handful for all of its posts, where one post at a time needs dozens.

All is read and written under the store's one write lock (``Store.writing``), so what was looked up stays true until it
is committed; the unique constraints stand behind it. What the posts mean is for ``store.intake`` to say.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from store import content, rows
from store.tables import (
    ContentRow,
    ConversationRow,
    IdentityRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
)
from store.types import now
from vocabulary import Author, Mention


@dataclass(frozen=True, slots=True)
class Known:
    """A mention that we have: as much as tells whether a post on a page says anything new."""

    mention_id: int
    post_id: str
    current_post_id: str
    rev_hash: str
    state: str

    def says_the_same(self, mention: Mention) -> bool:
        """Whether a post is what we have, word for word; what was deleted stays so, whatever it reads."""
        same = mention.post_id == self.current_post_id and mention.rev_hash == self.rev_hash
        return same or self.state == "deleted"


KNOWN = (
    "SELECT id, post_id, current_post_id, rev_hash, state FROM mention WHERE platform = :platform AND post_id {wanted}"
)
# These name no platform in their conditions: SQLite would take it for the better index, and read all posts of it.
CALLED_NOW = "SELECT platform, current_post_id, post_id FROM mention WHERE current_post_id {wanted}"
CALLED_ONCE = (
    "SELECT mention.platform, once.post_id, mention.post_id FROM mention_revision AS once"
    " JOIN mention ON mention.id = once.mention_id WHERE once.post_id {wanted}"
)
ANSWERED = "SELECT platform, in_reply_to FROM own_post WHERE in_reply_to {wanted}"
THREADS = (
    "SELECT conversation_key, id, last_seq FROM conversation WHERE platform = :platform AND conversation_key {wanted}"
)
AUTHORS = (
    "SELECT platform_user_id, id, handle, name FROM identity WHERE platform = :platform AND platform_user_id {wanted}"
)


def known_among(session: Session, platform: str, post_ids: Iterable[str]) -> dict[str, Known]:
    """The mentions that we have among the posts, under any id they ever had: on X each edit gave them another."""
    wanted = set(post_ids)
    found = {known.post_id: known for known in _known(session, platform, wanted)}
    if not (rest := wanted - found.keys()):
        return found
    other_names = {
        name: post_id
        for sql in (CALLED_NOW, CALLED_ONCE)
        for its_platform, name, post_id in map(tuple, rows.among(session, sql, rest))
        if its_platform == platform
    }
    called = {known.post_id: known for known in _known(session, platform, other_names.values())}
    return found | {name: called[post_id] for name, post_id in other_names.items()}


def _known(session: Session, platform: str, post_ids: Collection[str]) -> Iterator[Known]:
    if post_ids:
        for row in rows.among(session, KNOWN, post_ids, platform=platform):
            yield Known(row.id, row.post_id, row.current_post_id, row.rev_hash, row.state)


def note_sources(session: Session, account_id: int, heard: Iterable[tuple[int, Mention]]) -> None:
    """Note by which account and door mentions came; what is noted already stays."""
    moment = now()
    met = dict.fromkeys((mention_id, mention.heard_how.value) for mention_id, mention in heard)
    found = [
        {"mention_id": mention_id, "account_id": account_id, "heard_how": how, "heard_at": moment}
        for mention_id, how in met
    ]
    rows.insert(session, MentionSourceRow, found, unless_there=True)


def add(session: Session, mentions: Sequence[Mention], *, counts_only: Callable[[Mention], bool]) -> list[int]:
    """Store posts of one platform that are new, in the order given; gives their numbers.

    Each with its thread, its author, its words and raw payload, and its first wording.
    """
    session.flush()  # what the session has in hand is in the database before the database is asked
    moment, platform = now(), mentions[0].platform
    threads = _threads(session, platform, [mention.conversation_key for mention in mentions])
    authors = _authors(session, platform, [mention.author for mention in mentions if mention.author])
    kept = _contents(session, mentions)
    hashes = [mention.rev_hash for mention in mentions]
    ids = rows.allot(session, MentionRow, len(mentions))
    together = list(zip(ids, mentions, threads, kept, hashes, strict=True))
    found = [
        {
            "id": mention_id,
            "platform": platform,
            "post_id": mention.post_id,
            "current_post_id": mention.post_id,
            "conversation_id": thread_id,
            "identity_id": authors[mention.author.platform_user_id] if mention.author else None,
            "content_id": words_id,
            "raw_id": raw_id,
            "url": mention.url,
            "in_reply_to": mention.in_reply_to,
            "quoted_post_id": mention.quoted_post_id,
            "visibility": mention.visibility.value,
            "language": mention.language,
            "addresses_us": mention.addresses_us,
            "posted_at": mention.posted_at,
            "collected_at": moment,
            "historic": counts_only(mention),
            "state": "new",
            "seq": seq,
            "rev": 1,
            "rev_hash": rev_hash,
        }
        for mention_id, mention, (thread_id, seq), (words_id, raw_id), rev_hash in together
    ]
    rows.insert(session, MentionRow, found)
    wordings = [
        {
            "mention_id": mention_id,
            "rev": 1,
            "rev_hash": rev_hash,
            "post_id": mention.post_id,
            "content_id": words_id,
            "seen_at": moment,
        }
        for mention_id, mention, _, (words_id, _), rev_hash in together
    ]
    rows.insert(session, MentionRevisionRow, wordings)
    return ids


def answered_among(session: Session, platform: str, post_ids: Iterable[str]) -> set[str]:
    """Those of the posts under which one of our own stands: a reply by hand may be heard before what it answers."""
    return {row.in_reply_to for row in rows.among(session, ANSWERED, post_ids) if row.platform == platform}


def _threads(session: Session, platform: str, keys: Sequence[str]) -> list[tuple[int, int]]:
    """For each post the number of its thread and its own place in it; threads that are new are made."""
    found = rows.among(session, THREADS, set(keys), platform=platform)
    had = {row.conversation_key: (row.id, row.last_seq) for row in found}
    fresh = [key for key in dict.fromkeys(keys) if key not in had]
    numbers = {key: number for key, (number, _) in had.items()}
    numbers |= zip(fresh, rows.allot(session, ConversationRow, len(fresh)), strict=True)
    last = {key: seq for key, (_, seq) in had.items()}
    places = []
    for key in keys:
        last[key] = last.get(key, 0) + 1
        places.append((numbers[key], last[key]))
    made: list[dict[str, Any]] = [
        {
            "id": numbers[key],
            "platform": platform,
            "conversation_key": key,
            "last_seq": last[key],
            "sensitive": False,
        }
        for key in fresh
    ]
    rows.insert(session, ConversationRow, made)
    rows.update(session, ConversationRow, [{"last_seq": last[key], "id": number} for key, (number, _) in had.items()])
    return places


def _authors(session: Session, platform: str, authors: Sequence[Author]) -> dict[str, int]:
    """The number of each platform user; a name that changed is brought up to date, one that is not told is kept."""
    latest = {author.platform_user_id: author for author in authors}
    found = rows.among(session, AUTHORS, latest, platform=platform)
    had = {row.platform_user_id: (row.id, row.handle, row.name) for row in found}
    fresh = [user for user in latest if user not in had]
    numbers = {user: number for user, (number, _, _) in had.items()}
    numbers |= zip(fresh, rows.allot(session, IdentityRow, len(fresh)), strict=True)
    moment = now()
    made, changed = [], []
    for user, author in latest.items():
        handle, name = content.storable(author.handle)[:200], content.storable(author.name)[:200]
        if user not in had:
            made.append(
                {
                    "id": numbers[user],
                    "platform": platform,
                    "platform_user_id": user,
                    "handle": handle,
                    "name": name,
                    "first_seen_at": moment,
                }
            )
            continue
        _, handle_before, name_before = had[user]
        if (handle or handle_before, name) != (handle_before, name_before):
            changed.append({"handle": handle or handle_before, "name": name, "id": numbers[user]})
    rows.insert(session, IdentityRow, made)
    rows.update(session, IdentityRow, changed)
    return numbers


def _contents(session: Session, mentions: Sequence[Mention]) -> list[tuple[int, int | None]]:
    """The numbers of each post's words and of its raw payload, which is disposed of together with them."""
    numbers = iter(rows.allot(session, ContentRow, len(mentions) + sum(1 for mention in mentions if mention.raw)))
    kept = [(next(numbers), next(numbers) if mention.raw else None) for mention in mentions]
    usual: dict[str, Any] = {"id": None, "record_class": "post", "text": None, "media": None, "raw": None}
    usual |= {"derived_from": None, "created_at": now(), "legal_hold": False}
    found: list[dict[str, Any]] = []
    for mention, (words_id, raw_id) in zip(mentions, kept, strict=True):
        text, media = content.storable(mention.text), content.shown(mention.media)
        found.append({**usual, "id": words_id, "text": text, "media": media})
        if raw_id is not None:
            found.append({**usual, "id": raw_id, "record_class": "raw", "raw": mention.raw, "derived_from": words_id})
    rows.insert(session, ContentRow, found)
    return kept
