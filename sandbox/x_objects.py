"""Posts and users as X's API shows them: fields on request, expansions, includes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import rfc3339
from sandbox.people import Person
from sandbox.posts import Media, Post, when
from sandbox.world import World
from sandbox.x_problems import not_found
from sandbox.x_text import as_served, entities, handles

#: what X's OpenAPI 2.159 allows in the query; not all of it has a value here
TWEET_FIELDS = frozenset(
    """
    article attachments author_id card_uri community_id context_annotations conversation_id created_at
    display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang
    media_metadata non_public_metrics note_tweet organic_metrics possibly_sensitive promoted_metrics
    public_metrics referenced_tweets reply_settings scopes source suggested_source_links
    suggested_source_links_with_counts text withheld
    """.split()  # noqa: SIM905 (so many quoted names read worse)
)
MEDIA_FIELDS = frozenset(
    """
    alt_text duration_ms height media_key non_public_metrics organic_metrics preview_image_url promoted_metrics
    public_metrics type url variants width
    """.split()  # noqa: SIM905 (so many quoted names read worse)
)
USER_FIELDS = frozenset(
    """
    affiliation confirmed_email connection_status created_at description entities id is_identity_verified
    location most_recent_tweet_id name parody pinned_tweet_id profile_banner_url profile_image_url protected
    public_metrics receives_your_dm subscription subscription_type url username verified
    verified_followers_count verified_type withheld
    """.split()  # noqa: SIM905 (so many quoted names read worse)
)
EXPANSIONS = frozenset(
    """
    article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet
    attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username geo.place_id
    in_reply_to_user_id entities.note.mentions.username referenced_tweets.id
    referenced_tweets.id.attachments.media_keys referenced_tweets.id.author_id
    """.split()  # noqa: SIM905 (so many quoted names read worse)
)
EDIT_WINDOW = timedelta(minutes=30)
MOST_EDITS = 5
SPANISH = frozenset(
    """
    el la los las un una de en que por para con hay calle no se esta está mi su y es del favor gracias
    """.split()  # noqa: SIM905 (so many quoted names read worse)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the caller asked to see."""

    tweet_fields: frozenset[str]
    user_fields: frozenset[str]
    expansions: frozenset[str]
    media_fields: frozenset[str] = frozenset()


def guessed_language(text: str) -> str:
    """``es`` or ``en``, by its small words: X's own guess is no better documented."""
    words = re.findall(r"\w+", text.lower())
    return "es" if words and sum(word in SPANISH for word in words) / len(words) > 0.2 else "en"


def millis(moment: datetime) -> str:
    return rfc3339(moment).replace("Z", ".000Z")


