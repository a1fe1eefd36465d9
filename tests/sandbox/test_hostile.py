"""What nobody should write, and somebody will: taken, kept and served as it was."""

import html
import json
import threading
from pathlib import Path
from typing import Any

import apprise
import pytest
import requests

from sandbox.alarms import MOST
from sandbox.running import Refused, Running, running

CITY_ID = "2207129125"
PAGE_ID = "102030405060708"
TEXTS = {
    "long": "pothole " * 25_000,
    "empty": "",
    "nul": "before\0after",
    "half a pair": "hole \ud800 here \udc00",
    "emoji": "👩\u200d🚒🕳️🇺🇸",
    "link": "https://evil.example/?a=1&b=2",
    "html": "<script>alert(1)</script> & <b>",
    "bidi": "\u202egnp.exe\u202c \u200b",
}


def served(network: Running, path: str, token: str) -> Any:
    answer = requests.get(f"{network.url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 200
    assert answer.content.isascii()
    return json.loads(answer.content)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_any_text_is_served_as_it_was_written(network: Running, text: str) -> None:
    tweet = network.ctl.post(text, mention=True)
    post = network.ctl.post(text, platform="facebook")

    x = served(network, f"/2/users/{CITY_ID}/mentions?tweet.fields=entities", "sandbox-bearer-token")["data"][0]
    facebook = served(network, f"/v25.0/{PAGE_ID}/feed", "sandbox-page-token")["data"][0]

    assert (x["id"], facebook["id"]) == (tweet, post)
    assert facebook.get("message", "") == text
    if "https" not in text:
        assert html.unescape(x["text"]) == f"@alderfalls {text}"
    assert [one["text"] for one in network.ctl.posts()] == [f"@alderfalls {text}", text]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_the_page_shows_any_text_without_breaking(network: Running, text: str) -> None:
    network.ctl.post(text, media=[{"url": "javascript:alert(1)", "alt": "<i>\ud800"}])

    page = requests.get(network.url, timeout=60)

    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<i>" not in page.text
    assert "\0" not in page.text
    assert len(page.text) < 20_000


def test_a_text_beyond_the_longest_is_refused_with_a_word(network: Running) -> None:
    with pytest.raises(Refused, match="200000 characters at most"):
        network.ctl.post("x" * 200_001)
    with pytest.raises(Refused, match="must be a string"):
        network.ctl.call("POST", "/posts", {"platform": "x", "author": "a", "text": 7})


def test_an_odd_name_is_a_name(network: Running) -> None:
    for platform in ("x", "facebook"):
        network.ctl.post("hole", author="\ud800 \0<b>", platform=platform)

    assert requests.get(network.url, timeout=60).status_code == 200
    feed = served(network, f"/v25.0/{PAGE_ID}/feed?fields=from", "sandbox-page-token")
    assert feed["data"][0]["from"]["name"] == "\ud800 \0<b>"


def test_an_edit_may_say_anything_too(network: Running) -> None:
    post = network.ctl.post("hole", platform="facebook")

    network.ctl.edit(post, "\udfff")

    assert network.ctl.posts()[0]["text"] == "\udfff"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # one of its doors imports it
def test_the_demo_s_alarms_have_a_recipient(network: Running) -> None:
    door = apprise.Apprise()
    door.add(f"{network.url.replace('http://', 'json://')}/_ctl/alarms")

    assert door.notify(title="Emergency", body="A person may be in danger")

    (alarm,) = network.ctl.alarms()
    assert (alarm["body"]["title"], alarm["body"]["message"]) == ("Emergency", "A person may be in danger")


def test_alarms_are_bounded_and_must_be_json(network: Running) -> None:
    threads = [threading.Thread(target=network.ctl.call, args=("POST", "/alarms", n)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(alarm["body"] for alarm in network.ctl.alarms()) == list(range(10))
    assert MOST == 1000
    for body in (b"{", b"[" * 60_000, b"[" * 70_000):
        assert requests.post(f"{network.url}/_ctl/alarms", data=body, timeout=60).status_code == 400


def test_a_network_of_before_learns_of_pictures(tmp_path: Path) -> None:
    state = tmp_path / "network.db"
    with running(state) as network:
        network.ctl.post("hole")
        network.app.state.world.database.run("ALTER TABLE post DROP COLUMN media")

    with running(state) as network:
        network.ctl.post("", media=[{"url": "https://fb.example/1"}])
        assert [len(post["media"]) for post in network.ctl.posts()] == [0, 1]
