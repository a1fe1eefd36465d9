"""Malformed payloads by the thousand, through the real client libraries over real HTTP, and into a real store.

``make malformed``, or ``python -m tests.bad_input.malformed [--count 10000] [--seed 7] [x|facebook …]``. Each payload
is a valid page that a seeded hand has spoilt: some of its items, or all of it. What must hold:

- nothing is raised but the errors that say what to do next (a crash is anything else);
- an item that nobody touched is heard and stored in the words it came in, whatever stands beside it;
- a page that could not be read at all is told as such, and heard whole when it is served as it should be.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from errors import AdapterError
from listeners import facebook, x
from listeners.base import Listener
from store import intake, migrate
from store.engine import Store, open_store
from store.tables import AccountRow, ContentRow, MentionRevisionRow, MentionRow
from tests.fixtures.playing import Answer, Stage, playing
from vocabulary import Page, Range

ITEMS = 6  #: of a page
WHOLE = 0.25  #: of the payloads are spoilt as a whole, the others in some of their items
BEGAN = datetime(2026, 11, 21, 8, tzinfo=UTC)
US, PAGE_ID = "2207129125", "102030405060708"
WITHIN = timedelta(days=36500)

#: What JSON can't say, or no parser makes of a Python value: put into the bytes where the mark stands.
RAW: dict[str, bytes] = {
    "bytes that are no text": b'"caf\xe9 \xff\xfe \xc3("',
    "half a surrogate, in bytes": b'"\xed\xa0\xbd"',
    "a number of 5,000 digits": b"9" * 5_000,
    "a number beyond all floats": b"1e99999",
    "nested 5,000 deep": b"[" * 5_000 + b"]" * 5_000,
    "objects nested 2,000 deep": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "not a number": b"NaN",
}
ODD: dict[str, Any] = {
    "null": None,
    "true": True,
    "a list": [1, None, {"deep": True}],
    "an object": {"value": {"value": 7}},
    "a text": "<html><body>502 Bad Gateway</body></html>",
    "nothing": "",
    "a huge number": 10**40,
    "a negative number": -1,
    "a NUL": "a\x00b",
    "half a surrogate": "\ud83d",
    "120,000 letters": "x" * 120_000,
    "the year 1, east of us": "0001-01-01T00:00:00+14:00",
    "the year 9999, west of us": "9999-12-31T23:59:59-12:00",
    "a day that never was": "2026-02-30T25:61:00Z",
    "no zone": "2026-11-21T08:00:00",
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One platform: its pages, and who reads them."""

    name: str
    item: Callable[[int], dict[str, Any]]
    words: str  #: the field of an item that holds its words
    page: Callable[[list[Any]], dict[str, Any]]
    listener: Callable[[str], Listener]
    source: str