class Shelf:
    """What a page of posts needs from the store, fetched at once."""

    def __init__(self, world: World, shown: Sequence[Post]) -> None:
        referenced = world.posts.by_ids([id for post in shown for id in (post.in_reply_to, post.quoted) if id], "x")
        self.posts = {post.id: post for post in shown} | referenced
        authors = {post.author_id for post in self.posts.values()}
        self.named = world.people.by_handle(handle for post in self.posts.values() for handle in handles(post.shown))
        self.people = world.people.several("x", authors) | {person.id: person for person in self.named.values()}
        self.versions = world.posts.versions(post.chain for post in self.posts.values())

    def tweet(self, post: Post, wanted: Wanted) -> dict[str, Any]:
        full: dict[str, Any] = {
            "id": post.id,
            "text": as_served(post.shown),
            "edit_history_tweet_ids": self.versions[post.chain],
            "attachments": {"media_keys": media_keys(post)} if post.media else None,
            "author_id": post.author_id,
            "conversation_id": post.root,
            "created_at": millis(post.posted_at),
            "display_text_range": [len(post.prefix), len(as_served(post.shown))],
            "edit_controls": self._edit_controls(post),
            "entities": entities(post.shown, self.named),
            "in_reply_to_user_id": self._answered_author(post),
            "lang": guessed_language(post.text),
            "possibly_sensitive": False,
            "referenced_tweets": self._referenced(post),
            "reply_settings": "everyone",
            "public_metrics": {
                "retweet_count": 0,
                "reply_count": 0,
                "like_count": 0,
                "quote_count": 0,
                "bookmark_count": 0,
                "impression_count": 1,
            },
        }
        shown = wanted.tweet_fields | {"id", "text", "edit_history_tweet_ids"} | _brought_along(wanted.expansions)
        return {name: value for name, value in full.items() if name in shown and value not in (None, [], {})}

    def _edit_controls(self, post: Post) -> dict[str, Any]:
        until = when(int(post.chain)) + EDIT_WINDOW
        return {
            "edits_remaining": max(MOST_EDITS + 1 - len(self.versions[post.chain]), 0),
            "is_edit_eligible": post.in_reply_to is None,
            "editable_until": millis(until),
        }

    def _answered_author(self, post: Post) -> str | None:
        answered = self.posts.get(post.in_reply_to or "")
        return None if answered is None else answered.author_id

    def _referenced(self, post: Post) -> list[dict[str, str]]:
        pairs = (("replied_to", post.in_reply_to), ("quoted", post.quoted))
        return [{"type": kind, "id": id} for kind, id in pairs if id]

    def user(self, person: Person, wanted: Wanted) -> dict[str, Any]:
        full: dict[str, Any] = {
            "id": person.id,
            "name": person.name,
            "username": person.handle,
            "created_at": millis(person.joined_at),
            "description": "Official account of the city. Not monitored at all hours." if person.city else "",
            "protected": False,
            "verified": person.city,
            "verified_type": "government" if person.city else "none",
            "public_metrics": {
                "followers_count": 0,
                "following_count": 0,
                "tweet_count": 0,
                "listed_count": 0,
                "like_count": 0,
            },
        }
        shown = wanted.user_fields | {"id", "name", "username"}
        return {name: value for name, value in full.items() if name in shown}

    def includes(self, shown: Sequence[Post], wanted: Wanted) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What the expansions bring, and a partial error for each post they name that is gone."""
        referenced, errors = self._included_tweets(shown, wanted.expansions)
        people = dict.fromkeys(self._included_people(shown, referenced, wanted.expansions))
        found = {
            "users": [self.user(self.people[id], wanted) for id in people if id in self.people],
            "tweets": [self.tweet(post, wanted) for post in referenced],
            "media": _included_media(shown, referenced, wanted),
        }
        return {kind: items for kind, items in found.items() if items}, errors

    def _included_tweets(
        self, shown: Sequence[Post], expansions: frozenset[str]
    ) -> tuple[list[Post], list[dict[str, Any]]]:
        if not {"referenced_tweets.id", "referenced_tweets.id.author_id"} & expansions:
            return [], []
        ids = dict.fromkeys(entry["id"] for post in shown for entry in self._referenced(post))
        errors = [not_found("tweet", "referenced_tweets.id", id) for id in ids if id not in self.posts]
        return [self.posts[id] for id in ids if id in self.posts], errors

    def _included_people(
        self, shown: Sequence[Post], referenced: Sequence[Post], expansions: frozenset[str]
    ) -> Iterable[str]:
        for post in shown:
            if "author_id" in expansions:
                yield post.author_id
            if "in_reply_to_user_id" in expansions and (answered := self._answered_author(post)):
                yield answered
            if "entities.mentions.username" in expansions:
                yield from (self.named[name.lower()].id for name in handles(post.shown) if name.lower() in self.named)
        if "referenced_tweets.id.author_id" in expansions:
            yield from (post.author_id for post in referenced)


def media_keys(post: Post) -> list[str]:
    """As X makes them: the kind of media, and a number of its own."""
    return [f"{3 if one.kind == 'photo' else 7}_{post.number + at}" for at, one in enumerate(post.media)]


def _included_media(shown: Sequence[Post], referenced: Sequence[Post], wanted: Wanted) -> list[dict[str, Any]]:
    of: dict[str, Sequence[Post]] = {
        "attachments.media_keys": shown,
        "referenced_tweets.id.attachments.media_keys": referenced,
    }
    posts = [post for expansion, group in of.items() if expansion in wanted.expansions for post in group]
    found = {key: _media(key, one) for post in posts for key, one in zip(media_keys(post), post.media, strict=True)}
    always = {"media_key", "type"}
    return [
        {name: value for name, value in one.items() if value and name in wanted.media_fields | always}
        for one in found.values()
    ]


def _media(key: str, one: Media) -> dict[str, str]:
    """A photo has its address, a film only that of its first picture."""
    address = "url" if one.kind == "photo" else "preview_image_url"
    return {"media_key": key, "type": one.kind, address: one.url, "alt_text": one.alt}


def _brought_along(expansions: frozenset[str]) -> frozenset[str]:
    """An expansion shows the field it expands."""
    fields = {
        "author_id": "author_id",
        "attachments.media_keys": "attachments",
        "in_reply_to_user_id": "in_reply_to_user_id",
        "referenced_tweets.id": "referenced_tweets",
        "referenced_tweets.id.author_id": "referenced_tweets",
        "entities.mentions.username": "entities",
    }
    return frozenset(fields[name] for name in expansions if name in fields)
