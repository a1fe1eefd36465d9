"""What a platform should never answer, and will: told or quarantined, and nothing of it is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from pipeline import listen, rounds
from pipeline.deployment import Deployment
from pipeline.listen import Round
from sandbox.running import Running
from store import content
from store.tables import AttentionRow, ContentRow, MentionRow, OwnPostRow
from tests.deployments import FACEBOOK, X, deployment

BROKEN = [
    "cut_json", "html", "html_200", "json_500", "error_list", "string_error", "list_200", "empty_200", "reset", "500",
]  # fmt: skip
ODD = ["unknown_fields", "numbers_as_strings", "ids_as_numbers", "shuffle", "repeat_pages"]
SPOILT = ["missing_fields", "wrong_types"]
WORST = ["cut_json", "list_200", "empty_200", "error_list", "ids_as_numbers", *SPOILT]


pytestmark = pytest.mark.slow


@pytest.fixture
def city(network: Running, tmp_path: Path, store_url: str) -> Iterator[Deployment]:
    """A city that has looked once and heard nothing; one for each test, or each round would hear all tests' posts."""
    network.ctl.reset()
    held = deployment(tmp_path, network, store_url=store_url, accounts={X: {"track": ["#alderfalls"]}})
    rounds.poll(held)
    yield held
    held.store.close()


def polled(city: Deployment) -> dict[str, Round]:
    return {one.account: one for one in rounds.poll(city)}


def stored(city: Deployment, ids: list[str]) -> set[str]:
    with city.store.reading() as session:
        return set(session.exec(select(MentionRow.post_id).where(col(MentionRow.post_id).in_(ids))))


def on_x(network: Running) -> list[str]:
    return [network.ctl.post(f"Pothole {n} on Elm", author=f"r{n}") for n in range(4)]


def found_by_search(network: Running) -> list[str]:
    return [network.ctl.post(f"Pothole {n} #alderfalls", author=f"r{n}", mention=False) for n in range(4)]


def on_facebook(network: Running) -> list[str]:
    return [network.ctl.post(f"Pothole {n} on Elm", platform="facebook", author=f"r{n}") for n in range(4)]


def tagging(network: Running) -> list[str]:
    return [network.ctl.post(f"Hole {n}", platform="facebook", author=f"r{n}", tagged=True) for n in range(4)]


def below_one_post(network: Running) -> list[str]:
    news = network.ctl.post("Sweeping today", platform="facebook", as_="city", author="")
    rows = [
        {"platform": "facebook", "author": f"r{n}", "text": f"Not here {n}", "in_reply_to": news} for n in range(30)
    ]
    return network.ctl.load(rows)


Speak = Callable[[Running], list[str]]


@dataclass(frozen=True)
class Door:
    """A call that reads, and what is heard through it."""

    target: str
    account: str
    calls: int  #: of it that a round makes
    speak: Speak


MENTIONS = Door("x.mentions", X, 1, on_x)
FEED = Door("facebook.feed", FACEBOOK, 3, on_facebook)
OTHERS = [
    Door("x.search", X, 2, found_by_search),
    Door("facebook.feed", FACEBOOK, 3, tagging),
    Door("facebook.feed", FACEBOOK, 3, below_one_post),
    Door("facebook.comments", FACEBOOK, 1, below_one_post),
]


def through(kinds: list[str], few: list[str]) -> pytest.MarkDecorator:
    """Every kind at the two main doors, a few at the others: they share the code below."""
    cases = [(door, kind) for door in (MENTIONS, FEED) for kind in kinds]
    cases += [(door, kind) for door in OTHERS for kind in few]
    ids = [f"{door.target} {door.speak.__name__} {kind}" for door, kind in cases]
    return pytest.mark.parametrize(("door", "kind"), cases, ids=ids)


@through(BROKEN, ["cut_json", "list_200"])
def test_a_broken_answer_is_told_and_the_next_round_hears_all(
    network: Running, city: Deployment, door: Door, kind: str
) -> None:
    ids = door.speak(network)
    elsewhere = on_facebook(network) if door.account == X else on_x(network)
    network.ctl.faults(door.target, kind, count=door.calls)

    told = polled(city)
    others = stored(city, elsewhere)
    network.ctl.clear_faults()
    again = polled(city)

    assert told[door.account].error is not None
    assert "Error" not in str(told[door.account].error).split(":")[0]
    assert others == set(elsewhere)
    assert again[door.account].error is None
    assert stored(city, ids) == set(ids)


