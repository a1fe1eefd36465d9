"""Where a list goes on: opaque to those who page, and no page changes because something new came in."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def encode(noun: str, *key: int | datetime | str) -> str:
    """A cursor behind the last item of a page."""
    parts = [noun, *(one.astimezone(UTC).isoformat() if isinstance(one, datetime) else one for one in key)]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(noun: str, cursor: str, shape: Sequence[type]) -> tuple[Any, ...]:
    """The key in a cursor of this list.

    Raises:
        ValueError: it is none, or another list's.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        said, *parts = json.loads(raw)
    except (binascii.Error, ValueError, TypeError, RecursionError) as err:
        raise ValueError("this is no cursor of ours") from err
    if said != noun or len(parts) != len(shape):
        raise ValueError("this cursor belongs to another list")
    return tuple(_part(part, kind) for part, kind in zip(parts, shape, strict=True))


def _part(part: object, kind: type) -> int | datetime | str:
    if kind is datetime and isinstance(part, str):
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    elif kind is int and isinstance(part, int) and 0 <= part < 2**63:
        return part
    if kind is str and isinstance(part, str):
        return part
    raise ValueError("this is no cursor of ours")
