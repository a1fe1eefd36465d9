"""Residents and staff: who posts, edits, deletes, answers by hand, approves, and pulls the switch."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, func, select

from errors import HarkenError
from pipeline.deployment import Deployment, account_row
from pipeline.listen import listen
from sandbox.running import Control, Refused
from store import intake, people
from store.tables import (
    AttentionRow,
    ContentRow,
    DraftRow,
    MentionRevisionRow,
    MentionRow,
    ReplyRow,
    TicketRow,
    WorkRow,
)
from store.types import now
from tests.deployments import X
from vocabulary import Mention, Page, Range

A_BATCH = 50  #: posts at once
AHEAD = 300  #: posts at most that wait for anything: X keeps no more than 800 for one who is late
DRILL = 2.0  #: seconds for which all sending is stopped
AT_ONCE = 50  #: the same page, from so many at the same moment
#: Work that is to be done now; the sweeps for doubles come ten minutes and a day after the reply.
MOVES = (col(WorkRow.state).in_(("ready", "leased")), WorkRow.kind != "sweep")
TROUBLES: tuple[type[Exception], ...] = (httpx.HTTPError, Refused, OSError, SQLAlchemyError, HarkenError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is done in a run."""

    kills: int
    mentions: int
    replies: int
    tickets: int  #: of the replies, so many with one

    @classmethod
    def of(cls, kills: int) -> Size:
        """As for the full run: 2,000 kills over 20,000 mentions, 1,000 replies, 300 tickets."""
        return cls(kills=kills, mentions=10 * kills, replies=max(4, kills // 2), tickets=max(2, kills * 3 // 20))

    @property
    def often(self) -> tuple[float, ...]:
        """When what is rare happens, as shares of a run; in a short one it happens once."""
        return (0.2, 0.5, 0.8) if self.kills >= 50 else (0.5,)

    def kind(self, number: int) -> str:
        """What the ``number``-th post is: a fifth more are worth an answer than are approved."""
        if number % max(2, int(self.mentions / self.tickets / 1.2)) == 1:
            return "ticket"
        return "reply" if number % max(2, int(self.mentions / (self.replies - self.tickets) / 1.2)) == 0 else "other"


@dataclass(kw_only=True)
class Approved:
    """What a person said yes to, as the API told it."""

    draft_id: str
    mention_id: int
    post_id: str
    text: str
    reference: str | None
    ticket: bool


@dataclass(kw_only=True)
class Noted:
    """What a run remembers, also over its end; effects are counted elsewhere."""

    fed: int = 0
    approved: dict[str, Approved] = field(default_factory=dict)  #: draft -> what was approved
    deleted: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    moved_on: list[str] = field(default_factory=list)
    switches: list[dict[str, int]] = field(default_factory=list)
    same_page: int = 0
    tried_again: int = 0  #: what was given up on, by staff
    troubles: dict[str, int] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)  #: what is done once in a run, and was


class Town:
    """Lives in a thread of its own; ``pace`` says how far the run is, from 0 to 1."""

    def __init__(self, city: Deployment, ctl: Control, api: str, size: Size, seed: int, noted: Noted) -> None:
        self._city, self._ctl, self._size, self._seed, self.noted = city, ctl, size, seed, noted
        self._api = httpx.Client(base_url=f"{api}/api/v1", timeout=10)
        self._token = self._make_token()
        self._x = ctl.call("GET", "/accounts")["x"][0]["handle"]
        self.progress = 0.0
        self.workers = 1
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name="town", daemon=True)
        self.unheard = 0  #: posts
        self.backlog = 0  #: these, and whatever waits to be done

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        self._api.close()

    def _make_token(self) -> str:
        name = f"chaos-{int(time.time() * 1000)}"
        with self._city.store.writing() as session:
            return people.create_token(session, name, "approver", by="test")

    # as staff

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One call of the API.

        Raises:
            httpx.HTTPError: nobody answers.
        """
        return self._api.request(method, path, json=body, headers={"Authorization": f"Bearer {self._token}"})

    def _live(self) -> None:
        while not self._ending.is_set():
            for act in (self._post, self._approve, self._now_and_then):
                try:
                    act()
                except TROUBLES as err:  # what fails for them fails for people too: they try again
                    name = type(err).__name__
                    self.noted.troubles[name] = self.noted.troubles.get(name, 0) + 1
            self._ending.wait(0.1)

    def _due(self, whole: int) -> int:
        return min(whole, int(whole * min(1.0, self.progress * 1.1)) + max(2, whole // 50))

    # as residents

    def _post(self) -> None:
        with self._city.store.reading() as session:
            heard = session.exec(select(func.count()).select_from(MentionRow)).one()
            waiting = session.exec(select(func.count()).select_from(WorkRow).where(*MOVES)).one()
        self.unheard = max(0, self.noted.fed - heard)
        self.backlog = self.unheard + waiting
        until = min(self._due(self._size.mentions), self.noted.fed + A_BATCH, self.noted.fed + AHEAD - self.backlog)
        if until > self.noted.fed:
            self._ctl.load([self._written(number) for number in range(self.noted.fed + 1, until + 1)])
            self.noted.fed = until

    def _written(self, number: int) -> dict[str, Any]:
        text = {
            "ticket": f"There is a huge pothole at {100 + number % 2800} Oak Street, my tire is gone. No. {number}",
            "reply": f"I was wondering when the park opens on Sunday? No. {number}",
            "other": f"What a lovely day in town! No. {number}",
        }[self._size.kind(number)]
        return {"platform": "facebook" if number % 4 == 3 else "x", "author": f"resident{number}", "text": text}

    # as staff

    def _approve(self) -> None:
        left = self._left()
        for draft, mention, text in self._waiting() if any(count > 0 for count in left.values()) else ():
            kind = "ticket" if "pothole" in text else "reply"
            if left[kind] > 0 and not self._ending.is_set():
                left[kind] -= self._decide(draft, mention, kind, author=f"resident{text.rpartition(' ')[2]}")

    def _left(self) -> dict[str, int]:
        """How many are to be approved by now, and are not."""
        approved = list(self.noted.approved.values())
        tickets = sum(one.ticket for one in approved)
        replies = self._size.replies - self._size.tickets
        return {
            "ticket": self._due(self._size.tickets) - tickets,
            "reply": self._due(replies) - len(approved) + tickets,
        }

    def _waiting(self) -> list[tuple[DraftRow, MentionRow, str]]:
        words = col(ContentRow.text)
        query = (
            select(DraftRow, MentionRow, words)
            .join(MentionRow, col(MentionRow.id) == col(DraftRow.mention_id))
            .join(ContentRow, col(ContentRow.id) == col(MentionRow.content_id))
            .where(DraftRow.state == "pending", words.like("%pothole%") | words.like("%wondering%"))
            .order_by(col(DraftRow.id))
            .limit(20)
        )
        with self._city.store.reading() as session:
            return [(draft, mention, text or "") for draft, mention, text in session.exec(query)]

    def _decide(self, draft: DraftRow, mention: MentionRow, kind: str, *, author: str) -> int:
        """Approve it, with something that goes wrong around it now and then; gives 1 if the API said that it is."""
        dice = random.Random(f"{self._seed}:decide:{draft.id}")
        before, after = dice.random(), dice.random()
        if before < 0.04:
            self._answer_by_hand(mention)
        body: dict[str, Any] = {"version": draft.version}
        if kind == "reply":
            body["text"] = f"Thank you for asking: our parks open at 6 every day. ({draft.id})"
        answer = self.ask("POST", f"/drafts/{draft.id}/approve", body)
        if answer.status_code not in (200, 409):
            raise httpx.HTTPError(f"HTTP {answer.status_code}")
        told = answer.json() if answer.status_code == 200 else answer.json().get("draft")
        if told is None or not told["approvals"]:
            return 0  # it changed meanwhile: look again
        self._note(told, mention, kind)
        self._stir(mention, after, author)
        return 1

    def _note(self, told: dict[str, Any], mention: MentionRow, kind: str) -> None:
        self.noted.approved[told["id"]] = Approved(
            draft_id=told["id"],
            mention_id=mention.id,
            post_id=mention.post_id,
            text=told["text"],
            reference=told["reference"],
            ticket=kind == "ticket" and told["request"] is not None,
        )

    def _stir(self, mention: MentionRow, dice: float, author: str) -> None:
        if dice < 0.04:
            self._answer_by_hand(mention)
        elif dice < 0.07:
            self._ctl.delete(mention.current_post_id)
            self.noted.deleted.append(mention.post_id)
        elif dice < 0.10:
            self._ctl.edit(mention.current_post_id, f"Never mind the park, I was wondering about something else {dice}")
            self.noted.edited.append(mention.post_id)
        elif dice < 0.13 and mention.platform == "x":
            self._ctl.post("and one thing more, lovely people", author=author, in_reply_to=mention.current_post_id)
            self.noted.moved_on.append(mention.post_id)

    def _answer_by_hand(self, mention: MentionRow) -> None:
        answer = {"platform": mention.platform, "author": "", "as": "city", "text": "Done by hand, thank you"}
        self._ctl.load([{**answer, "in_reply_to": mention.current_post_id}])
        self.noted.by_hand.append(mention.post_id)

    # once or thrice in a run

    def _now_and_then(self) -> None:
        for name, share, act in self._rare():
            if self.progress >= share and name not in self.noted.marks:
                act()
                self.noted.marks.append(name)

    def _rare(self) -> Iterator[tuple[str, float, Callable[[], object]]]:
        """Each thing's name, after what share of the run it happens, and itself."""
        for share in self._size.often:
            yield f"switch {share}", share, self._pull_the_switch
            yield f"same page {share}", share - 0.1, self._same_page_at_once
            yield f"clock {share}", share, lambda: self._ctl.clock(shift=600.0)
            yield f"clock back {share}", share + 0.1, lambda: self._ctl.clock(shift=-20.0)

    def _pull_the_switch(self) -> None:
        """Stop all sending while replies wait; what still goes out was in flight."""
        self._switch(on=True)
        before = len(self._ctl.effects())
        self._ending.wait(DRILL)
        went_out = len(self._ctl.effects()) - before
        self.noted.switches.append({"in_flight": went_out, "workers": self.workers})
        self._switch(on=False)

    def _switch(self, *, on: bool) -> None:
        while not self._ending.is_set():
            try:
                if self.ask("PUT", "/kill-switch", {"scope": "all", "on": on, "reason": "drill"}).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            self._ending.wait(0.1)

    def _same_page_at_once(self) -> None:
        """Fresh posts on one page, taken in by many at the same moment, while the workers poll too."""
        fresh = self._ctl.load([{"platform": "x", "author": f"many{i}", "text": f"lovely {now()}"} for i in range(5)])
        wanted = Range(source="mentions", since=now() - timedelta(minutes=30))
        page = next(iter(self._city.listener(X).pages(wanted)))
        found = tuple(mention for mention in page.mentions if mention.post_id in fresh)
        start = threading.Barrier(AT_ONCE)
        takers = [threading.Thread(target=self._take, args=(found, start)) for _ in range(AT_ONCE)]
        for one in takers:
            one.start()
        for one in takers:
            one.join()
        listen(self._city, X)
        self.noted.same_page += len(found)

    def _take(self, found: tuple[Mention, ...], start: threading.Barrier) -> None:
        start.wait()
        try:
            with self._city.store.writing() as session:
                row = account_row(session, X)
                intake.take_page(session, row, "mentions", Page(mentions=found), reply_within=timedelta(days=2))
        except SQLAlchemyError as err:
            name = f"same page: {type(err).__name__}"
            self.noted.troubles[name] = self.noted.troubles.get(name, 0) + 1

    # at the end

    def tidy_up(self) -> bool:
        """What was given up on is tried again, once, as staff would; gives whether there was any."""
        with self._city.store.reading() as session:
            rows = list(session.exec(select(AttentionRow).where(col(AttentionRow.closed_at).is_(None))))
        before = len(self.noted.marks)
        for row in rows:
            if row.kind == "work":
                self._again(f"/attention/{row.id}/replay")
            elif row.kind == "draft":
                self._again(f"/drafts/{row.ref}/retry")
        return len(self.noted.marks) > before

    def _again(self, path: str) -> None:
        if path not in self.noted.marks:
            answer = self.ask("POST", path)
            self.noted.marks.append(path)
            self.noted.tried_again += answer.status_code == 200

    def unfinished(self) -> dict[str, int]:
        """What still moves."""
        with self._city.store.reading() as session:
            moving = dict(_counted(session))
        left = self._left()
        waiting = {"ticket" if "pothole" in text else "reply" for _, _, text in self._waiting()}
        to_come = {f"{kind} to approve": left[kind] for kind in waiting if left[kind] > 0}
        if rare := sum(name not in self.noted.marks for name, _, _ in self._rare()):
            to_come["things to befall it"] = rare
        return moving | to_come

    def not_heard(self) -> list[str]:
        """The ids of posts that stand at the sandbox, and are nowhere in the store."""
        with self._city.store.reading() as session:
            return lost(session, self._ctl)[0]


