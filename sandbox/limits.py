"""Rate windows, counted per endpoint and caller.

Off, nothing is refused and the headers tell a full window. On, X's figures of 2026 hold (xdevplatform/docs
rate-limits.mdx, read 2026-11; per 15 minutes unless said) and Graph's 200 calls an hour for each user of an app.
"""

import threading
from dataclasses import dataclass

from sandbox.clock import Clock

QUARTER = 900  #: seconds
#: endpoint -> (for an app-only token, for a user's token); None: that kind of token has no limit of its own there
X_LIMITS: dict[str, tuple[int | None, int | None]] = {
    "x.mentions": (450, 300),
    "x.search": (450, 300),
    "x.timeline": (10_000, 900),
    "x.lookup": (3_500, 5_000),
    "x.create": (None, 100),
    "x.delete": (None, 50),
    "x.quotes": (75, 75),
    "x.users": (300, 900),
    "x.me": (None, 75),
}
FACEBOOK_CALLS = 200
HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    limit: int
    remaining: int
    reset: int  #: seconds since 1970, by the network's clock
    exceeded: bool


class Limits:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[tuple[str, str, int], int] = {}
        self.on = False
        self.overrides: dict[str, int] = {}

    def switch(self, on: bool, overrides: dict[str, int]) -> None:
        with self._lock:
            self.on = on
            self.overrides = overrides
            self._used.clear()

    def count(self, endpoint: str, caller: str, default: int, *, seconds: int = QUARTER) -> Window:
        """One more call: what is left of the caller's window."""
        now = int(self._clock.now().timestamp())
        number = now // seconds
        limit = self.overrides.get(endpoint, default)
        reset = (number + 1) * seconds
        if not self.on:
            return Window(limit=limit, remaining=limit, reset=reset, exceeded=False)
        with self._lock:
            key = (endpoint, caller, number)
            used = self._used.get(key, 0)
            exceeded = used >= limit
            self._used[key] = used + (not exceeded)
            return Window(limit=limit, remaining=max(limit - self._used[key], 0), reset=reset, exceeded=exceeded)
