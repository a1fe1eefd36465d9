"""Who is on the network: the city's accounts, and residents, who join when they first speak."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sandbox.clock import Clock, from_milliseconds, milliseconds
from sandbox.seed import Seed
from sandbox.state import Database, Row, marks


class NotThere(LookupError):
    """No such post or person, or no longer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    platform: str
    id: str
    handle: str
    name: str
    hidden: bool  #: Facebook does not tell who this is
    city: bool  #: one of the city's own accounts
    joined_at: datetime


def x_handle(name: str) -> str:
    """A handle X would allow, for whatever name a person gave."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name.strip().lstrip("@")).strip("_")[:15] or "someone"


class People:
    def __init__(self, database: Database, clock: Clock, seed: Seed) -> None:
        self._database = database
        self._clock = clock
        self._seed = seed

    def settle(self) -> None:
        """Gives the city's accounts and the seed's people their places."""
        for account in self._seed.accounts:
            self._join("x", account.handle, account.name, id=account.id, city=True)
        for page in self._seed.pages:
            self._join("facebook", page.username, page.name, id=page.id, city=True)
        for row in self._seed.people:
            self._join(row["platform"], row["handle"], row.get("name", row["handle"]), hidden=bool(row.get("hidden")))

    def _join(
        self, platform: str, handle: str, name: str, *, id: str | None = None, city: bool = False, hidden: bool = False
    ) -> Person:
        if id is None:
            digest = hashlib.sha256(f"{platform}:{handle.lower()}".encode("utf-8", "surrogatepass")).digest()
            id = str(10**15 + int.from_bytes(digest[:8], "big") % 10**15)
        self._database.run(
            "INSERT INTO person VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (platform, id) DO UPDATE SET"
            " handle = excluded.handle, name = excluded.name, hidden = excluded.hidden, city = excluded.city",
            (platform, id, handle, name, hidden, city, milliseconds(self._clock.now())),
        )
        return self.find(platform, id)

    def find(self, platform: str, id: str) -> Person:
        row = self._database.row("SELECT * FROM person WHERE platform = ? AND id = ?", (platform, id))
        if row is None:
            raise NotThere(id)
        return _person(row)

    def called(self, platform: str, handle: str) -> Person | None:
        row = self._database.row("SELECT * FROM person WHERE platform = ? AND handle = ?", (platform, handle))
        return None if row is None else _person(row)

    def several(self, platform: str, ids: Iterable[str]) -> dict[str, Person]:
        wanted = list(set(ids))
        rows = self._database.rows(
            f"SELECT * FROM person WHERE platform = ? AND id IN ({marks(wanted)})", (platform, *wanted)
        )
        return {row["id"]: _person(row) for row in rows}

    def by_handle(self, handles: Iterable[str]) -> dict[str, Person]:
        """X's people by lower-case handle."""
        wanted = list({handle.lower() for handle in handles})
        rows = self._database.rows(f"SELECT * FROM person WHERE platform = 'x' AND handle IN ({marks(wanted)})", wanted)
        return {row["handle"].lower(): _person(row) for row in rows}

    def resident(self, platform: str, author: str) -> Person:
        """The resident of that name, who joins on first use; the id follows from the name alone."""
        handle = x_handle(author) if platform == "x" else author.strip()
        return self.called(platform, handle) or self._join(platform, handle, author.strip().lstrip("@"))

    def hide(self, person: Person) -> None:
        """From now on Facebook does not tell who this is."""
        self._database.run("UPDATE person SET hidden = 1 WHERE platform = ? AND id = ?", (person.platform, person.id))

    def city(self, platform: str) -> Person:
        return self.find(platform, (self._seed.accounts if platform == "x" else self._seed.pages)[0].id)


def _person(row: Row) -> Person:
    return Person(
        platform=row["platform"],
        id=row["id"],
        handle=row["handle"],
        name=row["name"],
        hidden=bool(row["hidden"]),
        city=bool(row["city"]),
        joined_at=from_milliseconds(row["joined_at"]),
    )
