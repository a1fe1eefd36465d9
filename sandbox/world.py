"""Everything one sandbox is made of, built in one place and passed to the routes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from sandbox.clock import Clock, parsed
from sandbox.effects import Effects
from sandbox.faults import Faults
from sandbox.limits import Limits
from sandbox.messages import Messages
from sandbox.people import People, Person
from sandbox.posts import HANDLE, Media, Post, Posts
from sandbox.seed import Seed
from sandbox.state import Database
from sandbox.tickets import Tickets


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPost:
    """What the control or the page asks to be written."""

    platform: str
    author: str
    text: str
    in_reply_to: str | None = None
    quoted: str | None = None
    posted_at: str | None = None
    as_city: bool = False
    mention: bool | None = None  #: X: whether to name the city; None: only in a first post that quotes nothing
    tagged: bool = False
    page_id: str | None = None
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, kw_only=True)
class World:
    seed: Seed
    database: Database
    clock: Clock
    people: People
    posts: Posts
    messages: Messages
    tickets: Tickets
    effects: Effects
    faults: Faults
    limits: Limits

    @property
    def access(self) -> str:
        """X: ``standard`` (replies only to who engaged us) or ``exempt``."""
        return str(self.database.setting("access", "standard"))

    @property
    def repeats(self) -> str:
        """X: what counts as duplicate content: ``any`` same words, or only those to the same ``person``."""
        return str(self.database.setting("repeats", "any"))

    def author_of(self, wanted: NewPost) -> Person:
        if not wanted.as_city:
            return self.people.resident(wanted.platform, wanted.author)
        named = self.people.called(wanted.platform, wanted.author.lstrip("@")) if wanted.author else None
        return named if named is not None and named.city else self.people.city(wanted.platform)

    def write(self, wanted: NewPost) -> Post:
        """A post written on the platform itself, by a resident or by staff with their own hands.

        Raises:
            NotThere: what it answers or quotes is not there.
            ValueError: ``posted_at`` is no moment.
        """
        author = self.author_of(wanted)
        return self.posts.add(
            author,
            self._addressed(wanted, author),
            in_reply_to=wanted.in_reply_to,
            quoted=wanted.quoted,
            page_id=wanted.page_id,
            tagged=wanted.tagged,
            posted_at=None if wanted.posted_at is None else parsed(wanted.posted_at),
            media=wanted.media,
        )

    def _addressed(self, wanted: NewPost, author: Person) -> str:
        naming = wanted.mention
        if naming is None:
            naming = wanted.in_reply_to is None and wanted.quoted is None
        return wanted.text if wanted.platform != "x" or author.city or not naming else self._named(wanted.text)

    def _named(self, text: str) -> str:
        city = self.people.city("x").handle
        return text if city.lower() in {handle.lower() for handle in HANDLE.findall(text)} else f"@{city} {text}"

    def edit(self, id: str, text: str, *, mention: bool | None = None) -> Post:
        """A resident's edit; on X it goes on naming the city if it did.

        Raises:
            NotThere: it is not there.
        """
        old = self.posts.newest(id)
        if mention is None:
            mention = old.text == self._named(old.text)
        plain = old.platform != "x" or self.people.find("x", old.author_id).city or not mention
        return self.posts.edit(id, text if plain else self._named(text))

    def begin(self) -> None:
        """Fills a new network from the seed; one that was there before only gets the city's accounts again."""
        with self.database.transaction():
            self.people.settle()
            if not self.database.setting("begun", False):
                for row in self.seed.posts:
                    self.write(NewPost(**row))
                self.database.keep("begun", True)

    def start_over(self) -> None:
        with self.database.transaction():
            self.database.empty()
            self.faults.clear()
            self.limits.switch(False, {})
            self.clock.move(-self.clock.shift)
            self.begin()


def build_world(state: Path | None, seed: Seed) -> World:
    database = Database(state)
    clock = Clock(database.setting("clock_shift", 0.0))
    people = People(database, clock, seed)
    world = World(
        seed=seed,
        database=database,
        clock=clock,
        people=people,
        posts=Posts(database, clock, people, seed.pages[0].id if seed.pages else ""),
        messages=Messages(database, clock),
        tickets=Tickets(database, clock),
        effects=Effects(database, clock),
        faults=Faults(),
        limits=Limits(clock),
    )
    world.begin()
    return world


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


async def body_of(request: Request) -> bytes:
    return await request.body()


WorldDep = Annotated[World, Depends(world_of)]
BodyDep = Annotated[bytes, Depends(body_of)]
