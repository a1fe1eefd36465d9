"""What the benchmarks read: our own training posts, over and over, and mentions made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path

from store.types import now
from vocabulary import Author, HeardHow, Mention

TRAINING = Path(__file__).parents[2] / "classifiers" / "training"


def texts(count: int) -> list[str]:
    """So many posts, repeated once they run out."""
    own = [
        read["text"]
        for path in sorted(TRAINING.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "text" in (read := json.loads(line))  # of posts that are not ours to keep there are only the answers
    ]
    return list(islice(cycle(own), count))


def mentions(count: int, *, first_id: int = 1_000_000) -> Iterator[Mention]:
    """So many, of a third as many authors; every fourth is an answer in the thread of the one before."""
    moment = now()
    for number, text in enumerate(texts(count)):
        root = number - (number % 4 == 3)
        who = number % max(count // 3, 1)
        yield Mention(
            platform="x",
            post_id=str(first_id + number),
            conversation_key=str(first_id + root),
            in_reply_to=str(first_id + root) if root != number else None,
            text=text,
            posted_at=moment - timedelta(seconds=count - number),
            heard_how=HeardHow.MENTION,
            author=Author(platform_user_id=f"u{who}", handle=f"r{who}", name="A Resident"),
            url=f"https://x.com/r{who}/status/{first_id + number}",
            raw=json.dumps({"id": str(first_id + number), "text": text, "lang": "en"}).encode(),
        )
