"""A city of its own for each test: a real store, the real application, real drafts; no platform is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import select
from starlette.testclient import TestClient

from pipeline import draft as drafting
from pipeline.deployment import Deployment, open_deployment
from store import intake, people
from store.tables import AccountRow, AssessmentRow, MentionRow, PlaceRow
from store.types import now
from vocabulary import Author, HeardHow, Mention, Page, Visibility
from web.app import create_app

DEMO = Path(__file__).parents[3] / "demo"
CONFIG = f"""
[city]
name = "Alder Falls"
reference_prefix = "AF"
time_zone = "America/Chicago"
languages = ["en", "es"]
services = "{DEMO / "services.csv"}"

[store]
url = "{{store_url}}"

[web]
public_url = "{{public_url}}"

[api]
service_approvals = {{service_approvals}}

[approval]
two_person = {{two_person}}

[accounts.city_hall_x]
platform = "x"
handle = "alderfalls"
base_url = "http://127.0.0.1:9"
sending = "armed"

[accounts.parks_x]
platform = "x"
handle = "alderfallsparks"
base_url = "http://127.0.0.1:9"
sending = "armed"
"""


@dataclass(kw_only=True)
class City:
    """A deployment, its API, and a hand to put things into it."""

    deployment: Deployment
    client: TestClient
    posts: int = 0

    def token(self, role: str, *, name: str | None = None, owner: str | None = None) -> str:
        with self.deployment.store.writing() as session:
            person = people.staff(session, owner) if owner else None
            return people.create_token(session, name or f"{role}-{self._next()}", role, by="test", owner=person)

    def person(self, email: str, role: str, *, account: str | None = None, department: str | None = None) -> None:
        with self.deployment.store.writing() as session:
            row = people.add_staff(session, email, by="test")
            people.grant(session, row, role, by="test", account=account, department=department)

    def ask(self, method: str, path: str, *, token: str, **more: Any) -> Response:
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        answer: Response = self.client.request(method, f"/api/v1{path}", headers=headers, **more)
        return answer

    def hear(
        self,
        text: str = "Huge pothole on 5th Ave, please fix it",
        *,
        account: str = "city_hall_x",
        visibility: Visibility = Visibility.PUBLIC,
        ago: timedelta = timedelta(minutes=5),
    ) -> str:
        """A post of a resident; gives the mention's id."""
        number = self._next()
        mention = Mention(
            platform="x",
            post_id=f"100{number}",
            conversation_key=f"100{number}",
            text=text,
            posted_at=now() - ago,
            heard_how=HeardHow.MENTION,
            author=Author(platform_user_id=f"7{number}", handle=f"resident{number}", name="A Resident"),
            url=f"https://x.com/resident{number}/status/100{number}",
            visibility=visibility,
            raw=b"{}",
        )
        with self.deployment.store.writing() as session:
            row = session.exec(select(AccountRow).where(AccountRow.name == account)).one()
            taken = intake.take_page(
                session, row, "mentions", Page(mentions=(mention,)), reply_within=timedelta(days=2)
            )
        return str(taken.mention_ids[0])

    def assess(self, mention_id: str, **given: Any) -> None:
        """What a classifier says of it."""
        said: dict[str, Any] = {
            "intent": "report",
            "service_code": "pothole",
            "sentiment": "negative",
            "urgency": "normal",
            "language": "en",
            "please_check": ["service_code"],
            "scores": {"intent": {"report": 0.9, "question": 0.1}},
            **given,
        }
        with self.deployment.store.writing() as session:
            row = session.get_one(MentionRow, int(mention_id))
            place = PlaceRow(address="120 5th Ave", lat=41.2, long=-90.1, source="post", neighborhood="Old Town")
            session.add(place)
            session.flush()
            row.state, row.place_id = "assessed", place.id
            session.add_all([row, AssessmentRow(mention_id=row.id, rev=row.rev, model="test-1", **said)])

    def drafted(self, text: str = "Huge pothole on 5th Ave, please fix it", **given: Any) -> tuple[str, str]:
        """A mention and the draft that answers it: their ids."""
        mention_id = self.hear(text, **{key: given.pop(key) for key in ("account", "visibility") if key in given})
        self.assess(mention_id, **given)
        with self.deployment.store.writing() as session:
            draft = drafting.react(session, self.deployment, session.get_one(MentionRow, int(mention_id)))
            assert draft is not None
            return mention_id, str(draft.id)

    def _next(self) -> int:
        self.posts += 1
        return self.posts


Opened = Callable[..., City]


@pytest.fixture
def open_city(tmp_path: Path, store_url: str) -> Iterator[Opened]:
    """Opens a city with other settings than the usual."""
    opened: list[Deployment] = []

    def make(
        *, service_approvals: bool = True, two_person: bool = False, public_url: str = "http://testserver"
    ) -> City:
        config = tmp_path / "harken.toml"
        config.write_text(
            CONFIG.format(
                store_url=store_url,
                public_url=public_url,
                service_approvals=str(service_approvals).lower(),
                two_person=str(two_person).lower(),
            )
        )
        deployment = open_deployment(config)
        opened.append(deployment)
        client = TestClient(create_app(deployment), base_url=public_url, raise_server_exceptions=True)
        return City(deployment=deployment, client=client)

    yield make
    for deployment in opened:
        deployment.store.close()


@pytest.fixture
def city(open_city: Opened) -> City:
    return open_city()