@through(ODD, ["ids_as_numbers", "repeat_pages"])
def test_an_odd_answer_is_read(network: Running, city: Deployment, door: Door, kind: str) -> None:
    ids = door.speak(network)
    network.ctl.faults(door.target, kind, count=door.calls)

    told = polled(city)

    assert told[door.account].error is None
    assert stored(city, ids) == set(ids)


@through(SPOILT, SPOILT)
def test_what_cannot_be_read_costs_only_itself_and_comes_again(
    network: Running, city: Deployment, door: Door, kind: str
) -> None:
    ids = door.speak(network)
    network.ctl.faults(door.target, kind, count=door.calls)

    polled(city)
    network.ctl.clear_faults()
    again = polled(city)

    assert again[door.account].error is None
    assert stored(city, ids) == set(ids)


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize(("door", "speak"), [("x.mentions", on_x), ("facebook.feed", on_facebook)])
def test_what_cannot_be_read_is_kept_with_its_bytes(
    network: Running, city: Deployment, door: str, speak: Speak, kind: str
) -> None:
    ids = speak(network)
    network.ctl.faults(door, kind)

    polled(city)

    with city.store.reading() as session:
        rows = session.exec(select(AttentionRow).where(AttentionRow.kind == "unreadable")).all()
        raw = [session.get_one(ContentRow, row.content_id).raw or b"" for row in rows]
    quarantined = {json.loads(one)["id"] for one in raw} & set(ids)
    assert quarantined == {ids[3], ids[1]}
    assert stored(city, ids) == {ids[0], ids[2]}
    assert all(row.remedy and row.account_id for row in rows)


@pytest.mark.parametrize("kind", WORST)
def test_a_malformed_timeline_of_our_own_loses_no_reply_by_hand(network: Running, city: Deployment, kind: str) -> None:
    post = network.ctl.post("Pothole on Elm")
    polled(city)
    own = network.ctl.post("By hand: on it", as_="city", author="", in_reply_to=post)
    network.ctl.faults("x.timeline", kind)

    polled(city)
    network.ctl.clear_faults()
    polled(city)

    with city.store.reading() as session:
        assert session.exec(select(OwnPostRow).where(OwnPostRow.post_id == own)).first() is not None


@pytest.mark.parametrize("kind", WORST)
@pytest.mark.parametrize(("door", "platform"), [("x.lookup", "x"), ("facebook.lookup", "facebook")])
def test_a_malformed_second_look_takes_nothing_for_deleted(
    network: Running, city: Deployment, monkeypatch: pytest.MonkeyPatch, door: str, platform: str, kind: str
) -> None:
    monkeypatch.setattr(listen, "LOOK_RHYTHM_ON_LOOPBACK", ((timedelta(days=2), timedelta(0)),))
    ids = [network.ctl.post(f"Pothole {n} on Elm", platform=platform) for n in range(3)]
    polled(city)
    network.ctl.edit(ids[0], "Pothole on Oak")
    network.ctl.delete(ids[1])
    network.ctl.faults(door, kind, count=-1)

    polled(city)
    during = states(city, ids)
    network.ctl.clear_faults()
    polled(city)

    assert during[2] != "deleted"
    assert states(city, ids)[1:] == ["deleted", "new"]
    assert words(city, ids[0]).endswith("Pothole on Oak")


def states(city: Deployment, ids: list[str]) -> list[str]:
    with city.store.reading() as session:
        rows = {row.post_id: row.state for row in session.exec(select(MentionRow))}
    return [rows[post_id] for post_id in ids]


def words(city: Deployment, post_id: str) -> str:
    with city.store.reading() as session:
        row = session.exec(select(MentionRow).where(MentionRow.post_id == post_id)).one()
        kept = session.exec(
            select(ContentRow).where(ContentRow.derived_from == row.content_id, ContentRow.record_class == "post")
        ).first()
        return content.words(session, kept.id if kept else row.content_id)


@pytest.mark.parametrize("kind", WORST)
def test_our_own_name_looked_up_in_vain_stops_only_x(
    network: Running, tmp_path: Path, store_url: str, kind: str
) -> None:
    network.ctl.reset()
    city = deployment(tmp_path, network, store_url=store_url)
    ids = [*on_x(network), *on_facebook(network)]
    network.ctl.faults("x.users", kind)

    told = polled(city)
    network.ctl.clear_faults()
    again = polled(city)

    assert told[FACEBOOK].error is None
    assert again[X].error is None
    assert stored(city, ids) == set(ids)
    city.store.close()
