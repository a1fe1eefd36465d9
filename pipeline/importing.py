"""Back-filling from JSON Lines: what was said before Harken listened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from errors import ConfigError
from pipeline.deployment import Deployment, account_row
from store import intake
from store.types import now
from vocabulary import Author, HeardHow, Mention, Page

BATCH = 200


class _Author(BaseModel):
    handle: str = ""
    name: str = ""
    platform_user_id: str = Field(min_length=1)


class _Post(BaseModel):
    post_id: str = Field(min_length=1, coerce_numbers_to_str=True)
    author: _Author | None = None
    text: str
    posted_at: AwareDatetime
    url: str = ""
    in_reply_to: str | None = None


@dataclass(kw_only=True, slots=True)
class Imported:
    """What became of the lines of a file."""

    read: int = 0
    new: int = 0
    faults: list[str] = field(default_factory=list)


def import_file(
    deployment: Deployment, file: Path, *, platform: str, account: str, answerable: bool = False
) -> Imported:
    """Store the posts of a file; without ``answerable`` they count for trends and matching only.

    Raises:
        ConfigError: the file can't be read, or the account is not one of this platform's.
    """
    table = deployment.accounts().get(account)
    if table is None or table.platform != platform:
        known = ", ".join(f"{name} ({one.platform})" for name, one in deployment.accounts().items())
        raise ConfigError(f"--account {account} --platform {platform}: no such account; there is {known or 'none'}")
    outcome = Imported()
    lines = _lines(file, outcome)
    while batch := list(islice((_mention(line, number, platform, outcome) for number, line in lines), BATCH)):
        mentions = tuple(mention for mention in batch if mention is not None)
        with deployment.store.writing() as session:
            row = account_row(session, account)
            within = timedelta(days=36500) if answerable else table.reply_within
            page = Page(mentions=mentions)
            taken = intake.take_page(session, row, "import", page, reply_within=within, answerable=answerable)
        outcome.new += taken.new
    return outcome


def _lines(file: Path, outcome: Imported) -> Iterator[tuple[int, str]]:
    try:
        with file.open("rb") as opened:
            for number, raw in enumerate(opened, start=1):
                if not raw.strip():
                    continue
                outcome.read += 1
                try:
                    yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as err:
                    outcome.faults.append(f"line {number}: not UTF-8 at byte {err.start}")
    except OSError as err:
        raise ConfigError(f"{file}: can't be read: {err.strerror}") from err


def _mention(line: str, number: int, platform: str, outcome: Imported) -> Mention | None:
    try:
        given: Any = json.loads(line)
        if isinstance(given, dict) and "posted_at_days_ago" in given:
            given["posted_at"] = (now() - timedelta(days=float(given.pop("posted_at_days_ago")))).isoformat()
        post = _Post.model_validate(given)
    except (json.JSONDecodeError, ValidationError, TypeError, ValueError) as err:
        outcome.faults.append(f"line {number}: {_why(err)}")
        return None
    return Mention(
        platform=platform,
        post_id=post.post_id,
        conversation_key=post.in_reply_to or post.post_id,
        text=post.text,
        posted_at=_utc(post.posted_at),
        heard_how=HeardHow.IMPORT,
        author=Author(**post.author.model_dump()) if post.author else None,
        url=post.url,
        in_reply_to=post.in_reply_to,
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _why(err: Exception) -> str:
    if isinstance(err, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors())
    return f"not a JSON object: {err}"
