"""Every write the network and the CRM accepted through their own APIs, in order: what tests count."""

from dataclasses import dataclass

from sandbox.clock import Clock, from_milliseconds, milliseconds, rfc3339
from sandbox.state import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    platform: str  #: x, facebook or open311
    kind: str  #: reply, private_reply, post, delete, edit or request
    id: str
    in_reply_to: str | None = None
    text: str | None = None
    key: str | None = None  #: the caller's own record key, where it sent one
    author: str | None = None


class Effects:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def note(self, effect: Effect) -> None:
        self._database.run(
            "INSERT INTO effect (at, platform, kind, id, in_reply_to, text, key, author)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                milliseconds(self._clock.now()),
                effect.platform,
                effect.kind,
                effect.id,
                effect.in_reply_to,
                effect.text,
                effect.key,
                effect.author,
            ),
        )

    def listed(self, platform: str | None, kind: str | None) -> list[dict[str, object]]:
        rows = self._database.rows(
            "SELECT * FROM effect WHERE (? IS NULL OR platform = ?) AND (? IS NULL OR kind = ?) ORDER BY seq",
            (platform, platform, kind, kind),
        )
        return [{**dict(row), "at": rfc3339(from_milliseconds(row["at"]))} for row in rows]

    def said_lately(self, platform: str, author: str, text: str, *, within_seconds: int, to: str | None = None) -> bool:
        """Whether the account's API wrote the same words a while ago (``to`` that person), and they still stand."""
        since = milliseconds(self._clock.now()) - within_seconds * 1000
        found = self._database.row(
            "SELECT 1 FROM effect JOIN post ON post.id = effect.id WHERE effect.platform = ? AND author = ?"
            " AND effect.text = ? AND at >= ? AND kind IN ('post', 'reply') AND post.deleted_at IS NULL"
            " AND (? IS NULL OR ? = (SELECT above.author_id FROM post AS above WHERE above.id = effect.in_reply_to))",
            (platform, author, text, since, to, to),
        )
        return found is not None
