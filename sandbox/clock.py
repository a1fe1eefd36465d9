"""The network's own clock, which tests may shift."""

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Real time plus a shift; never runs slower or faster, so rate windows and edit windows stay honest."""

    def __init__(self, shift: float = 0.0) -> None:
        self._lock = threading.Lock()
        self.shift = shift

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.shift, UTC)

    def move(self, seconds: float) -> None:
        with self._lock:
            self.shift += seconds

    def set_to(self, moment: datetime) -> None:
        with self._lock:
            self.shift = moment.timestamp() - time.time()


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def from_milliseconds(value: int) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed(text: str) -> datetime:
    """A moment written as RFC 3339.

    Raises:
        ValueError: not a date and time, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
