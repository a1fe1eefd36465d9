"""A deployment, with a few conversations, and somebody signed in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from bs4 import BeautifulSoup, Tag
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from pipeline import alarms, draft
from pipeline.assess import keep_place
from pipeline.deployment import Deployment, account_row, open_deployment
from store import content, intake, people, sign_in
from store.tables import AssessmentRow, DraftRow, MentionRow
from store.types import now
from vocabulary import Author, HeardHow, Mention, Page, Place
from web.app import create_app

ROOT = Path(__file__).parents[3]
CONFIG = f"""
[city]
name = "Alder Falls"
reference_prefix = "AF"
time_zone = "America/Chicago"
languages = ["en", "es"]
services = "{ROOT}/demo/services.csv"
neighborhoods = "{ROOT}/demo/neighborhoods.geojson"
streets = "{ROOT}/demo/streets.csv"

[approval]
undo_for = "PT60S"

[accounts.city_hall_x]
platform = "x"
handle = "alderfalls"
base_url = "http://127.0.0.1:9"
sending = "armed"

[accounts.parks_x]
platform = "x"
handle = "afparks"
sending = "armed"
"""
KEYS = """HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN=b
HARKEN_ACCOUNTS__PARKS_X__BEARER_TOKEN=b
"""


OAK_STREET = Place(text="500 Oak Street", address="500 Oak Street", lat=44.2837, long=-90.44623)


@dataclass
class City:
    """The deployment, and short ways to fill it."""

    deployment: Deployment
    posts: int = 0
    sessions: dict[str, str] = field(default_factory=dict)

    def hears(
        self,
        text: str,
        *,
        intent: str = "report",
        service_code: str | None = "pothole",
        urgency: str = "normal",
        sentiment: str = "negative",
        language: str = "en",
        place: Place | None = OAK_STREET,
        author: str = "jordan",
        thread: str | None = None,
        reply_to: str | None = None,
        ago: timedelta = timedelta(minutes=10),
        please_check: tuple[str, ...] = (),
        heard_how: HeardHow = HeardHow.MENTION,
        account: str = "city_hall_x",
    ) -> int:
        """A post, read and drafted, as the stages would; gives the mention's id."""
        self.posts += 1
        post_id = f"{9000 + self.posts}"
        mention = Mention(
            platform="x",
            post_id=post_id,
            conversation_key=thread or post_id,
            text=text,
            posted_at=now() - ago,
            heard_how=heard_how,
            author=Author(platform_user_id=f"u-{author}", handle=author, name=author.title()),
            url=f"https://x.example/{author}/status/{post_id}",
            in_reply_to=reply_to,
        )
        with self.deployment.store.writing() as session:
            row = account_row(session, account)
            taken = intake.take_page(
                session, row, "mentions", Page(mentions=(mention,)), reply_within=timedelta(days=2)
            )
            mention_id = taken.mention_ids[0]
            kept = session.get_one(MentionRow, mention_id)
            scores = {
                "intent": {intent: 0.91, "other": 0.09},
                "service_code": {"pothole_road": 0.62, "none": 0.38},
                "sentiment": {sentiment: 0.8},
                "urgency": {urgency: 0.97},
            }
            session.add(
                AssessmentRow(
                    mention_id=mention_id,
                    rev=1,
                    model="test",
                    intent=intent,
                    service_code=service_code,
                    sentiment=sentiment,
                    urgency=urgency,
                    language=language,
                    scores=scores,
                    please_check=list(please_check),
                )
            )
            if place is not None:
                kept.place_id = keep_place(session, place, kept.content_id)
            kept.state = "assessed"
            session.add(kept)
            session.flush()
            if urgency == "emergency":
                alarms.raise_alarm(session, kept, reason="gas leak, by words", self_harm=False)
            draft.react(session, self.deployment, kept)
        return mention_id

    def draft_of(self, mention_id: int) -> DraftRow:
        """The newest draft of a mention."""
        with self.deployment.store.reading() as session:
            return self._drafts(session, mention_id)[-1]

    def mention(self, mention_id: int) -> MentionRow:
        with self.deployment.store.reading() as session:
            return session.get_one(MentionRow, mention_id)

    @staticmethod
    def _drafts(session: Session, mention_id: int) -> list[DraftRow]:
        return list(session.exec(select(DraftRow).where(DraftRow.mention_id == mention_id).order_by(col(DraftRow.id))))

    def words(self, content_id: int) -> str:
        with self.deployment.store.reading() as session:
            return content.words(session, content_id)

    def session_of(self, role: str, *, account: str | None = None) -> str:
        """The secret of a session of somebody with a role."""
        email = f"{role}{account or ''}@alderfalls.example"
        if email not in self.sessions:
            with self.deployment.store.writing() as session:
                row = people.add_staff(session, email, by="test", name=role.title())
                people.grant(session, row, role, by="test", account=account)
                self.sessions[email] = sign_in.finish(session, row.id, right=True) or ""
        return self.sessions[email]


@pytest.fixture
def city(tmp_path: Path, store_url: str) -> Iterator[City]:
    """Alder Falls, empty."""
    (tmp_path / "harken.toml").write_text(f'{CONFIG}\n[store]\nurl = "{store_url}"\n')
    secrets = tmp_path / "secrets.env"
    secrets.write_text(KEYS)
    secrets.chmod(0o600)
    deployment = open_deployment(tmp_path / "harken.toml", migrating=True)
    yield City(deployment)
    deployment.store.close()


@dataclass
class Desk:
    """Somebody at a browser: with HTMX, or without JavaScript."""

    client: TestClient
    htmx: bool

    def get(self, path: str) -> BeautifulSoup:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text[:400]
        return BeautifulSoup(answer.text, "html.parser")

    def post(self, path: str, data: dict[str, object] | None = None, *, expect: int = 200) -> BeautifulSoup:
        """What is shown after a form was sent; redirects are followed, as browsers do."""
        answer = self.client.post(path, data=data, headers={"HX-Request": "true"} if self.htmx else {})
        assert answer.status_code == expect, answer.text[:600]
        assert len(answer.history) == (0 if self.htmx or expect != 200 else 1)
        return BeautifulSoup(answer.text, "html.parser")


@pytest.fixture(params=["browser", "htmx"])
def desk(request: pytest.FixtureRequest, city: City) -> Iterator[Desk]:
    """An approver at the desk."""
    with signed_in(city, "approver") as client:
        yield Desk(client, htmx=request.param == "htmx")


def signed_in(city: City, role: str, *, account: str | None = None) -> TestClient:
    """A client with somebody's session."""
    client = TestClient(create_app(city.deployment), base_url="http://127.0.0.1:8311")
    client.cookies.set("harken_session", city.session_of(role, account=account))
    return client


@pytest.fixture
def as_role(city: City) -> Callable[..., TestClient]:
    """A client of somebody with a role."""

    def client(role: str, *, account: str | None = None) -> TestClient:
        return signed_in(city, role, account=account)

    return client


@pytest.fixture
def served(city: City) -> Iterator[str]:
    """The application over real HTTP; gives its address."""
    plug = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(city.deployment), log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, args=([plug],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{plug.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    plug.close()


def button(soup: BeautifulSoup | Tag, name: str) -> Tag:
    """The button of an accessible name."""
    found = [one for one in soup.find_all("button") if (one.get("aria-label") or one.get_text(strip=True)) == name]
    assert found, f"no button {name!r} among {[one.get_text(strip=True) for one in soup.find_all('button')]}"
    return found[0]
