"""Errors whose class says what happens next."""

from __future__ import annotations

from datetime import datetime


class HarkenError(Exception):
    """Something a person can be told in one line."""


class ConfigError(HarkenError):
    """The config or the call is wrong: names the file, the key, the value and the remedy."""


class AdapterError(HarkenError):
    """A platform or CRM did not do what we asked."""


class Unavailable(AdapterError):
    """It may work later: refused connection, 5xx on a read, time-out on a read. Retried with back-off."""


class RateLimited(Unavailable):
    """Asked too often. Not retried before ``retry_at`` (aware UTC)."""

    def __init__(self, message: str, *, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class Unauthorized(AdapterError):
    """Our token is refused. The account is paused and staff are told."""


class Refused(AdapterError):
    """This request will never work: deleted post, text too long. Staff must look."""


class NotInvited(Refused):
    """The platform allows no reply by program here: a person may answer by hand."""


class InDoubt(AdapterError):
    """It may have happened: a time-out, reset or 5xx after the first byte. Read back before anything else."""
