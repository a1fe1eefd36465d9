"""Replying on X through the real tweepy: what is allowed, by whom, and what is left behind."""

import pytest
import requests
import tweepy

from sandbox.running import Running
from tests.sandbox.conftest import x_client


def test_a_reply_hangs_under_the_post_and_is_noted(network: Running, x: tweepy.Client) -> None:
    post = network.ctl.post("Pothole", author="jane_elm")

    sent = x.create_tweet(text="Thank you, AF-7QK2M9", in_reply_to_tweet_id=post)

    found = x.get_tweet(sent.data["id"], tweet_fields=["referenced_tweets", "conversation_id", "author_id"]).data
    assert found.text == "@jane_elm Thank you, AF-7QK2M9"
    assert found.referenced_tweets[0].type == "replied_to"
    assert str(found.conversation_id) == post
    (effect,) = network.ctl.effects()
    assert (effect["kind"], effect["in_reply_to"], effect["text"]) == ("reply", post, "Thank you, AF-7QK2M9")


def test_a_reply_to_somebody_who_did_not_speak_to_us_is_refused(network: Running, x: tweepy.Client) -> None:
    post = network.ctl.post("Potholes everywhere", mention=False)

    with pytest.raises(tweepy.Forbidden, match="not been mentioned or otherwise engaged"):
        x.create_tweet(text="Where?", in_reply_to_tweet_id=post)

    assert network.ctl.effects() == []
    network.ctl.tier("exempt")
    assert x.create_tweet(text="Where?", in_reply_to_tweet_id=post).data


def test_a_mention_inherited_in_a_thread_is_no_engagement(network: Running, x: tweepy.Client) -> None:
    first = network.ctl.post("Pothole", author="jane_elm")
    second = network.ctl.post("Same in my street", author="bob", in_reply_to=first)

    with pytest.raises(tweepy.Forbidden):
        x.create_tweet(text="Which street?", in_reply_to_tweet_id=second)


def test_whoever_quotes_or_answers_us_may_be_answered(network: Running, x: tweepy.Client) -> None:
    ours = network.ctl.post("Roads close at noon", as_="city")
    quote = network.ctl.post("Which ones?", author="bob", quoted=ours)
    answer = network.ctl.post("Elm too?", author="jane_elm", in_reply_to=ours)

    assert x.create_tweet(text="Elm and Oak", in_reply_to_tweet_id=quote).data
    assert x.create_tweet(text="Yes, Elm too", in_reply_to_tweet_id=answer).data


def test_the_same_words_twice_are_refused(network: Running, x: tweepy.Client) -> None:
    first, second = network.ctl.post("Pothole"), network.ctl.post("Another", author="bob")
    x.create_tweet(text="Thank you", in_reply_to_tweet_id=first)

    with pytest.raises(tweepy.Forbidden, match="duplicate content"):
        x.create_tweet(text="Thank you", in_reply_to_tweet_id=second)


def test_the_same_words_to_another_person_may_be_let_through(network: Running, x: tweepy.Client) -> None:
    network.ctl.tier(repeats="person")
    first, second = network.ctl.post("Pothole"), network.ctl.post("Another", author="bob")
    x.create_tweet(text="Thank you", in_reply_to_tweet_id=first)

    assert x.create_tweet(text="Thank you", in_reply_to_tweet_id=second).data
    with pytest.raises(tweepy.Forbidden, match="duplicate content"):
        x.create_tweet(text="Thank you", in_reply_to_tweet_id=first)


def test_the_same_words_to_the_same_person_may_be_let_through(network: Running, x: tweepy.Client) -> None:
    network.ctl.tier(repeats="none")
    first = network.ctl.post("Pothole")

    made = [x.create_tweet(text="Thank you", in_reply_to_tweet_id=first).data["id"] for _ in range(2)]

    assert [effect["id"] for effect in network.ctl.effects(kind="reply")] == made


@pytest.mark.parametrize("text", ["a" * 280, "https://example.org/" + "a" * 400], ids=["280", "a long link"])
def test_what_weighs_280_fits(x: tweepy.Client, text: str) -> None:
    assert x.create_tweet(text=text).data


@pytest.mark.parametrize("text", ["a" * 281, "字" * 141], ids=["281", "heavy script"])
def test_what_weighs_more_is_refused(x: tweepy.Client, text: str) -> None:
    with pytest.raises(tweepy.Forbidden, match="too long"):
        x.create_tweet(text=text)


def test_a_reply_to_a_deleted_post_is_refused(network: Running, x: tweepy.Client) -> None:
    post = network.ctl.post("Pothole")
    network.ctl.delete(post)

    with pytest.raises(tweepy.Forbidden, match="deleted or not visible"):
        x.create_tweet(text="Thanks", in_reply_to_tweet_id=post)


def test_we_may_take_back_our_own_reply_only(network: Running, x: tweepy.Client) -> None:
    post = network.ctl.post("Pothole")
    sent = x.create_tweet(text="Thanks", in_reply_to_tweet_id=post).data["id"]

    assert x.delete_tweet(sent).data == {"deleted": True}
    with pytest.raises(tweepy.Forbidden):
        x.delete_tweet(post)
    assert [effect["kind"] for effect in network.ctl.effects()] == ["reply", "delete"]


def test_an_app_token_may_not_write(x: tweepy.Client) -> None:
    with pytest.raises(tweepy.Forbidden, match="Application-Only"):
        x.create_tweet(text="Hello", user_auth=False)


def test_a_users_own_bearer_token_may_write(network: Running) -> None:
    client = x_client(network, bearer_token="sandbox-user-token")

    assert client.create_tweet(text="Hello", user_auth=False).data
    client.session.close()


@pytest.mark.parametrize("key", ["consumer_key", "consumer_secret", "access_token", "access_token_secret"])
def test_a_wrong_key_is_401(network: Running, key: str) -> None:
    client = x_client(network, **{key: "wrong"})

    with pytest.raises(tweepy.Unauthorized):
        client.create_tweet(text="Hello")
    client.session.close()


def test_an_unknown_bearer_token_is_401(network: Running) -> None:
    client = x_client(network, bearer_token="unknown")

    with pytest.raises(tweepy.Unauthorized):
        client.search_recent_tweets("pothole")
    client.session.close()


@pytest.mark.parametrize("body", ["{", "[]", '{"words": "x"}', '{"text": ""}', '{"text": "a", "poll": {}}'])
def test_a_body_x_would_not_read_is_400(network: Running, body: str) -> None:
    token = {"Authorization": "Bearer sandbox-user-token"}

    answer = requests.post(f"{network.url}/2/tweets", data=body, headers=token, timeout=60)

    assert answer.status_code == 400
    assert answer.json()["title"] == "Invalid Request"
