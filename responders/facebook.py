"""Replies on Facebook: comments of the Page below what somebody wrote, or one private message about it.

Graph has no idempotency key. What stands against doubles is reading the thread back; the same words twice are refused
for Page posts (506), for comments not reliably.

Source: developers.facebook.com/docs/graph-api/reference/object/comments (publishing, deleting; read 2026-11). Comments
have two levels: an answer to an answer hangs under the first. 8,000 characters is the limit of a comment on Facebook's
own page; Meta's reference names none. Private replies: docs/messenger-platform/discovery/private-replies (2026-04-16):
one to a post or comment, within seven days, which Graph itself holds to (10900), so a repeat can't become a double.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from clients import facebook, facebook_messages, facebook_posts, http
from clients.facebook_posts import Place, Written
from clients.keys import keys
from errors import Refused, Unavailable
from responders.base import Responder
from vocabulary import ApprovedReply, HeardHow, Offers, OwnPost, PostNow, SentReply, Unreadable, Visibility

MAX_LENGTH = 8_000
MAX_PRIVATE_LENGTH = 1_999  #: Send API reference: "less than 2000 characters" (read 2026-04)
CLOCKS_DIFFER = timedelta(minutes=5)  #: Meta's and ours, at most
LOOK_BACK = timedelta(days=1)  #: before the approval; nothing older in the thread can be this reply

OFFERS = Offers(left="a comment that Graph lists later than both readings")
PRIVATE_OFFERS = Offers(takes_one=True, left="nothing within seven days; where the author is hidden a person looks")

REFERENCE = re.compile(r"\b[A-Z]{1,4}-[A-Z0-9]{6,}\b")
MESSAGE_ID = re.compile(r"m_.+")  #: of a private message; posts and comments are numbers
ID = re.compile(r"[0-9A-Za-z_:.-]{1,128}")


def length(text: str) -> int:
    """Facebook counts characters."""
    return len(text)


class FacebookResponder(Responder):
    """Comments for one Page."""

    offers = OFFERS
    private_offers = PRIVATE_OFFERS
    max_length = MAX_LENGTH
    hindrance = None  # the Page's token reads and writes

    def __init__(self, graph: facebook.Graph, account: facebook.Account) -> None:
        self._graph = graph
        self._page_id = account.page_id
        self._version = account.graph_version

    def length(self, text: str) -> int:
        """Characters."""
        return length(text)

    def look(self, post_id: str) -> PostNow:
        """The post or comment as it reads now, read as the listener reads it."""
        written, item = self._look_up(post_id)
        if written is None:
            return PostNow(post_id=post_id, exists=False)
        seen = facebook_posts.mention(written, item, Place.of(written), HeardHow.PAGE_COMMENT)
        author = seen.author.platform_user_id if seen.author else None
        return PostNow(post_id=post_id, exists=True, rev_hash=seen.rev_hash, author_id=author)

    def would_send(self, reply: ApprovedReply) -> dict[str, str]:
        """The one call of ``send``."""
        if reply.draft.visibility is Visibility.DIRECT:
            recipient = http.packed(recipient_of(reply)).decode()
            path = f"/{self._version}/{self._page_id}/messages"
            return {"method": "POST", "path": path, "recipient": recipient, "message.text": reply.text}
        return {"method": "POST", "path": f"/{self._version}/{reply.in_reply_to}/comments", "message": reply.text}

    def send(self, reply: ApprovedReply, *, key: str) -> SentReply:
        """Comment below what is answered, or write to its author. Graph takes no key, so ``key`` goes nowhere."""
        private = reply.draft.visibility is Visibility.DIRECT
        if not private and reply.draft.visibility is not Visibility.PUBLIC:
            raise Refused("Facebook: a comment is public, and this reply may not be")
        kind, most = ("private message", MAX_PRIVATE_LENGTH) if private else ("comment", MAX_LENGTH)
        if (long := length(reply.text)) > most:
            raise Refused(f"Facebook: the reply has {long} characters, and a {kind} takes {most}")
        if not ID.fullmatch(reply.in_reply_to):
            raise Refused(f"Facebook: {reply.in_reply_to!r} is no id of a post")
        if private:
            return SentReply(post_id=self._graph.message(self._page_id, recipient_of(reply), reply.text))
        post_id = self._graph.write(reply.in_reply_to, "comments", message=reply.text)
        return SentReply(post_id=post_id, url=f"https://www.facebook.com/{post_id}")

    def answers(self, reply: ApprovedReply) -> tuple[OwnPost, ...]:
        """What the Page wrote on the thread since shortly before the approval; each answers what it hangs under."""
        root = reply.draft.conversation_key
        try:
            return tuple(facebook_posts.own_post(one, Place.of(one, root)) for one in self._ours(reply))
        except facebook.Gone:
            return ()  # with the post went its comments

    def find_sent(self, reply: ApprovedReply) -> SentReply | None:
        """Our reply among the Page's comments of the thread, or among its messages to the author."""
        if reply.draft.visibility is Visibility.DIRECT:
            return self._find_private(reply)
        try:
            places = self._where_it_would_hang(reply)
            for comment in self._ours(reply):
                above = comment.parent.id if comment.parent else reply.draft.conversation_key
                if (places is None or above in places) and matches(comment, reply):
                    return SentReply(post_id=comment.id, url=comment.url or f"https://www.facebook.com/{comment.id}")
        except facebook.Gone:
            return None  # with the post went its comments
        return None

    def _find_private(self, reply: ApprovedReply) -> SentReply | None:
        """The message as the Page's inbox shows it. Where Facebook hides who wrote, only its word that none was sent.

        Raises:
            Refused: nothing shows whether it was sent; a person must look in the Page's inbox.
        """
        if reply.draft.addressee is not None:
            since = reply.approved_at - CLOCKS_DIFFER
            for message in facebook_messages.written_to(self._graph, self._page_id, reply.draft.addressee, since=since):
                if folded(message.text) == folded(reply.text):
                    return SentReply(post_id=message.id)
            return None
        if facebook_messages.may_be_written(self._graph, reply.in_reply_to):
            return None
        raise Refused("Facebook hides who wrote this, so nothing shows whether the private reply was sent")

    def retract(self, post_id: str) -> None:
        """Delete our comment. A Page may delete what residents wrote too, so whose it is comes first."""
        if MESSAGE_ID.fullmatch(post_id):
            raise Refused("Facebook: a private message can't be taken back by program")
        written, _ = self._look_up(post_id)
        if written is None:
            return
        if written.author is None or written.author.id != self._page_id:
            raise Refused(f"Facebook: {post_id} was not written by the Page; it is not ours to delete")
        try:
            self._graph.delete(post_id)
        except facebook.Gone:
            return

    def _look_up(self, post_id: str) -> tuple[Written | None, object]:
        if not ID.fullmatch(post_id):
            return None, None
        found = facebook_posts.look_up(self._graph, self._page_id, [post_id])
        written, item = found.get(post_id, (Unreadable(raw=b"", why="missing"), None))
        if isinstance(written, Unreadable):
            raise Unavailable(f"Facebook shows {post_id} in a shape that we can't read: {written.why}")
        return written, item

    def _where_it_would_hang(self, reply: ApprovedReply) -> set[str] | None:
        """The answered object, or the comment above it, where answers to answers go; None: anywhere in the thread."""
        if reply.in_reply_to == reply.draft.conversation_key:
            return {reply.in_reply_to}
        answered, _ = self._look_up(reply.in_reply_to)
        if answered is None:
            return None
        return {reply.in_reply_to, *([answered.parent.id] if answered.parent else [])}

    def _ours(self, reply: ApprovedReply) -> Iterator[Written]:
        """The Page's comments of the thread, newest first, as far back as the reply can stand."""
        after: dict[str, str] = {}
        while True:
            body = self._graph.read(
                reply.draft.conversation_key,
                "comments",
                fields=facebook_posts.COMMENT_FIELDS,
                filter="stream",
                order="reverse_chronological",
                limit=100,
                **after,
            )
            for item in body["data"]:
                comment = facebook_posts.read(item)
                if isinstance(comment, Unreadable):
                    raise Unavailable("Facebook shows a comment of the thread in a shape that we can't read")
                if comment.created_time < reply.approved_at - LOOK_BACK:
                    return
                if comment.author and comment.author.id == self._page_id:
                    yield comment
            cursor = facebook_posts.cursor_after(body)
            if cursor is None:
                return
            if after.get("after") == cursor:
                raise Unavailable("Facebook: the same cursor twice")
            after = {"after": cursor}


def recipient_of(reply: ApprovedReply) -> dict[str, str]:
    """Whom a private reply is for, as Graph wants it: by the post or comment, never by the person."""
    is_post = reply.in_reply_to == reply.draft.conversation_key
    return {"post_id" if is_post else "comment_id": reply.in_reply_to}


def matches(comment: Written, reply: ApprovedReply) -> bool:
    """Whether our comment says what the reply says, or quotes its reference and came after the approval."""
    if folded(comment.text) == folded(reply.text):
        return True
    references = set(REFERENCE.findall(reply.text)) & set(REFERENCE.findall(comment.text))
    return bool(references) and comment.created_time >= reply.approved_at - CLOCKS_DIFFER


def folded(text: str) -> str:
    """A text without what a platform may change: forms of letters and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def connect(table: dict[str, Any]) -> Responder:
    """The responder of one Page.

    Raises:
        ConfigError: a key is wrong or missing.
    """
    account = keys(facebook.Account, table)
    return FacebookResponder(facebook.Graph(account), account)
