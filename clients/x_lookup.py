"""Posts of X by their ids, each in its latest version.

Source: docs.x.com/x-api/posts/lookup (read 2026-11): up to 100 ids a call, each version of an edited post has an id of
its own, and what is gone stands among ``errors`` of a 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tweepy

from clients import x, x_posts
from errors import Unavailable
from vocabulary import HeardHow, Mention, Unreadable

AT_ONCE = 100  #: ids a call
#: Deleted; suspended or made private. X wants all of these forgotten.
GONE = ("resource-not-found", "not-authorized-for-resource", "resource-unavailable", "disallowed-resource")


def look_up(client: tweepy.Client, account: x.Account, us: x_posts.Us, ids: Sequence[str]) -> dict[str, Mention | None]:
    """Each post as it reads now, None where X shows it no longer; missing where X gave no readable answer.

    Raises:
        AdapterError: of the kind that says what to do next.
    """
    found, newest = _by_id(client, account, us, ids)
    later = [newest[i] for i in newest if newest[i] not in found]
    if later:
        found |= _by_id(client, account, us, later)[0]
    return {i: found.get(newest.get(i, i)) or found[i] for i in ids if i in found}


def _by_id(
    client: tweepy.Client, account: x.Account, us: x_posts.Us, ids: Sequence[str]
) -> tuple[dict[str, Mention | None], dict[str, str]]:
    """What X says of exactly these ids, and the id of the latest version of each."""
    found: dict[str, Mention | None] = {i: None for i in ids if not x_posts.is_id(i)}  # one such spoils the whole call
    newest: dict[str, str] = {}
    askable = [i for i in dict.fromkeys(ids) if x_posts.is_id(i)]
    for start in range(0, len(askable), AT_ONCE):
        asked = askable[start : start + AT_ONCE]
        with x.translated():
            body = x.body_of(client.get_tweets(asked, user_auth=account.reads_as_user, **x_posts.FIELDS))
        reading = x_posts.Reading.of(body, us)
        found |= {i: None for i in gone(body) if i in asked}
        for post, item in posts(body):
            if isinstance(post, x_posts.Post):
                found[post.id] = reading.mention(post, item, HeardHow.SEARCH)
                newest[post.id] = post.newest_id
    return found, newest


def posts(body: dict[str, Any]) -> Iterator[tuple[x_posts.Post | Unreadable, dict[str, Any]]]:
    """Each item of an answer, read, with the JSON it came from.

    Raises:
        Unavailable: there is no list of items though there is something; to take that for nothing would lose it.
    """
    meta, data = body.get("meta"), body.get("data")
    count = meta.get("result_count") if isinstance(meta, dict) else None
    if data is None and not (isinstance(count, int) and count > 0):
        return
    if not isinstance(data, list):
        raise Unavailable("X: data is no list of posts")
    for item in data:
        yield x_posts.read(item), item


def gone(body: dict[str, Any]) -> list[str]:
    """Ids of posts that a lookup names among its errors; those of posts they refer to stand there too."""
    errors = body.get("errors")
    listed = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    ours = [e for e in listed if str(e.get("type", "")).endswith(GONE) and e.get("parameter") in ("ids", "id")]
    return [str(e.get("resource_id") or e.get("value") or "") for e in ours]