def x_post(number: int) -> dict[str, Any]:
    post_id = str(1990000000000000000 + number)
    return {
        "id": post_id,
        "text": f"@alderfalls pothole {number} on Elm St",
        "author_id": "77",
        "conversation_id": post_id,
        "created_at": (BEGAN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "edit_history_tweet_ids": [post_id],
        "entities": {"mentions": [{"start": 0, "end": 11, "username": "alderfalls", "id": US}]},
        "referenced_tweets": [{"type": "quoted", "id": "1900000000000000001"}],
        "lang": "en",
    }


def x_page(items: list[Any]) -> dict[str, Any]:
    users = [{"id": "77", "name": "Jane Elm", "username": "jane_elm"}]
    return {"data": items, "includes": {"users": users}, "meta": {"result_count": len(items)}}


def x_listener(url: str) -> Listener:
    keys = {"handle": "alderfalls", "user_id": US, "base_url": url, "bearer_token": "none", "read_within": 60.0}
    return x.connect({"platform": "x", **keys})


def facebook_post(number: int) -> dict[str, Any]:
    return {
        "id": f"{PAGE_ID}_{number}",
        "message": f"Pothole {number} on Elm St",
        "created_time": (BEGAN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "from": {"id": "77", "name": "Jane Elm"},
        "permalink_url": f"/alderfalls/posts/{number}",
        "attachments": {"data": [{"type": "photo", "url": "https://www.facebook.com/photo/1"}]},
    }


def facebook_listener(url: str) -> Listener:
    keys = {"page_id": PAGE_ID, "page_access_token": "none", "base_url": url, "read_within": 60.0}
    return facebook.connect({"platform": "facebook", **keys})


KINDS = {
    "x": Kind(name="x", item=x_post, words="text", page=x_page, listener=x_listener, source="mentions"),
    "facebook": Kind(
        name="facebook",
        item=facebook_post,
        words="message",
        page=lambda items: {"data": items, "paging": {"cursors": {"before": "b", "after": "a"}}},
        listener=facebook_listener,
        source="feed",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Payload:
    """One spoilt answer, and the posts in it that nobody touched."""

    how: str
    answer: Answer
    good: dict[str, str]  #: post id to its words
    mended: Answer  #: the page as it should have been served
    whole: bool  #: spoilt as a whole: then it need not be read


def payloads(kind: Kind, seed: int, count: int) -> Iterator[Payload]:
    """So many, the same for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        items = [kind.item(number * ITEMS + place) for place in range(ITEMS)]
        mended = Answer(body=kind.page(items))
        if chance.random() < WHOLE:
            good = {item["id"]: item[kind.words] for item in items}
            how, answer = spoilt_whole(kind.page(items), chance)
            yield Payload(how=how, answer=answer, good=good, mended=mended, whole=True)
            continue
        ids = [item["id"] for item in items]
        touched = chance.sample(range(ITEMS), chance.choice([1, 1, 1, 2, 3]))
        good = {item["id"]: item[kind.words] for place, item in enumerate(items) if place not in touched}
        mended = Answer(body=kind.page([item for item in items if item["id"] in good]))
        said: list[str] = []
        raw: dict[str, bytes] = {}
        for place in touched:
            how, items[place], marks = spoilt(items[place], ids, chance)
            said.append(how)
            raw |= marks
        body = packed(kind.page(items), raw)
        yield Payload(how=", ".join(said), answer=Answer(body=body), good=good, mended=mended, whole=False)


def spoilt(item: dict[str, Any], ids: list[str], chance: random.Random) -> tuple[str, Any, dict[str, bytes]]:
    """An item with something wrong in it, at whatever depth."""
    whole = json.loads(json.dumps(item))
    if chance.random() < 0.1:
        name = chance.choice(sorted(ODD))
        return f"{name} for an item", ODD[name], {}
    if chance.random() < 0.1:
        whole["id"] = chance.choice(ids)
        return "another's id", whole, {}
    for _ in range(20):
        inside, key = where(whole, chance)
        if chance.random() < 0.25:
            if isinstance(inside, dict):
                del inside[key]
                return f"no {key}", whole, {}
            continue
        if chance.random() < 0.3:
            name = chance.choice(sorted(RAW))
            mark = f"@@{chance.getrandbits(64):016x}@@"
            inside[key] = mark
            return f"{name} for {key}", whole, {mark: RAW[name]}
        name = chance.choice(sorted(ODD))
        inside[key] = ODD[name]
        return f"{name} for {key}", whole, {}
    return "untouched after all", whole, {}


def where(item: Any, chance: random.Random) -> tuple[Any, Any]:
    """Any place in an item: what it stands in, and its key or number there."""
    places: list[tuple[Any, Any]] = []

    def look(inside: Any) -> None:
        pairs = list(inside.items()) if isinstance(inside, dict) else list(enumerate(inside))
        for key, value in pairs:
            places.append((inside, key))
            if isinstance(value, dict | list):
                look(value)

    look(item)
    return chance.choice(places)


def packed(page: dict[str, Any], raw: dict[str, bytes]) -> bytes:
    body = json.dumps(page).encode()
    for mark, value in raw.items():
        body = body.replace(f'"{mark}"'.encode(), value)
    return body


def spoilt_whole(page: dict[str, Any], chance: random.Random) -> tuple[str, Answer]:
    """An answer that is wrong from its first byte, or about itself."""
    body = json.dumps(page).encode()
    html = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
    part = chance.choice([name for name in page if name != "data"])
    odd = chance.choice(sorted(name for name, value in ODD.items() if not isinstance(value, list)))  # those are items
    ways: dict[str, Callable[[], Answer]] = {
        "cut off": lambda: Answer(body=body[: chance.randrange(len(body))]),
        "HTML": lambda: Answer(body=html, headers={"Content-Type": "text/html"}),
        "HTML that calls itself JSON": lambda: Answer(body=html),
        "an error page": lambda: Answer(body=html, status=502, headers={"Content-Type": "text/html"}),
        "nothing": lambda: Answer(body=b""),
        "UTF-16": lambda: Answer(body=json.dumps(page).encode("utf-16")),
        "a mark before it": lambda: Answer(body=b"\xef\xbb\xbf" + body),
        "Latin-1": lambda: Answer(body=json.dumps(page | {"é": "é"}, ensure_ascii=False).encode("latin-1")),
        "twice": lambda: Answer(body=body + body),
        "a list": lambda: Answer(body=json.dumps([page]).encode()),
        "nested without end": lambda: Answer(body=b'{"data":' + b"[" * 5_000),
        "random bytes": lambda: Answer(body=chance.randbytes(chance.randrange(1, 400))),
        f"{odd} for data": lambda: Answer(body=json.dumps(page | {"data": ODD[odd]}).encode()),
        f"{odd} for {part}": lambda: Answer(body=json.dumps(page | {part: ODD[odd]}).encode()),
        "a reset": lambda: Answer(reset=True),
    }
    how = chance.choice(list(ways))
    return how, ways[how]()


@dataclass
class Outcome:
    """What became of them."""

    payloads: int = 0
    errors: Counter[str] = field(default_factory=Counter)  #: told as they should be, by class
    crashes: list[str] = field(default_factory=list)
    good: int = 0
    lost: list[str] = field(default_factory=list)  #: good neighbours that were not heard and stored
    unreadable: int = 0

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count:,}" for name, count in self.errors.most_common())
        said = f"{self.payloads:,} payloads: {len(self.crashes)} crashes; {len(self.lost)} of {self.good:,} good"
        return f"{said} neighbours lost; {self.unreadable:,} items set aside; told: {told or 'nothing'}"


def run(kind: Kind, folder: Path, *, count: int, seed: int) -> Outcome:
    """Serve them one after the other, each to be heard and stored as a round would."""
    store = open_store(f"sqlite:///{folder / kind.name}.db")
    migrate.upgrade(store)
    with store.writing() as session:
        session.add(AccountRow(name="city", platform=kind.name))
    outcome = Outcome()
    nothing = Answer(body=kind.page([]))
    with playing(nothing) as stage:
        listener = kind.listener(stage.url)
        for payload in payloads(kind, seed, count):
            outcome.payloads += 1
            outcome.good += len(payload.good)
            answers = [payload.answer, nothing]
            try:
                failed = heard(listener, kind, store, stage, answers, outcome)
                if failed and payload.whole:
                    failed = heard(listener, kind, store, stage, [payload.mended, nothing], outcome)
                if failed:
                    outcome.lost += [f"{post_id}, beside {payload.how}: {failed}" for post_id in payload.good]
                    continue
            except Exception:  # noqa: BLE001  that is what is looked for
                outcome.crashes.append(f"{payload.how}\n{traceback.format_exc()}")
                continue
            with store.reading() as session:
                outcome.lost += [f"{post_id}, beside {payload.how}" for post_id in not_stored(session, payload)]
    store.close()
    return outcome


def heard(
    listener: Listener, kind: Kind, store: Store, stage: Stage, answers: list[Answer], outcome: Outcome
) -> AdapterError | None:
    """Walk what is served, and store each page; gives the error that ended it."""
    stage.answers = answers
    stage.asked.clear()
    wanted = Range(source=kind.source, since=BEGAN - timedelta(days=1))
    try:
        for page in listener.pages(wanted):
            outcome.unreadable += take(store, page)
    except AdapterError as err:
        outcome.errors[type(err).__name__] += 1
        return err
    return None


def take(store: Store, page: Page) -> int:
    with store.writing() as session:
        account = session.exec(select(AccountRow)).one()
        return intake.take_page(session, account, "walked", page, reply_within=WITHIN).unreadable


def not_stored(session: Session, payload: Payload) -> list[str]:
    """The good posts of a payload that the store has not, or not in their words."""
    wordings = (
        select(MentionRow.post_id, ContentRow.text)
        .join(MentionRevisionRow, col(MentionRevisionRow.mention_id) == col(MentionRow.id))
        .join(ContentRow, col(ContentRow.id) == col(MentionRevisionRow.content_id))
        .where(col(MentionRow.post_id).in_(payload.good))
    )
    stored = {(post_id, text) for post_id, text in session.exec(wordings)}
    return [post_id for post_id, text in payload.good.items() if (post_id, text) not in stored]


def main() -> None:
    """Run, and say what came of it; exit 1 if anything crashed or was lost."""
    asked = argparse.ArgumentParser(prog="make malformed", description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("platforms", nargs="*", choices=[[], *KINDS], default=[], help="all of them if none is named")
    asked.add_argument("--count", type=int, default=10_000)
    asked.add_argument("--seed", type=int, default=7)
    given = asked.parse_args()
    broken = False
    for name in given.platforms or KINDS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="harken-malformed-") as folder:
            outcome = run(KINDS[name], Path(folder), count=given.count, seed=given.seed)
        sys.stdout.write(f"{name}: {outcome}; {time.monotonic() - began:.0f} s\n")
        for one in (outcome.crashes + outcome.lost)[:5]:
            sys.stdout.write(f"  {one}\n")
        broken = broken or bool(outcome.crashes or outcome.lost)
    sys.exit(broken)


if __name__ == "__main__":
    main()
