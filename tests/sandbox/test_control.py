"""The control, and what outlives a restart."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import tweepy

from sandbox.running import Control, Refused, Running, running
from tests.sandbox.conftest import x_client

ROOT = Path(__file__).parents[2]
CITY_ID = "2207129125"


def test_posts_are_listed_with_what_they_answer(network: Running) -> None:
    post = network.ctl.post("Pothole", author="jane_elm")
    network.ctl.post("Looking into it", as_="city", in_reply_to=post)

    (reply,) = network.ctl.posts(in_reply_to=post)

    assert reply["by_city"] is True
    assert reply["text"] == "Looking into it"
    assert network.ctl.effects() == []  # written by hand, not through the API


def test_a_resident_keeps_the_same_id_for_ever(network: Running) -> None:
    network.ctl.post("One", author="jane_elm")
    before = network.ctl.posts()[0]["author_id"]
    network.ctl.reset()
    network.ctl.post("Two", author="@Jane_Elm")

    assert network.ctl.posts()[0]["author_id"] == before


def test_two_thousand_posts_are_loaded_in_one_call(network: Running) -> None:
    posts = [
        {"platform": "x" if n % 2 else "facebook", "author": f"resident_{n}", "text": f"Report {n}", "id": f"r{n}"}
        for n in range(2000)
    ]

    answers = network.ctl.call("POST", "/posts", posts)

    assert [answer["ref"] for answer in answers] == [post["id"] for post in posts]
    assert len({answer["id"] for answer in answers}) == 2000


@pytest.mark.parametrize(
    "body",
    [
        {"platform": "mastodon", "author": "a", "text": "b"},
        {"platform": "x", "author": "a"},
        {"platform": "x", "author": "", "text": "b"},
        {"platform": "x", "author": "a", "text": "b", "colour": "red"},
        {"platform": "x", "author": "a", "text": "b", "in_reply_to": "1"},
        {"platform": "x", "author": "a", "text": "b", "posted_at": "yesterday"},
    ],
    ids=["platform", "text", "author", "unknown key", "no such post", "time"],
)
def test_a_bad_post_is_refused_with_a_word(network: Running, body: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"40[04]|422"):
        network.ctl.call("POST", "/posts", body)

    assert network.ctl.posts() == []


def test_an_unknown_fault_is_refused(network: Running) -> None:
    with pytest.raises(Refused, match="kind must be one of"):
        network.ctl.faults("x.mentions", "plague")
    with pytest.raises(Refused, match="target must be one of"):
        network.ctl.faults("myspace", "500")


def test_the_clock_can_be_set_and_shifted(network: Running) -> None:
    network.ctl.clock(now="2027-01-01T00:00:00Z")
    network.ctl.clock(shift=3600)

    network.ctl.post("Happy new year")

    assert network.ctl.posts()[0]["posted_at"].startswith("2027-01-01T01:00")


def test_reset_leaves_the_seed_and_nothing_else() -> None:
    seed = {"posts": [{"platform": "x", "author": "jane_elm", "text": "From the seed"}]}
    with running(seed=seed) as network:
        network.ctl.post("More")
        network.ctl.tier("exempt")
        network.ctl.reset()

        assert [post["text"] for post in network.ctl.posts()] == ["@alderfalls From the seed"]
        assert network.ctl.call("GET", "/health")["status"] == "ok"


def test_a_second_account_of_the_city_has_its_own_token() -> None:
    accounts = [{"handle": "alderfalls"}, {"handle": "alderfalls311"}]
    with running(seed={"x": {"accounts": accounts}}) as network:
        client = x_client(
            network, access_token="sandbox-access-token-2", access_token_secret="sandbox-access-token-secret-2"
        )

        assert client.get_me().data.username == "alderfalls311"
        client.session.close()


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    state = tmp_path / "network.db"
    with running(state) as network:
        post = network.ctl.post("Pothole")
        client = x_client(network)
        client.create_tweet(text="Thank you", in_reply_to_tweet_id=post)
        client.session.close()

    with running(state) as network:
        assert len(network.ctl.posts()) == 2
        client = x_client(network)
        with pytest.raises(tweepy.Forbidden, match="duplicate"):
            client.create_tweet(text="Thank you", in_reply_to_tweet_id=post)
        client.session.close()
        assert len(network.ctl.effects()) == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["TERM", "INT", "KILL"])
def test_nothing_accepted_is_lost_however_it_ends(
    tmp_path: Path, ending: signal.Signals, wait_until: Callable[..., None]
) -> None:
    state = tmp_path / "network.db"
    with running() as free:
        port = free.port
    code = f"from pathlib import Path; from sandbox.app import serve; serve('127.0.0.1', {port}, Path({str(state)!r}))"
    server = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        control = Control(f"http://127.0.0.1:{port}")
        wait_until(lambda: answers(port))
        id = control.post("Pothole")
    finally:
        server.send_signal(ending)
        status = server.wait(timeout=60)

    assert status == (-signal.SIGKILL if ending == signal.SIGKILL else 0)
    with running(state) as again:
        assert [post["id"] for post in again.ctl.posts()] == [id]


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/_ctl/health", timeout=60).ok
    except requests.ConnectionError:
        return False


def test_an_unknown_section_of_the_seed_is_an_error() -> None:
    with (
        pytest.raises(ValueError, match="unknown section in the seed: twitter"),
        running(seed=json.loads('{"twitter": {}}')),
    ):
        pass
