"""What a request may say: every key and parameter is named here, and any other is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _utc(value: Any) -> datetime:
    if isinstance(value, str) and RFC3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # no such day, or beyond the calendar
    raise ValueError("is no RFC 3339 time, like 2026-11-21T15:00:00Z")


def _storable(text: str) -> str:
    if "\x00" in text or any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise ValueError("holds a character that is none")
    return text


def number(text: str) -> int | None:
    """The number of a row that a page's address names; None: it names none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


Moment = Annotated[datetime, BeforeValidator(_utc, json_schema_input_type=str)]
Words = Annotated[str, AfterValidator(_storable)]
Reason = Annotated[Words, Field(min_length=1, max_length=1000, description="why; others will read it")]
ReplyText = Annotated[Words, Field(max_length=20_000)]
Name = Annotated[Words, Field(min_length=1, max_length=100)]
Id = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
Version = Annotated[int, Field(strict=True, ge=0, le=2**31, description="of the draft as you saw it")]


class Asked(BaseModel):
    """A body, or the parameters of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paged(Asked):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[Words, Field(max_length=500, description="`next` of the page before")] | None = None


class Because(Asked):
    """A reason."""

    reason: Reason
