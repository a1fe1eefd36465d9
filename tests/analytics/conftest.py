"""A store with two accounts, and a hand to put posts into it, all through the functions that the stages use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics import rollup
from pipeline.assess import keep_place
from store import intake, outbound
from store.engine import Store
from store.tables import AccountRow, AssessmentRow, CorrectionRow, MentionRow, PlaceRow
from vocabulary import Author, Edit, HeardHow, Mention, OwnPost, Page, Place


@dataclass
class Heard:
    """What the city heard, and what was made of it."""

    store: Store
    posts: int = 0

    def account(self, name: str) -> int:
        from sqlmodel import select

        with self.store.reading() as session:
            return session.exec(select(AccountRow.id).where(AccountRow.name == name)).one()

    def post(
        self,
        at: str | datetime,
        *,
        account: str = "city_x",
        post_id: str | None = None,
        assess: bool = True,
        **said: str | None,
    ) -> int:
        """A post, assessed as a classifier would; gives the mention's id."""
        self.posts += 1
        post_id = post_id or f"p{self.posts}"
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(at).astimezone(UTC)
        with self.store.writing() as session:
            row = session.get_one(AccountRow, self.account(account))
            mention = self._mention(row.platform, post_id, moment)
            taken = intake.take_page(session, row, "m", Page(mentions=(mention,)), reply_within=timedelta(days=2))
            known = intake.known(session, row.platform, post_id)
            assert known is not None
            mention_id = known.id
            assert taken.collected == 1
        if assess:
            self.assess(mention_id, **said)
        return mention_id

    @staticmethod
    def _mention(platform: str, post_id: str, moment: datetime, text: str = "The hole on Oak Street") -> Mention:
        return Mention(
            platform=platform,
            post_id=post_id,
            conversation_key=post_id,
            text=text,
            posted_at=moment,
            heard_how=HeardHow.MENTION,
            author=Author(platform_user_id="u1", handle="jordan"),
        )

    def assess(self, mention_id: int, **said: str | None) -> None:
        given: dict[str, Any] = {"intent": "report", "service_code": "pothole", "sentiment": "negative"} | said
        neighborhood = given.pop("neighborhood", None)
        with self.store.writing() as session:
            row = session.get_one(MentionRow, mention_id)
            self.posts += 1
            session.add(
                AssessmentRow(
                    mention_id=mention_id, rev=row.rev, model=f"m{self.posts}", urgency="normal", language="en", **given
                )
            )
            if neighborhood:
                place = Place(text="there", neighborhood=neighborhood)
                row.place_id = keep_place(session, place, row.content_id)
                session.add(row)

    def correct(self, mention_id: int, field: str, value: str | None) -> None:
        with self.store.writing() as session:
            session.add(CorrectionRow(mention_id=mention_id, field=field, value=value, by="ana@city.example"))

    def edit(self, mention_id: int, text: str) -> None:
        with self.store.writing() as session:
            row = session.get_one(MentionRow, mention_id)
            now_reads = self._mention(row.platform, row.current_post_id, row.posted_at, text)
            intake.revise(session, row.platform, Edit(post_id=row.post_id, mention=now_reads))

    def forget(self, mention_id: int) -> None:
        with self.store.writing() as session:
            row = session.get_one(MentionRow, mention_id)
            intake.forget(session, row.platform, row.post_id)

    def move(self, mention_id: int, neighborhood: str) -> None:
        """Staff rename the neighbourhood of the place that is held."""
        with self.store.writing() as session:
            row = session.get_one(MentionRow, mention_id)
            place = session.get_one(PlaceRow, row.place_id) if row.place_id else PlaceRow()
            place.neighborhood = neighborhood
            session.add(place)
            session.flush()
            row.place_id = place.id
            session.add(row)

    def own(self, mention_id: int) -> None:
        """It turns out that one of our own accounts wrote it."""
        with self.store.writing() as session:
            row = session.get_one(MentionRow, mention_id)
            account = session.get_one(AccountRow, self.account("city_x"))
            ours = OwnPost(
                platform=row.platform,
                post_id=row.post_id,
                conversation_key=row.post_id,
                text="We fixed it",
                posted_at=row.posted_at,
            )
            outbound.take(session, account, ours)

    def counted(self) -> None:
        """Until nothing is left to count."""
        while rollup.refresh(self.store):
            pass


@pytest.fixture
def heard(opened: Store) -> Heard:
    with opened.writing() as session:
        for name, platform in (("city_x", "x"), ("parks_x", "x"), ("city_fb", "facebook")):
            session.add(AccountRow(name=name, platform=platform))
    return Heard(opened)
