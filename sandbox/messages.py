"""What a Page wrote to people in private. A post or comment can be answered so once."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sandbox.clock import Clock, from_milliseconds, milliseconds
from sandbox.people import Person
from sandbox.posts import Post
from sandbox.state import Database, Row, marks


class AlreadyAnswered(ValueError):
    """This post or comment had its private reply."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    id: str
    page_id: str
    person_id: str
    about: str  #: the post or comment that it answers
    text: str
    at: datetime


class Messages:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, page: Person, about: Post, text: str) -> Message:
        """The private reply to a post or comment.

        Raises:
            AlreadyAnswered: it had one.
        """
        with self._database.transaction():
            if self.about([about.id]):
                raise AlreadyAnswered(about.id)
            id = f"m_{secrets.token_urlsafe(24)}"
            now = milliseconds(self._clock.now())
            self._database.run(
                "INSERT INTO message (id, page_id, person_id, about, text, at) VALUES (?, ?, ?, ?, ?, ?)",
                (id, page.id, about.author_id, about.id, text, now),
            )
        return self.about([about.id])[about.id]

    def about(self, ids: Iterable[str]) -> dict[str, Message]:
        """The private replies to some posts, by the post."""
        wanted = list(set(ids))
        rows = self._database.rows(f"SELECT * FROM message WHERE about IN ({marks(wanted)})", wanted)
        return {row["about"]: _message(row) for row in rows}

    def of_page(self, page_id: str, person_id: str | None = None) -> dict[str, list[Message]]:
        """The conversations of a Page by person, the newest message first."""
        rows = self._database.rows(
            "SELECT * FROM message WHERE page_id = ? AND (? IS NULL OR person_id = ?) ORDER BY number DESC",
            (page_id, person_id, person_id),
        )
        found: dict[str, list[Message]] = {}
        for row in rows:
            found.setdefault(row["person_id"], []).append(_message(row))
        return found


def _message(row: Row) -> Message:
    return Message(
        id=row["id"],
        page_id=row["page_id"],
        person_id=row["person_id"],
        about=row["about"],
        text=row["text"],
        at=from_milliseconds(row["at"]),
    )
