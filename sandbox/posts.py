"""What people write, on both platforms.

**Ids.** Every post has a number made as X makes its own (a snowflake: milliseconds since X's epoch, shifted by 22
bits), from the moment the network got it. So numbers grow with time and ``since_id`` misses nothing, also where a post
is loaded with a ``posted_at`` in the past: it is listed as the newest, and only ``created_at`` tells its age. What X
selects by time (``start_time``, the week of search) goes by the number too, what Graph selects (``since``) by
``posted_at``. X shows the number; Facebook shows ``PAGE_NUMBER``, and ``POSTNUMBER_NUMBER`` for a comment (Facebook's
own numbers do not order by time: rely on ``created_time`` there).

**Edits.** X: an edit is a new post with a new id; both carry the same history, timelines and search show the newest
only, and an old id asked for by itself still answers with the old text (docs.x.com/x-api/fundamentals/edit-posts,
read 2026-11). So one notices an edit by a second id in ``edit_history_tweet_ids``. Deleting any version deletes them
all. Facebook: the same id, new ``message``, new ``updated_time``. The control does not refuse what X would (after 30
minutes, of a reply, a sixth time).

**Mentions on X.** What a reply inherits (the author replied to and whoever that post mentions) is kept apart as
``prefix``: X shows it in front of the text and counts it as a mention, but not as engagement for the reply rule, nor
towards 280.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sandbox.clock import Clock, from_milliseconds, milliseconds
from sandbox.people import NotThere, People, Person
from sandbox.state import Database, Row, marks

X_EPOCH = 1288834974657  #: milliseconds; the first moment a snowflake can tell
HANDLE = re.compile(r"(?<![A-Za-z0-9_@/.&])@([A-Za-z0-9_]{1,15})(?![A-Za-z0-9_@])")


class Media(NamedTuple):
    """A picture or film that came with a post."""

    kind: str  #: photo or video
    url: str
    alt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    platform: str
    number: int
    id: str
    author_id: str
    text: str  #: as written, character for character, lone surrogates and all
    prefix: str  #: X: the mentions a reply inherits, with a blank at the end; else empty
    in_reply_to: str | None  #: what it was written in answer to
    parent: str | None  #: where it hangs: Facebook keeps two levels only
    root: str  #: the first post of the conversation
    quoted: str | None
    page_id: str | None
    tagged: bool  #: Facebook: stands on its author's profile and tags the Page
    posted_at: datetime
    updated_at: datetime
    chain: str  #: id of the first version
    superseded_by: str | None
    deleted_at: datetime | None
    media: tuple[Media, ...] = ()

    @property
    def shown(self) -> str:
        return self.prefix + self.text


def snowflake(moment: datetime) -> int:
    """The smallest number a post of that moment can have."""
    return max(milliseconds(moment) - X_EPOCH, 0) << 22


def when(number: int) -> datetime:
    """The moment a post's number tells."""
    return from_milliseconds((number >> 22) + X_EPOCH)


