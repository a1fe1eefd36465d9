"""``/api/v1/trends``: how much of what, over time. Reads roll-ups, never scans mentions."""

from __future__ import annotations

from web import deps

router = deps.noun("trends")
