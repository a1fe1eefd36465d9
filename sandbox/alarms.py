"""What a city's alarms send to their recipient, kept to be read: apprise's ``json://`` posts title, message, type."""

import json
from typing import Any

from sandbox.clock import Clock, from_milliseconds, milliseconds, rfc3339
from sandbox.state import Database

MOST = 1000  #: kept; the oldest go
LARGEST = 64 * 1024  #: bytes


def keep(database: Database, clock: Clock, body: bytes) -> int:
    """One alarm; its number.

    Raises:
        ValueError: it is no JSON, or too large.
    """
    if len(body) > LARGEST:
        raise ValueError(f"an alarm may have {LARGEST} bytes at most")
    try:
        told = json.dumps(json.loads(body))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    with database.transaction():
        number = database.run("INSERT INTO alarm (at, body) VALUES (?, ?)", (milliseconds(clock.now()), told))
        database.run("DELETE FROM alarm WHERE seq <= ?", (number - MOST,))
    return number


def kept(database: Database) -> list[dict[str, Any]]:
    """Every alarm kept, oldest first: its number, when it came, what it said."""
    return [
        {"seq": row["seq"], "at": rfc3339(from_milliseconds(row["at"])), "body": json.loads(row["body"])}
        for row in database.rows("SELECT * FROM alarm ORDER BY seq")
    ]
