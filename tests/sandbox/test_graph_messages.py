"""Private replies of a Page, as Messenger takes them: one to a post or comment, within seven days."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import facebook
import pytest
import requests

from sandbox.running import Running

PAGE_ID = "102030405060708"


def send(graph: facebook.GraphAPI, recipient: dict[str, str], text: str = "You are not alone.") -> Any:
    return graph.put_object(PAGE_ID, "messages", recipient=json.dumps(recipient), message=json.dumps({"text": text}))


def code_of(graph: facebook.GraphAPI, recipient: dict[str, str], text: str = "You are not alone.") -> int:
    with pytest.raises(facebook.GraphAPIError) as refused:
        send(graph, recipient, text)
    code: int = refused.value.result["error"]["code"]
    return code


@pytest.fixture
def post(network: Running) -> str:
    return network.ctl.post("I can not go on", author="Maria Lopez", platform="facebook")


def test_a_private_reply_is_noted_and_seen_by_its_person_alone(
    network: Running, post: str, graph: facebook.GraphAPI
) -> None:
    sent = send(graph, {"post_id": post})

    author = graph.get_object(post, fields="from")["from"]["id"]
    assert sent["recipient_id"] == author
    (effect,) = network.ctl.effects()
    assert (effect["kind"], effect["id"], effect["in_reply_to"]) == ("private_reply", sent["message_id"], post)
    assert len(network.ctl.posts()) == 1
    assert "Private message of the Page to Maria Lopez" in requests.get(network.url, timeout=60).text


def test_a_comment_is_answered_privately_once(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    comment = network.ctl.post("Nor can I", author="Bob", platform="facebook", in_reply_to=post)
    assert graph.get_object(comment, fields="can_reply_privately")["can_reply_privately"] is True

    send(graph, {"comment_id": comment})

    assert code_of(graph, {"comment_id": comment}, "Other words") == 10900
    assert graph.get_object(comment, fields="can_reply_privately")["can_reply_privately"] is False
    assert len(network.ctl.effects(kind="private_reply")) == 1
    send(graph, {"post_id": post})


def test_after_a_week_it_is_too_late(network: Running, graph: facebook.GraphAPI) -> None:
    when = (datetime.now(UTC) - timedelta(days=7, minutes=1)).isoformat()
    post = network.ctl.post("I can not go on", platform="facebook", posted_at=when)

    assert code_of(graph, {"post_id": post}) == 10903


@pytest.mark.parametrize(
    ("recipient", "code"),
    [({"comment_id": "POST"}, 10903), ({"post_id": "1_2"}, 100), ({}, 100), ({"id": "7"}, 100)],
    ids=["a post as a comment", "nothing", "nobody", "a person"],
)
def test_whom_a_private_reply_does_not_reach(
    post: str, graph: facebook.GraphAPI, recipient: dict[str, str], code: int
) -> None:
    named = {name: post if value == "POST" else value for name, value in recipient.items()}

    assert code_of(graph, named) == code


def test_a_message_has_less_than_2000_characters(post: str, graph: facebook.GraphAPI) -> None:
    assert code_of(graph, {"post_id": post}, "x" * 2000) == 100

    assert send(graph, {"post_id": post}, "x" * 1999)["message_id"].startswith("m_")


def test_a_conversation_shows_what_the_page_wrote(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    other = network.ctl.post("Me neither", author="Bob", platform="facebook")
    for one in (post, other):
        send(graph, {"post_id": one}, f"about {one}")
    author = graph.get_object(post, fields="from")["from"]["id"]

    fields = "messages.limit(5){message,from}"
    (found,) = graph.get_connections(PAGE_ID, "conversations", user_id=author, fields=fields)["data"]

    (message,) = found["messages"]["data"]
    assert (message["message"], message["from"]["id"]) == (f"about {post}", PAGE_ID)
    assert len(graph.get_connections(PAGE_ID, "conversations")["data"]) == 2
