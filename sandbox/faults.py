"""The ways in which a platform can fail us, planned by tests: which calls, how, how often."""

import re
import threading
from dataclasses import dataclass, field
from typing import Any

#: refused before anything happens (unless ``after_effect``)
REFUSALS = (
    "429",
    "500",
    "502",
    "503",
    "dead_token",
    "permission",
    "blocked",
    "html",
    "error_list",
    "string_error",
    "json_500",
    "html_200",
    "list_200",
    "empty_200",
)
#: no answer at all
SILENCES = ("timeout", "reset")
#: a good answer, spoilt
SPOILT = (
    "cut_json",
    "missing_fields",
    "wrong_types",
    "unknown_fields",
    "numbers_as_strings",
    "ids_as_numbers",
    "shuffle",
    "repeat_pages",
)
KINDS = (*REFUSALS, *SILENCES, *SPOILT)
ALIASES = {"401": "dead_token", "403": "permission", "368": "blocked"}

_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", r"/2/users/[^/]+/mentions", "x.mentions"),
    ("GET", r"/2/users/[^/]+/tweets", "x.timeline"),
    ("GET", r"/2/tweets/search/recent", "x.search"),
    ("GET", r"/2/tweets/[^/]+/quote_tweets", "x.quotes"),
    ("GET", r"/2/tweets(/[^/]+)?", "x.lookup"),
    ("POST", r"/2/tweets", "x.create"),
    ("DELETE", r"/2/tweets/[^/]+", "x.delete"),
    ("GET", r"/2/users/.*", "x.users"),
    ("GET", r"/v\d+\.\d+/[^/]+/(feed|tagged|visitor_posts|posts|published_posts)", "facebook.feed"),
    ("GET", r"/v\d+\.\d+/[^/]+/comments", "facebook.comments"),
    ("POST", r"/v\d+\.\d+/[^/]+/(comments|feed)", "facebook.create"),
    ("POST", r"/v\d+\.\d+/[^/]+/messages", "facebook.message"),
    ("GET", r"/v\d+\.\d+/[^/]+/conversations", "facebook.conversations"),
    ("POST", r"/v\d+\.\d+/[^/]+", "facebook.edit"),
    ("DELETE", r"/v\d+\.\d+/[^/]+", "facebook.delete"),
    ("GET", r"/v\d+\.\d+(/.*)?", "facebook.lookup"),
    ("POST", r"/open311/v2/requests\..*", "open311.create"),
    ("GET", r"/open311/v2/requests\..*", "open311.requests"),
    ("GET", r"/open311/v2/requests/.*", "open311.status"),
    ("GET", r"/open311/v2/services.*", "open311.services"),
    ("GET", r"/open311/v2/tokens/.*", "open311.tokens"),
    ("GET", r"/open311/.*", "open311.discovery"),
)
TARGETS = ("*", "x", "facebook", "open311", *dict.fromkeys(target for _, _, target in _ROUTES))


def target_of(method: str, path: str) -> str | None:
    """Which of the platforms' calls this is; None for the page and the control, which never fail."""
    return next(
        (target for verb, pattern, target in _ROUTES if verb == method and re.fullmatch(pattern, path.rstrip("/"))),
        None,
    )


@dataclass(kw_only=True)
class Fault:
    target: str
    kind: str
    count: int = 1  #: how many calls it spoils; below 0: all until cleared
    after_effect: bool = False  #: a write takes effect and only its answer is broken
    seconds: float = 30.0  #: time-out: how long the connection is held
    with_reset: bool = True  #: 429: whether it says when to come back
    skip: int = 0  #: how many calls pass before the first

    def fits(self, target: str) -> bool:
        return self.target in ("*", target, target.partition(".")[0])


@dataclass
class Faults:
    _plan: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    last_data: dict[str, Any] = field(default_factory=dict)  #: target -> the list last served, for repeated pages
    cleared: int = 0  #: how often; a connection that was held before is let go

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._plan.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._plan.clear()
            self.last_data.clear()
            self.cleared += 1

    def planned(self) -> list[dict[str, Any]]:
        with self._lock:
            return [vars(fault).copy() for fault in self._plan]

    def next_for(self, target: str) -> Fault | None:
        """The fault this call meets, counted as met."""
        with self._lock:
            for fault in self._plan:
                if not fault.fits(target):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    return None
                if fault.count > 0:
                    fault.count -= 1
                    self._plan = [other for other in self._plan if other.count != 0]
                return fault
        return None
