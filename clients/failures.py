"""What a failed call means: rows that each client lays out for its platform, and the four that all have in common.

A row says what is concluded when the call was to change something (``wrote``) and when it only read (``read``). What
happens next goes by the class alone: ``pipeline/promises.py``. An answer that no row knows is doubt after a write.

Source: research of 2026-11 on what platforms answer though they did it (X's error 151, among others): an error is no
proof, so only what a platform can't have acted on counts as not done.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from errors import AdapterError, InDoubt, RateLimited, Refused, Unavailable

#: 4xx by which a server says that it did not take the request at all. Source: RFC 9110, section 15.5 (2022-06).
NOT_TAKEN = frozenset({400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 417, 422, 431})
OTHER_4XX = range(400, 500)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """One row; what is left out of it fits everything."""

    name: str  #: for people, and for the test that plays it
    statuses: Container[int] | None = None  #: of HTTP
    codes: Container[int | None] | None = None  #: the platform's own; ``None`` among them: there was none
    subcode: int | None = None
    words: tuple[str, ...] = ()  #: any of them in what was told, in small letters
    wrote: type[AdapterError]
    read: type[AdapterError] | None = None  #: None: the same
    hint: str = ""  #: for whoever reads the error

    def fits(self, status: int, code: int | None, subcode: int | None, told: str) -> bool:
        """Whether the row speaks of this answer."""
        return (
            (self.statuses is None or status in self.statuses)
            and (self.codes is None or _holds(self.codes, code))
            and (self.subcode is None or subcode == self.subcode)
            and (not self.words or any(word in told for word in self.words))
        )

    def error(self, told: str, *, write: bool, retry_at: Callable[[], datetime] | None = None) -> AdapterError:
        """The error that says what to do next; ``retry_at`` is asked where the row is about asking too often."""
        kind = self.wrote if write else self.read or self.wrote
        told += f" ({self.hint})" if self.hint else ""
        if issubclass(kind, RateLimited):
            assert retry_at is not None, f"{self.name}: a limit without its end"
            return kind(told, retry_at=retry_at())
        return kind(told)


def _holds(codes: Container[int | None], code: int | None) -> bool:
    """Whether a code is one of them. For what is no number, Python would look at every single one of a ``range``."""
    return code in codes if code is not None or not isinstance(codes, range) else False


NOT_REACHED = Failure(
    name="no connection: refused, unknown host, bad certificate, too slow to connect", wrote=Unavailable
)
NO_ANSWER = Failure(
    name="no whole answer: time-out, reset, cut off, too long or too slow", wrote=InDoubt, read=Unavailable
)
UNREADABLE = Failure(name="a success that can't be read", wrote=InDoubt, read=Unavailable)
NO_ID = Failure(name="a success without the id of what was made", wrote=InDoubt)
#: Whatever the platform.
COMMON = (NOT_REACHED, NO_ANSWER, UNREADABLE, NO_ID)

#: The end of every platform's rows: by the status alone.
BY_STATUS = (
    Failure(name="408", statuses={408}, wrote=InDoubt, read=Unavailable),
    Failure(name="a 4xx that says: not taken", statuses=NOT_TAKEN, wrote=Refused),
    Failure(name="any other 4xx", statuses=OTHER_4XX, wrote=InDoubt, read=Refused),
    Failure(name="5xx, a redirect, anything else", wrote=InDoubt, read=Unavailable),
)


def meaning(
    rows: Sequence[Failure], *, status: int, told: str, code: int | None = None, subcode: int | None = None
) -> Failure:
    """The first row that fits; the last of ``BY_STATUS`` fits everything."""
    small = told.casefold()
    return next(row for row in (*rows, *BY_STATUS) if row.fits(status, code, subcode, small))