def lost(session: Session, ctl: Control) -> tuple[list[str], int]:
    """The ids of residents' posts that stand at the sandbox and were never stored; and how many stand there."""
    ours = {one["id"] for part in ctl.call("GET", "/accounts").values() for one in part}
    there = [
        one["id"]
        for one in ctl.posts(limit=100_000)
        if not one["by_city"] and one["author_id"] not in ours and not one["author"].startswith("naive")
    ]
    heard = set(session.exec(select(MentionRevisionRow.post_id)))
    return [post for post in there if post not in heard], len(there)


def _counted(session: Session) -> Iterator[tuple[str, int]]:
    moving = ("approved", "sending", "in_doubt")
    for name, query in (
        ("work", select(func.count()).select_from(WorkRow).where(*MOVES)),
        ("replies", select(func.count()).select_from(ReplyRow).where(col(ReplyRow.state).in_(moving))),
        (
            "tickets",
            select(func.count()).select_from(TicketRow).where(col(TicketRow.state).in_(("pending", *moving[1:]))),
        ),
    ):
        if count := session.exec(query).one():
            yield name, count


def kept(noted: Noted) -> dict[str, Any]:
    """As JSON; the town may go on meanwhile."""
    copied: dict[str, Any] = {
        name: value.copy() if isinstance(value, dict | list) else value for name, value in vars(noted).items()
    }
    return {**copied, "approved": {key: asdict(one) for key, one in copied["approved"].items()}}


def remembered(kept: dict[str, Any]) -> Noted:
    """From JSON."""
    noted = Noted(**kept)
    return replace(noted, approved={key: Approved(**one) for key, one in kept["approved"].items()})
