"""Planned faults, as the SDKs see them."""

import json
import time

import facebook
import pytest
import requests
import tweepy

from sandbox.running import Running

CITY_ID = "2207129125"
PAGE_ID = "102030405060708"


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("429", tweepy.TooManyRequests),
        ("500", tweepy.TwitterServerError),
        ("503", tweepy.TwitterServerError),
        ("401", tweepy.Unauthorized),
        ("html", tweepy.TwitterServerError),
        ("json_500", tweepy.TwitterServerError),
        ("error_list", AttributeError),
        ("html_200", requests.JSONDecodeError),
        ("empty_200", requests.JSONDecodeError),
        ("list_200", AttributeError),
        ("cut_json", requests.JSONDecodeError),
        ("reset", requests.ConnectionError),
    ],
)
def test_a_fault_hits_one_call_and_is_gone(
    network: Running, x: tweepy.Client, kind: str, raised: type[Exception]
) -> None:
    network.ctl.post("Pothole")
    network.ctl.faults("x.mentions", kind)

    with pytest.raises(raised):
        x.get_users_mentions(CITY_ID)

    assert x.get_users_mentions(CITY_ID).meta["result_count"] == 1


def test_a_429_may_come_without_its_time(network: Running, x: tweepy.Client) -> None:
    network.ctl.faults("x", "429", with_reset=False)

    with pytest.raises(tweepy.TooManyRequests) as refused:
        x.get_users_mentions(CITY_ID)

    assert refused.value.reset_time is None


def test_a_timeout_holds_the_connection_and_says_nothing(network: Running, x: tweepy.Client) -> None:
    network.ctl.faults("x.mentions", "timeout", seconds=0.4)
    started = time.monotonic()

    with pytest.raises(requests.ConnectionError):
        x.get_users_mentions(CITY_ID)

    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize("kind", ["reset", "timeout", "500", "html", "cut_json"])
def test_a_write_may_take_effect_though_its_answer_is_lost(network: Running, x: tweepy.Client, kind: str) -> None:
    post = network.ctl.post("Pothole")
    network.ctl.faults("x.create", kind, after_effect=True, seconds=0.1)

    with pytest.raises((tweepy.TweepyException, requests.RequestException)):
        x.create_tweet(text="Thank you", in_reply_to_tweet_id=post)

    assert [effect["text"] for effect in network.ctl.effects()] == ["Thank you"]


@pytest.mark.parametrize("kind", ["reset", "timeout", "500", "html", "cut_json"])
def test_without_after_effect_a_broken_write_did_not_happen(network: Running, x: tweepy.Client, kind: str) -> None:
    post = network.ctl.post("Pothole")
    network.ctl.faults("x.create", kind, seconds=0.1)

    with pytest.raises((tweepy.TweepyException, requests.RequestException)):
        x.create_tweet(text="Thank you", in_reply_to_tweet_id=post)

    assert network.ctl.effects() == []


def test_a_fault_may_wait_for_a_later_call(network: Running, x: tweepy.Client) -> None:
    network.ctl.faults("x.mentions", "500", skip=1)
    x.get_users_mentions(CITY_ID)

    with pytest.raises(tweepy.TwitterServerError):
        x.get_users_mentions(CITY_ID)


@pytest.mark.parametrize("kind", ["missing_fields", "wrong_types", "unknown_fields", "shuffle", "repeat_pages"])
def test_a_spoilt_answer_is_still_json_and_keeps_every_id(network: Running, kind: str) -> None:
    ids = network.ctl.load([{"platform": "x", "author": "r", "text": f"Report {n}"} for n in range(4)])
    network.ctl.faults("x.mentions", kind)
    token = {"Authorization": "Bearer sandbox-bearer-token"}

    answer = requests.get(f"{network.url}/2/users/{CITY_ID}/mentions", headers=token, timeout=60)

    assert {item["id"] for item in answer.json()["data"]} == set(ids)
    whole = requests.get(f"{network.url}/2/users/{CITY_ID}/mentions", headers=token, timeout=60)
    assert kind == "shuffle" or answer.json() != whole.json()


def test_numbers_come_as_strings_and_ids_as_numbers(network: Running) -> None:
    network.ctl.post("Pothole")
    token = {"Authorization": "Bearer sandbox-bearer-token"}
    url = f"{network.url}/2/users/{CITY_ID}/mentions"

    network.ctl.faults("x.mentions", "numbers_as_strings")
    assert requests.get(url, headers=token, timeout=60).json()["meta"]["result_count"] == "1"
    network.ctl.faults("x.mentions", "ids_as_numbers")
    assert isinstance(requests.get(url, headers=token, timeout=60).json()["data"][0]["id"], int)


@pytest.mark.parametrize(("kind", "code"), [("429", 32), ("dead_token", 190), ("permission", 200), ("blocked", 368)])
def test_graph_fails_with_graphs_codes(network: Running, graph: facebook.GraphAPI, kind: str, code: int) -> None:
    network.ctl.faults("facebook.feed", kind)

    with pytest.raises(facebook.GraphAPIError) as refused:
        graph.get_connections(PAGE_ID, "feed")

    assert refused.value.code == code


def test_a_ticket_may_be_opened_though_the_answer_is_lost(network: Running) -> None:
    network.ctl.faults("open311.create", "503", after_effect=True)
    form = {"api_key": "sandbox-api-key", "service_code": "noise", "address_string": "1 Elm St"}

    answer = requests.post(f"{network.url}/open311/v2/requests.json", data=form, timeout=60)

    assert answer.status_code == 503
    assert isinstance(json.loads(answer.text), list)
    assert len(network.ctl.requests()) == 1


def test_the_page_and_the_control_never_fail(network: Running) -> None:
    network.ctl.faults("*", "500", count=-1)

    assert requests.get(network.url, timeout=60).status_code == 200
    assert network.ctl.posts() == []
