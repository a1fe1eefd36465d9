"""The X responder: tweepy over loopback, against the sandbox, and against a server that plays what no sandbox would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from errors import AdapterError, InDoubt, NotInvited, RateLimited, Refused, Unauthorized, Unavailable
from listeners import x as listening
from responders import x
from responders.base import Responder
from sandbox.running import Running, running
from tests.fixtures.playing import HASTY, PATIENT, Answer, playing
from vocabulary import ApprovedReply, Range, ReplyDraft, Visibility

KEYS = {
    "bearer_token": "sandbox-bearer-token",
    "consumer_key": "sandbox-consumer-key",
    "consumer_secret": "sandbox-consumer-secret",
    "access_token": "sandbox-access-token",
    "access_token_secret": "sandbox-access-token-secret",
}
MENTIONED_ONLY = "You can only reply to or quote posts where you are mentioned or are the author."
DUPLICATE = {"errors": [{"message": "You are not allowed to create a Tweet with duplicate content."}]}
TEXT = "Thank you. We filed AF-7QK2M9 and will look at it: https://311.example.gov/r/abc & more 🚧"


@pytest.fixture(scope="module")
def network() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def city(network: Running) -> Running:
    network.ctl.reset()
    return network


def a_responder(url: str, **more: Any) -> Responder:
    return x.connect({"platform": "x", "handle": "alderfalls", "base_url": url, "read_within": PATIENT} | KEYS | more)


def a_reply(in_reply_to: str, text: str = TEXT, at: datetime | None = None, **more: Any) -> ApprovedReply:
    draft = ReplyDraft(
        draft_id="1",
        account="city_hall_x",
        platform="x",
        in_reply_to=in_reply_to,
        conversation_key=in_reply_to,
        addressee=None,
        text=text,
    )
    return replace(draft, **more).approve(by="ana@city.example", at=at or datetime.now(UTC))


def test_an_approved_reply_is_posted_and_found_again(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    responder, reply = a_responder(city.url), a_reply(post)

    assert responder.find_sent(reply) is None
    sent = responder.send(reply, key="reply-1")

    assert [p["text"] for p in city.ctl.posts(platform="x", in_reply_to=post)] == [TEXT]
    assert sent.url == f"https://x.com/alderfalls/status/{sent.post_id}"
    assert responder.find_sent(reply) == sent


def test_the_rehearsal_shows_the_call_and_no_secret(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")

    shown = a_responder(city.url).would_send(a_reply(post))

    assert shown == {"method": "POST", "path": "/2/tweets", "text": TEXT, "reply.in_reply_to_tweet_id": post}
    assert city.ctl.effects() == []


@pytest.mark.parametrize("kind", ["500", "503", "timeout", "reset", "cut_json", "html", "json_500"])
def test_what_was_done_but_not_answered_is_in_doubt_and_found(
    city: Running, kind: str, wait_until: Callable[..., None]
) -> None:
    post = city.ctl.post("@alderfalls pothole")
    city.ctl.faults("x.create", kind, after_effect=True, seconds=30)
    sender, reply = a_responder(city.url, read_within=HASTY if kind == "timeout" else PATIENT), a_reply(post)

    with pytest.raises(InDoubt):
        sender.send(reply, key="reply-1")

    wait_until(city.ctl.effects)
    assert a_responder(city.url).find_sent(reply) is not None


def test_the_same_words_twice_mean_look_for_it(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    responder, reply = a_responder(city.url), a_reply(post)
    responder.send(reply, key="reply-1")

    with pytest.raises(InDoubt, match="duplicate"):
        responder.send(reply, key="reply-1")

    assert len(city.ctl.posts(platform="x", in_reply_to=post)) == 1


def test_who_did_not_turn_to_us_cannot_be_answered_by_program(city: Running) -> None:
    post = city.ctl.post("pothole on Elm", mention=False)

    with pytest.raises(NotInvited):
        a_responder(city.url).send(a_reply(post), key="reply-1")


def test_a_deleted_post_cannot_be_answered(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    city.ctl.delete(post)
    responder = a_responder(city.url)

    assert not responder.look(post).exists
    with pytest.raises(Refused):
        responder.send(a_reply(post), key="reply-1")


def test_the_post_reads_now_as_the_listener_heard_it(city: Running) -> None:
    post = city.ctl.post("Pothole & puddle 🕳️ cafe\u0301 @alderfalls", author="jane")
    listener = listening.connect({"handle": "alderfalls", "base_url": city.url} | KEYS)
    pages = list(listener.pages(Range(source="mentions", since=datetime.now(UTC) - timedelta(hours=1))))
    heard = pages[0].mentions[0]

    now = a_responder(city.url).look(post)

    assert heard.author is not None
    assert (now.rev_hash, now.author_id) == (heard.rev_hash, heard.author.platform_user_id)


def test_an_edited_post_reads_otherwise_under_its_old_id(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole on Elm")
    responder = a_responder(city.url)
    before = responder.look(post)
    edited = city.ctl.edit(post, "@alderfalls pothole on Oak")

    after = responder.look(post)

    assert (after.post_id, after.exists) == (edited, True)
    assert after.rev_hash != before.rev_hash


def test_an_id_that_x_never_gave_is_no_post(city: Running) -> None:
    assert not a_responder(city.url).look("abc").exists
    with pytest.raises(Refused):
        a_responder(city.url).send(a_reply("abc"), key="reply-1")


def test_a_reply_is_retracted_once_or_twice(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    responder, reply = a_responder(city.url), a_reply(post)
    sent = responder.send(reply, key="reply-1")

    responder.retract(sent.post_id)
    responder.retract(sent.post_id)

    assert city.ctl.posts(platform="x", in_reply_to=post) == []
    assert responder.find_sent(reply) is None


def test_retracting_what_x_does_not_know_is_done() -> None:
    with playing(Answer(status=404, body={"title": "Not Found"})) as stage:
        a_responder(stage.url).retract("1900000000000000001")


def test_a_failing_retraction_is_told() -> None:
    with playing(Answer(status=403, body={"detail": "not yours"}), Answer(status=500)) as stage:
        with pytest.raises(Refused):
            a_responder(stage.url).retract("1900000000000000001")
        with pytest.raises(Unavailable):
            a_responder(stage.url).retract("1900000000000000001")


def test_an_earlier_answer_with_the_same_reference_is_not_this_reply(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    responder = a_responder(city.url)
    responder.send(a_reply(post), key="reply-1")

    follow_up = a_reply(post, "AF-7QK2M9 is fixed.", at=datetime.now(UTC) + timedelta(hours=1))

    assert responder.find_sent(follow_up) is None


def test_an_answer_that_staff_posted_by_hand_is_found_by_its_reference(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    by_hand = city.ctl.post("Thanks Jane! Your number is AF-7QK2M9", as_="city", author="", in_reply_to=post)

    found = a_responder(city.url).find_sent(a_reply(post))

    assert found is not None
    assert found.post_id == by_hand


def test_a_reply_is_found_behind_a_hundred_others(city: Running) -> None:
    post = city.ctl.post("@alderfalls pothole")
    responder = a_responder(city.url)
    sent = responder.send(a_reply(post), key="reply-1")
    city.ctl.load([{"platform": "x", "as": "city", "text": f"News {n}"} for n in range(105)])

    assert responder.find_sent(a_reply(post)) == sent


@pytest.mark.parametrize("kind", ["missing_fields", "wrong_types"])
def test_a_timeline_that_cannot_be_read_is_not_an_empty_one(city: Running, kind: str) -> None:
    post = city.ctl.post("@alderfalls pothole")
    responder, reply = a_responder(city.url), a_reply(post)
    responder.send(reply, key="reply-1")
    city.ctl.faults("x.timeline", kind)

    with pytest.raises(Unavailable):
        responder.find_sent(reply)


@pytest.mark.parametrize(
    "served",
    [
        "@jane Thank you. We filed AF-7QK2M9 and will look at it: https://t.co/Ab1 &amp; more 🚧",
        "Thank you. We filed AF-7QK2M9  and will look at it:\nhttps://t.co/Ab1 &amp; more 🚧 ",
    ],
    ids=["handle in front, link shortened", "white space"],
)
def test_a_reply_is_known_again_in_x_s_dress(served: str) -> None:
    own = {
        "id": "1900000000000000009",
        "text": served,
        "created_at": "2020-01-01T00:00:00Z",
        "referenced_tweets": [{"type": "replied_to", "id": "1900000000000000001"}],
    }
    with playing(Answer(body={"data": [own], "meta": {}})) as stage:
        found = a_responder(stage.url, user_id="1").find_sent(a_reply("1900000000000000001"))

    assert found is not None
    assert found.post_id == "1900000000000000009"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=500), InDoubt),
        (Answer(status=408), InDoubt),
        (Answer(status=302, headers={"Location": "/"}), InDoubt),
        (Answer(status=201, body=b"<html>"), InDoubt),
        (Answer(status=201, body={}), InDoubt),
        (Answer(status=201, body={"data": {"id": "not a number"}}), InDoubt),
        (Answer(status=201, body=[]), InDoubt),
        (Answer(reset=True), InDoubt),
        (Answer(wait=60), InDoubt),
        (Answer(status=400, body=[1]), Refused),
        (Answer(status=401, body={"title": "Unauthorized"}), Unauthorized),
        (Answer(status=403, body={"detail": MENTIONED_ONLY}), NotInvited),
        (Answer(status=403, body=DUPLICATE), InDoubt),
        (Answer(status=403, body=["no"]), Refused),
        (Answer(status=429, body={}), RateLimited),
    ],
    ids=lambda value: getattr(value, "__name__", None) or f"{value.status} {str(value.body)[:24]} {value.wait}",
)  # fmt: skip
def test_each_failure_says_what_happens_next(answer: Answer, expected: type[AdapterError]) -> None:
    with playing(answer) as stage, pytest.raises(AdapterError) as caught:
        a_responder(stage.url, read_within=answer.read_within).send(a_reply("1900000000000000001"), key="reply-1")

    assert type(caught.value) is expected
    assert not any(secret in str(caught.value) for secret in KEYS.values())


def test_a_refused_connection_is_surely_undone(silent_port: int) -> None:
    with pytest.raises(Unavailable):
        a_responder(f"http://127.0.0.1:{silent_port}").send(a_reply("1900000000000000001"), key="reply-1")


def test_what_must_not_go_out_is_stopped_here() -> None:
    with playing(Answer(body={})) as stage:
        with pytest.raises(Refused, match="281"):
            a_responder(stage.url).send(a_reply("19", "x" * 281), key="reply-1")
        with pytest.raises(Refused, match="public"):
            a_responder(stage.url).send(a_reply("19", visibility=Visibility.DIRECT), key="reply-1")
        with pytest.raises(Unauthorized, match="CONSUMER_KEY"):
            a_responder(stage.url, consumer_key=None).send(a_reply("19"), key="reply-1")

        assert stage.asked == []


def test_the_longest_text_goes_out_byte_for_byte() -> None:
    text = "日" * 100 + "e\u0301" * 40 + " https://example.gov/a/very/long/path/indeed"
    assert x.length(text) == 264
    made = Answer(status=201, body={"data": {"id": "1900000000000000002"}})

    with playing(made) as stage:
        a_responder(stage.url).send(a_reply("1900000000000000001", text), key="reply-1")

    assert json.loads(stage.asked[0].body)["text"] == text


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", 0),
        ("hello", 5),
        ("日本", 4),
        ("👩‍👩‍👧‍👦", 2),
        ("e\u0301", 1),
        ("see https://example.gov/" + "a" * 90, 27),
        ("\ud83d", 2),
    ],
    ids=["empty", "latin", "cjk", "one family", "combining", "link", "half a pair"],
)
def test_the_count_is_x_s(text: str, counted: int) -> None:
    assert x.length(text) == counted
