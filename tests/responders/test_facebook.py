"""The Facebook responder: facebook-sdk over loopback, against the sandbox, and against a server that plays worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from errors import AdapterError, InDoubt, RateLimited, Refused, Unauthorized, Unavailable
from listeners import facebook as listening
from responders import facebook
from responders.base import Responder
from sandbox.running import Running, running
from tests.fixtures.playing import HASTY, PATIENT, Answer, playing
from vocabulary import ApprovedReply, Mention, Range, ReplyDraft, Visibility

PAGE = "102030405060708"
KEYS = {"page_id": PAGE, "page_access_token": "sandbox-page-token", "read_within": PATIENT}
TEXT = "Thank you. We filed AF-7QK2M9 & will look at it: https://311.example.gov/r/abc 🚧 cafe\u0301"


@pytest.fixture(scope="module")
def network() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def city(network: Running) -> Running:
    network.ctl.reset()
    return network


def a_responder(url: str, **more: Any) -> Responder:
    return facebook.connect({"platform": "facebook", "base_url": url} | KEYS | more)


def a_reply(in_reply_to: str, text: str = TEXT, root: str | None = None, at: datetime | None = None) -> ApprovedReply:
    draft = ReplyDraft(
        draft_id="1",
        account="page",
        platform="facebook",
        in_reply_to=in_reply_to,
        conversation_key=root or in_reply_to,
        addressee=None,
        text=text,
    )
    return draft.approve(by="ana@city.example", at=at or datetime.now(UTC))


def heard(url: str, source: str) -> list[Mention]:
    listener = listening.connect({"base_url": url} | KEYS)
    wanted = Range(source=source, since=datetime.now(UTC) - timedelta(hours=1))
    return [mention for page in listener.pages(wanted) for mention in page.mentions]


def test_an_approved_reply_is_posted_and_found_again(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    responder, reply = a_responder(city.url), a_reply(post)

    assert responder.find_sent(reply) is None
    sent = responder.send(reply, key="reply-1")
    found = responder.find_sent(reply)

    assert [p["text"] for p in city.ctl.posts(platform="facebook", in_reply_to=post)] == [TEXT]
    assert found is not None
    assert found.post_id == sent.post_id


def test_an_answer_to_an_answer_is_found_where_facebook_puts_it(city: Running) -> None:
    news = city.ctl.post("Sweeping", platform="facebook", as_="city", author="")
    comment = city.ctl.post("Not on Elm", platform="facebook", author="Jane", in_reply_to=news)
    answer = city.ctl.post("Nor on Oak", platform="facebook", author="Bob", in_reply_to=comment)
    responder, reply = a_responder(city.url), a_reply(answer, root=news)

    sent = responder.send(reply, key="reply-1")
    found = responder.find_sent(reply)

    assert found is not None
    assert found.post_id == sent.post_id


def test_the_same_words_to_somebody_else_are_another_reply(city: Running) -> None:
    news = city.ctl.post("Sweeping", platform="facebook", as_="city", author="")
    jane = city.ctl.post("Thanks", platform="facebook", author="Jane", in_reply_to=news)
    bob = city.ctl.post("Thank you", platform="facebook", author="Bob", in_reply_to=news)
    responder = a_responder(city.url)
    responder.send(a_reply(jane, "You are welcome.", root=news), key="reply-1")

    assert responder.find_sent(a_reply(bob, "You are welcome.", root=news)) is None


def test_the_rehearsal_shows_the_call_and_no_secret(city: Running) -> None:
    shown = a_responder(city.url).would_send(a_reply("1_2"))

    assert shown == {"method": "POST", "path": "/v23.0/1_2/comments", "message": TEXT}
    assert city.ctl.effects() == []


@pytest.mark.parametrize("kind", ["500", "503", "timeout", "reset", "cut_json", "html", "json_500"])
def test_what_was_done_but_not_answered_is_in_doubt_and_found(
    city: Running, kind: str, wait_until: Callable[..., None]
) -> None:
    post = city.ctl.post("hole", platform="facebook")
    city.ctl.faults("facebook.create", kind, after_effect=True, seconds=30)
    sender, reply = a_responder(city.url, read_within=HASTY if kind == "timeout" else PATIENT), a_reply(post)

    with pytest.raises(InDoubt):
        sender.send(reply, key="reply-1")

    wait_until(city.ctl.effects)
    assert a_responder(city.url).find_sent(reply) is not None


def test_a_deleted_post_cannot_be_answered(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    city.ctl.delete(post)
    responder = a_responder(city.url)

    assert not responder.look(post).exists
    assert responder.find_sent(a_reply(post)) is None
    with pytest.raises(Refused):
        responder.send(a_reply(post), key="reply-1")


def test_posts_and_comments_read_now_as_the_listener_heard_them(city: Running) -> None:
    post = city.ctl.post("Puddle 🕳️ cafe\u0301", platform="facebook", author="Jane")
    comment = city.ctl.post("me too", platform="facebook", author="Bob", in_reply_to=post)
    responder = a_responder(city.url)

    for post_id, mention in ((post, heard(city.url, "feed")[0]), (comment, heard(city.url, "comments")[0])):
        now = responder.look(post_id)
        assert mention.author is not None
        assert (now.post_id, now.rev_hash) == (mention.post_id, mention.rev_hash)
        assert now.author_id == mention.author.platform_user_id


def test_an_edit_is_seen_before_sending(city: Running) -> None:
    post = city.ctl.post("hole on Elm", platform="facebook")
    before = a_responder(city.url).look(post)
    city.ctl.edit(post, "hole on Oak")

    assert a_responder(city.url).look(post).rev_hash != before.rev_hash


def test_a_reply_is_retracted_once_or_twice(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    responder, reply = a_responder(city.url), a_reply(post)
    sent = responder.send(reply, key="reply-1")

    responder.retract(sent.post_id)
    responder.retract(sent.post_id)

    assert city.ctl.posts(platform="facebook", in_reply_to=post) == []
    assert responder.find_sent(reply) is None


def test_what_a_resident_wrote_is_never_deleted(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    comment = city.ctl.post("bad city", platform="facebook", in_reply_to=post)

    with pytest.raises(Refused, match="not ours"):
        a_responder(city.url).retract(comment)

    assert len(city.ctl.posts(platform="facebook", in_reply_to=post)) == 1


def test_an_earlier_answer_with_the_same_reference_is_not_this_reply(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    responder = a_responder(city.url)
    responder.send(a_reply(post), key="reply-1")

    follow_up = a_reply(post, "AF-7QK2M9 is fixed.", at=datetime.now(UTC) + timedelta(hours=1))

    assert responder.find_sent(follow_up) is None


def test_an_answer_that_staff_wrote_by_hand_is_found_by_its_reference(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    reply = a_reply(post)
    by_hand = city.ctl.post("Jane, it is AF-7QK2M9", platform="facebook", as_="city", author="", in_reply_to=post)
    city.ctl.load([{"platform": "facebook", "author": "N", "text": f"me {n}", "in_reply_to": post} for n in range(120)])

    found = a_responder(city.url).find_sent(reply)

    assert found is not None
    assert found.post_id == by_hand


@pytest.mark.parametrize("kind", ["missing_fields", "wrong_types"])
def test_a_thread_that_cannot_be_read_is_not_an_empty_one(city: Running, kind: str) -> None:
    post = city.ctl.post("hole", platform="facebook")
    responder, reply = a_responder(city.url), a_reply(post)
    responder.send(reply, key="reply-1")
    city.ctl.faults("facebook.comments", kind)

    with pytest.raises(Unavailable):
        responder.find_sent(reply)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=500, body={"foo": 1}), InDoubt),
        (Answer(status=500, body={"error": {"code": 1}}), InDoubt),
        (Answer(status=400, body={"error": {"code": 506, "message": "Duplicate status message"}}), InDoubt),
        (Answer(status=200, body={}), InDoubt),
        (Answer(status=200, body={"id": True}), InDoubt),
        (Answer(status=200, body=b"<html>", headers={"Content-Type": "text/html"}), InDoubt),
        (Answer(status=200, body=b"", headers={"Content-Type": "application/json"}), InDoubt),
        (Answer(reset=True), InDoubt),
        (Answer(wait=60), InDoubt),
        (Answer(status=400, body={"error": {"code": 368, "message": "blocked"}}), Refused),
        (Answer(status=403, body={"error": {"code": 200, "message": "no"}}), Refused),
        (Answer(status=401, body={"error": {"code": 190}}), Unauthorized),
        (Answer(status=400, body={"error": {"code": 32}}), RateLimited),
        (Answer(status=400, body=[1]), Refused),
    ],
    ids=lambda value: getattr(value, "__name__", None) or f"{value.status} {str(value.body)[:30]} {value.wait}",
)
def test_each_failure_says_what_happens_next(answer: Answer, expected: type[AdapterError]) -> None:
    with playing(answer) as stage, pytest.raises(AdapterError) as caught:
        a_responder(stage.url, read_within=answer.read_within).send(a_reply("1_2"), key="reply-1")

    assert type(caught.value) is expected
    assert "sandbox-page-token" not in str(caught.value)


def test_a_refused_connection_is_surely_undone(silent_port: int) -> None:
    with pytest.raises(Unavailable):
        a_responder(f"http://127.0.0.1:{silent_port}").send(a_reply("1_2"), key="reply-1")


def test_what_must_not_go_out_is_stopped_here() -> None:
    hidden = replace(a_reply("1_2").draft, visibility=Visibility.FOLLOWERS).approve(by="ana", at=datetime.now(UTC))
    with playing(Answer(body={})) as stage:
        with pytest.raises(Refused, match="8001"):
            a_responder(stage.url).send(a_reply("1_2", "x" * 8001), key="reply-1")
        with pytest.raises(Refused, match="public"):
            a_responder(stage.url).send(hidden, key="reply-1")
        with pytest.raises(Refused, match="no id"):
            a_responder(stage.url).send(a_reply("../me/feed?x="), key="reply-1")

        assert stage.asked == []


def test_the_longest_text_goes_out_byte_for_byte() -> None:
    text = ("👩‍👩‍👧‍👦e\u0301 &+%" * 800)[:8000].rstrip()
    with playing(Answer(body={"id": "1_3"})) as stage:
        a_responder(stage.url).send(a_reply("1_2", text), key="reply-1")

    assert parse_qs(stage.asked[0].body.decode())["message"] == [text]


def privately(
    in_reply_to: str, text: str = TEXT, root: str | None = None, addressee: str | None = None
) -> ApprovedReply:
    public = a_reply(in_reply_to, text, root)
    draft = replace(public.draft, visibility=Visibility.DIRECT, addressee=addressee)
    return draft.approve(by="ana@city.example", at=public.approved_at)


def author_of(city: Running, post_id: str) -> str | None:
    return a_responder(city.url).look(post_id).author_id


def test_a_private_reply_reaches_the_author_alone_and_is_found_again(city: Running) -> None:
    post = city.ctl.post("I can not go on", platform="facebook", author="Jane")
    comment = city.ctl.post("Nor can I", platform="facebook", author="Bob", in_reply_to=post)
    responder = a_responder(city.url)
    to_jane = privately(post, addressee=author_of(city, post))
    to_bob = privately(comment, root=post, addressee=author_of(city, comment))

    sent = responder.send(to_jane, key="reply-1")

    assert responder.find_sent(to_jane) == sent
    assert responder.find_sent(to_bob) is None
    assert responder.send(to_bob, key="reply-2") == responder.find_sent(to_bob)
    assert city.ctl.posts(platform="facebook", in_reply_to=post) == city.ctl.posts(in_reply_to=post)
    assert [effect["kind"] for effect in city.ctl.effects()] == ["private_reply", "private_reply"]


def test_a_second_private_reply_is_refused_by_facebook_and_looked_for(city: Running) -> None:
    post = city.ctl.post("I can not go on", platform="facebook")
    responder = a_responder(city.url)
    responder.send(privately(post), key="reply-1")

    with pytest.raises(InDoubt, match="10900"):
        responder.send(privately(post, "Other words"), key="reply-2")

    assert len(city.ctl.effects(kind="private_reply")) == 1


@pytest.mark.parametrize("kind", ["500", "timeout", "cut_json", "missing_fields"])
def test_a_private_reply_without_an_answer_is_in_doubt_and_found(
    city: Running, kind: str, wait_until: Callable[..., None]
) -> None:
    post = city.ctl.post("I can not go on", platform="facebook", author="Jane")
    reply = privately(post, addressee=author_of(city, post))
    city.ctl.faults("facebook.message", kind, after_effect=True, seconds=30)
    sender = a_responder(city.url, read_within=HASTY if kind == "timeout" else PATIENT)

    with pytest.raises(InDoubt):
        sender.send(reply, key="reply-1")

    wait_until(city.ctl.effects)
    assert a_responder(city.url).find_sent(reply) is not None


def test_where_the_author_is_hidden_only_facebooks_word_that_none_was_sent_counts(city: Running) -> None:
    post = city.ctl.post("I can not go on", platform="facebook", author="Jane", hidden=True)
    responder = a_responder(city.url)
    assert responder.find_sent(privately(post)) is None

    responder.send(privately(post), key="reply-1")

    with pytest.raises(Refused, match="nothing shows"):
        responder.find_sent(privately(post))


def test_the_rehearsal_of_a_private_reply_names_the_comment_and_no_person(city: Running) -> None:
    shown = a_responder(city.url).would_send(privately("1_2", root="1", addressee="77"))

    assert shown["path"] == f"/v23.0/{PAGE}/messages"
    assert shown["recipient"] == '{"comment_id":"1_2"}'
    assert shown["message.text"] == TEXT


def test_a_private_message_has_a_bound_of_its_own_and_is_not_taken_back(city: Running) -> None:
    post = city.ctl.post("I can not go on", platform="facebook")
    responder = a_responder(city.url)

    with pytest.raises(Refused, match="1999"):
        responder.send(privately(post, "x" * 2000), key="reply-1")
    sent = responder.send(privately(post, "x" * 1999), key="reply-1")
    with pytest.raises(Refused, match="taken back"):
        responder.retract(sent.post_id)