class Posts:
    def __init__(self, database: Database, clock: Clock, people: People, first_page: str) -> None:
        self._database = database
        self._clock = clock
        self._people = people
        self._first_page = first_page

    # writing

    def add(
        self,
        author: Person,
        text: str,
        *,
        in_reply_to: str | None = None,
        quoted: str | None = None,
        page_id: str | None = None,
        tagged: bool = False,
        posted_at: datetime | None = None,
        without: frozenset[str] = frozenset(),
        media: Sequence[Media] = (),
    ) -> Post:
        """One more post or comment; ``without``: ids of people whom a reply on X shall not mention.

        ``posted_at`` is what it says of its own time; its number is of now.

        Raises:
            NotThere: what it answers or quotes is not there.
        """
        with self._database.transaction():
            answered = None if in_reply_to is None else self.living(in_reply_to, author.platform)
            if quoted is not None:
                self.living(quoted, author.platform)
            arrived = self._clock.now()
            number = self._free_number(arrived)
            if author.platform == "facebook":
                where = _on_facebook(number, author, answered, page_id or self._first_page, tagged=tagged)
                id, parent, root, page, prefix = where
            else:
                id, parent, page = str(number), in_reply_to, None
                root = answered.root if answered else id
                prefix = self._inherited(author, answered, text, without) if answered else ""
            at = milliseconds(posted_at or arrived)
            self._database.run(
                "INSERT INTO post VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
                (
                    number,
                    author.platform,
                    id,
                    author.id,
                    text,
                    prefix,
                    in_reply_to,
                    parent,
                    root,
                    quoted,
                    page,
                    tagged,
                    at,
                    at,
                    id,
                    json.dumps(media) if media else None,
                ),
            )
            self._note_mentions(number, prefix, text)
        return self.living(id)

    def _free_number(self, moment: datetime) -> int:
        start = snowflake(moment)
        row = self._database.row(
            "SELECT max(number) AS top FROM post WHERE number BETWEEN ? AND ?", (start, start + (1 << 22) - 1)
        )
        return start if row is None or row["top"] is None else int(row["top"]) + 1

    def _inherited(self, author: Person, answered: Post, text: str, without: frozenset[str]) -> str:
        people = [
            self._people.find("x", answered.author_id),
            *self._people.by_handle(HANDLE.findall(answered.shown)).values(),
        ]
        written = {handle.lower() for handle in HANDLE.findall(text)}
        handles = dict.fromkeys(
            person.handle
            for person in people
            if person.id not in {author.id, *without} and person.handle.lower() not in written
        )
        return "".join(f"@{handle} " for handle in handles)

    def _note_mentions(self, number: int, prefix: str, text: str) -> None:
        for written, part in ((0, prefix), (1, text)):
            for person in self._people.by_handle(HANDLE.findall(part)).values():
                self._database.run("INSERT OR REPLACE INTO mention VALUES (?, ?, ?)", (person.id, number, written))

    def edit(self, id: str, text: str) -> Post:
        """The newest version after the edit: on X it has a new id.

        Raises:
            NotThere: it is not there.
        """
        with self._database.transaction():
            old = self.newest(id)
            now = self._clock.now()
            if old.platform == "facebook":
                self._database.run(
                    "UPDATE post SET text = ?, updated_at = ? WHERE id = ?", (text, milliseconds(now), old.id)
                )
                return self.living(old.id)
            number = self._free_number(now)
            self._database.run(
                "INSERT INTO post SELECT ?, platform, ?, author_id, ?, prefix, in_reply_to, parent, root, quoted,"
                " page_id, tagged, ?, ?, chain, NULL, NULL, media FROM post WHERE id = ?",
                (number, str(number), text, milliseconds(now), milliseconds(now), old.id),
            )
            self._database.run("UPDATE post SET superseded_by = ? WHERE id = ?", (str(number), old.id))
            self._note_mentions(number, old.prefix, text)
        return self.living(str(number))

    def delete(self, id: str) -> Post:
        """Takes the post away, all its versions with it; on Facebook its comments too."""
        with self._database.transaction():
            post = self.living(id)
            gone = milliseconds(self._clock.now())
            self._database.run("UPDATE post SET deleted_at = ? WHERE chain = ?", (gone, post.chain))
            if post.platform == "facebook":
                self._database.run(
                    "UPDATE post SET deleted_at = ? WHERE deleted_at IS NULL AND (root = ? OR parent = ?)",
                    (gone, post.id, post.id),
                )
        return post

    # reading

    def living(self, id: str, platform: str | None = None) -> Post:
        row = self._database.row("SELECT * FROM post WHERE id = ? AND deleted_at IS NULL", (id,))
        if row is None or (platform and row["platform"] != platform):
            raise NotThere(id)
        return _post(row)

    def newest(self, id: str) -> Post:
        post = self.living(id)
        while post.superseded_by:
            post = self.living(post.superseded_by)
        return post

    def versions(self, chains: Iterable[str]) -> dict[str, list[str]]:
        wanted = list(set(chains))
        found: dict[str, list[str]] = {}
        for row in self._database.rows(
            f"SELECT chain, id FROM post WHERE chain IN ({marks(wanted)}) ORDER BY number", wanted
        ):
            found.setdefault(row["chain"], []).append(row["id"])
        return found

    def by_ids(self, ids: Iterable[str], platform: str) -> dict[str, Post]:
        wanted = list(set(ids))
        rows = self._database.rows(
            f"SELECT * FROM post WHERE platform = ? AND deleted_at IS NULL AND id IN ({marks(wanted)})",
            (platform, *wanted),
        )
        return {row["id"]: _post(row) for row in rows}

    def where(
        self, condition: str, values: Iterable[object], *, limit: int = -1, newest_first: bool = True
    ) -> list[Post]:
        """Living newest versions that meet a condition over the columns of ``post``."""
        order = "DESC" if newest_first else "ASC"
        rows = self._database.rows(
            f"SELECT * FROM post WHERE deleted_at IS NULL AND superseded_by IS NULL AND {condition}"
            f" ORDER BY number {order} LIMIT ?",
            (*values, limit),
        )
        return [_post(row) for row in rows]

    def newest_roots(self, count: int, before: int | None = None) -> list[str]:
        """The conversations something was lately said in; with ``before``, as seen when that post did not exist yet."""
        rows = self._database.rows(
            "SELECT root, max(number) AS last FROM post WHERE deleted_at IS NULL AND superseded_by IS NULL"
            " GROUP BY root HAVING min(number) < ? ORDER BY last DESC LIMIT ?",
            ((1 << 63) - 1 if before is None else before, count),
        )
        return [row["root"] for row in rows]

    def engaged(self, post: Post, account: Person) -> bool:
        """Whether the post's author spoke to the account of their own accord: by its name, a quote or an answer."""
        if post.author_id == account.id:
            return True
        row = self._database.row(
            "SELECT 1 FROM mention WHERE person_id = ? AND number = ? AND written = 1", (account.id, post.number)
        )
        spoken_to = self.by_ids([id for id in (post.quoted, post.in_reply_to) if id], "x")
        return row is not None or any(other.author_id == account.id for other in spoken_to.values())


def _on_facebook(
    number: int, author: Person, answered: Post | None, page_id: str, *, tagged: bool
) -> tuple[str, str | None, str, str, str]:
    if answered is None:
        id = f"{author.id if tagged else page_id}_{number}"
        return id, None, id, page_id, ""
    parent = answered.parent if answered.parent and answered.parent != answered.root else answered.id
    post_number = answered.root.rpartition("_")[2]
    return f"{post_number}_{number}", parent, answered.root, answered.page_id or page_id, ""


def _post(row: Row) -> Post:
    return Post(
        platform=row["platform"],
        number=row["number"],
        id=row["id"],
        author_id=row["author_id"],
        text=row["text"],
        prefix=row["prefix"],
        in_reply_to=row["in_reply_to"],
        parent=row["parent"],
        root=row["root"],
        quoted=row["quoted"],
        page_id=row["page_id"],
        tagged=bool(row["tagged"]),
        posted_at=from_milliseconds(row["posted_at"]),
        updated_at=from_milliseconds(row["updated_at"]),
        chain=row["chain"],
        superseded_by=row["superseded_by"],
        deleted_at=None if row["deleted_at"] is None else from_milliseconds(row["deleted_at"]),
        media=tuple(Media(*one) for one in json.loads(row["media"] or "[]")),
    )
