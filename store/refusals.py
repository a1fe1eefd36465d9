"""Why a decision was not taken: each says what a person can do about it."""

from errors import HarkenError


class Missing(HarkenError):
    """There is no such thing (404)."""


class Conflict(HarkenError):
    """Somebody or something was quicker (409). ``draft_id``: what stands now."""

    def __init__(self, message: str, *, code: str, draft_id: int | None = None) -> None:
        super().__init__(message)
        self.code = code  #: stale, moved_on, edited, decided, kill_switch
        self.draft_id = draft_id


class Forbidden(HarkenError):
    """The role, the grant or the two-person rule does not allow it (403)."""


class Invalid(HarkenError):
    """A value can't be taken (422)."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field
