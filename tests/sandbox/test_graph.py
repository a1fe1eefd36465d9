"""The Graph API through the real facebook-sdk."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import facebook
import pytest
import requests

from sandbox import graph_fields
from sandbox.running import Running, running
from tests.sandbox.conftest import graph_client

PAGE_ID = "102030405060708"
SPECS = Path(__file__).parents[2].parent / "shared" / "specs" / "graph"


@pytest.fixture
def post(network: Running) -> str:
    return network.ctl.post("Street light out on Oak", author="Maria Lopez", platform="facebook")


def code_of(graph: facebook.GraphAPI, path: str, **args: str) -> tuple[int, int | None]:
    with pytest.raises(facebook.GraphAPIError) as refused:
        graph.get_object(path, **args)
    error = refused.value.result["error"]
    return error["code"], error.get("error_subcode")


def test_a_visitors_post_stands_on_the_pages_feed(post: str, graph: facebook.GraphAPI) -> None:
    (found,) = graph.get_connections(PAGE_ID, "feed", fields="id,message,from,created_time")["data"]

    assert found["id"] == post
    assert found["from"]["name"] == "Maria Lopez"
    assert datetime.strptime(found["created_time"], "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None
    assert graph.get_connections(PAGE_ID, "visitor_posts")["data"][0]["id"] == post


@pytest.mark.usefixtures("post")
def test_the_default_fields_of_a_feed_are_graphs(graph: facebook.GraphAPI) -> None:
    assert set(graph.get_connections(PAGE_ID, "feed")["data"][0]) == {"id", "message", "created_time"}


def test_who_tags_the_page_elsewhere_stays_unknown(network: Running, graph: facebook.GraphAPI) -> None:
    tag = network.ctl.post("Look at this", author="Tom", platform="facebook", tagged=True)

    (found,) = graph.get_connections(PAGE_ID, "tagged", fields="id,message,from")["data"]

    assert found == {"id": tag, "message": "Look at this"}


def test_a_hidden_author_is_left_out(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    network.ctl.post("Same", author="Private Person", platform="facebook", in_reply_to=post, hidden=True)

    (comment,) = graph.get_connections(post, "comments")["data"]

    assert set(comment) == {"id", "message", "created_time"}


def test_a_comment_is_answered_and_noted(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    comment = network.ctl.post("Same here", author="Bob", platform="facebook", in_reply_to=post)

    sent = graph.put_comment(comment, "Thank you, AF-7QK2M9")["id"]

    (reply,) = graph.get_connections(comment, "comments")["data"]
    assert reply["id"] == sent
    assert reply["from"]["id"] == PAGE_ID
    (effect,) = network.ctl.effects()
    assert (effect["platform"], effect["kind"], effect["in_reply_to"]) == ("facebook", "reply", comment)


def test_an_answer_to_an_answer_hangs_under_the_first(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    first = network.ctl.post("Same", author="Bob", platform="facebook", in_reply_to=post)
    second = network.ctl.post("And here", author="Eve", platform="facebook", in_reply_to=first)

    third = graph.put_comment(second, "Where?")["id"]

    assert graph.get_object(third, fields="parent")["parent"]["id"] == first
    assert len(graph.get_connections(first, "comments")["data"]) == 2


def test_a_stream_holds_all_levels_and_a_top_level_one(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    first = network.ctl.post("Same", author="Bob", platform="facebook", in_reply_to=post)
    second = network.ctl.post("And here", author="Eve", platform="facebook", in_reply_to=first)

    top = graph.get_connections(post, "comments", summary="true")
    stream = graph.get_connections(post, "comments", filter="stream", order="reverse_chronological")

    assert [one["id"] for one in top["data"]] == [first]
    assert top["summary"]["total_count"] == 1
    assert [one["id"] for one in stream["data"]] == [second, first]


def test_nested_fields_bring_comments_and_their_answers(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    first = network.ctl.post("Same", author="Bob", platform="facebook", in_reply_to=post)
    network.ctl.post("And here", author="Eve", platform="facebook", in_reply_to=first)

    found = graph.get_object(post, fields="message,comments.limit(1){message,from,comments{message}}")

    comment = found["comments"]["data"][0]
    assert comment["message"] == "Same"
    assert comment["comments"]["data"][0]["message"] == "And here"


def test_the_sdk_walks_through_all_pages(network: Running, graph: facebook.GraphAPI) -> None:
    posts = [{"platform": "facebook", "author": "R", "text": f"Report {n}"} for n in range(7)]
    ids = network.ctl.load(posts)

    found = [one["id"] for one in graph.get_all_connections(PAGE_ID, "feed", limit=3)]

    assert found == ids[::-1]


def test_pages_go_back_as_well(network: Running, graph: facebook.GraphAPI) -> None:
    network.ctl.load([{"platform": "facebook", "author": "R", "text": f"Report {n}"} for n in range(6)])
    first = graph.get_connections(PAGE_ID, "feed", limit=2)
    second = graph.get_connections(PAGE_ID, "feed", limit=2, after=first["paging"]["cursors"]["after"])

    back = graph.get_connections(PAGE_ID, "feed", limit=2, before=second["paging"]["cursors"]["before"])

    assert back["data"] == first["data"]
    assert "previous" in second["paging"]


def test_since_and_until_go_by_the_time_of_posting(network: Running, graph: facebook.GraphAPI) -> None:
    now = datetime.now(UTC)
    old = (now - timedelta(days=3)).isoformat()
    network.ctl.post("Old", author="R", platform="facebook", posted_at=old)
    network.ctl.post("New", author="R", platform="facebook")
    cut = int((now - timedelta(days=1)).timestamp())

    assert [one["message"] for one in graph.get_connections(PAGE_ID, "feed", since=cut)["data"]] == ["New"]
    assert [one["message"] for one in graph.get_connections(PAGE_ID, "feed", until=cut)["data"]] == ["Old"]


def test_a_post_loaded_with_a_past_time_is_listed_first(network: Running, graph: facebook.GraphAPI) -> None:
    network.ctl.post("New", author="R", platform="facebook")
    old = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    network.ctl.post("Old", author="R", platform="facebook", posted_at=old)

    listed = graph.get_connections(PAGE_ID, "feed")["data"]

    assert [one["message"] for one in listed] == ["Old", "New"]
    assert listed[0]["created_time"][:19] == old[:19]


def test_pictures_stand_among_the_attachments(network: Running, graph: facebook.GraphAPI) -> None:
    photo = {"kind": "photo", "url": "https://fb.example/1"}
    news = network.ctl.post("", author="R", platform="facebook", media=[photo])
    album = network.ctl.post(
        "Two", author="R", platform="facebook", media=[photo, {**photo, "url": "https://fb.example/2"}]
    )
    comment = network.ctl.post("", author="R", platform="facebook", in_reply_to=news, media=[photo])
    fields = "message,attachments{type,url,subattachments{type,url}}"

    shown = graph.get_objects([news, album], fields=fields)

    one = {"type": "photo", "url": "https://fb.example/1"}
    assert shown[news] == {"id": news, "attachments": {"data": [one]}}
    held = shown[album]["attachments"]["data"][0]
    assert (held["type"], held["subattachments"]["data"]) == ("album", [one, {**one, "url": "https://fb.example/2"}])
    assert graph.get_object(comment, fields="attachment{type,url}")["attachment"] == one


def test_an_edit_keeps_the_id(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    assert network.ctl.edit(post, "Two lights out") == post

    assert graph.get_object(post, fields="message")["message"] == "Two lights out"


def test_the_page_edits_and_deletes_its_own_words(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    sent = graph.put_comment(post, "Thnak you")["id"]

    graph.request(f"{graph.version}/{sent}", post_args={"message": "Thank you"}, method="POST")
    edited = graph.get_object(sent, fields="message")["message"]
    graph.delete_object(sent)

    assert edited == "Thank you"
    assert code_of(graph, sent) == (100, 33)
    assert [effect["kind"] for effect in network.ctl.effects()] == ["reply", "edit", "delete"]


def test_a_deleted_post_takes_its_comments_along(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    comment = network.ctl.post("Same", author="Bob", platform="facebook", in_reply_to=post)

    network.ctl.delete(post)

    assert code_of(graph, comment) == (100, 33)


def test_several_objects_come_at_once(post: str, graph: facebook.GraphAPI) -> None:
    found = graph.get_objects([post, PAGE_ID])

    assert set(found) == {post, PAGE_ID}


def test_errors_have_graphs_codes(network: Running, post: str, graph: facebook.GraphAPI) -> None:
    assert code_of(graph, "1_2") == (100, 33)
    assert code_of(graph, post, fields="colour") == (100, None)
    assert code_of(graph, post, fields="message{") == (2500, None)
    assert code_of(graph_client(network, "wrong"), "me") == (190, None)
    assert code_of(graph_client(network, version="v21.0"), "me") == (2635, None)
    assert code_of(graph_client(network, version="v99.0"), "me") == (2500, None)


def test_the_same_page_post_twice_is_506_and_the_same_comment_is_not(post: str, graph: facebook.GraphAPI) -> None:
    graph.put_object(PAGE_ID, "feed", message="Roads close at noon")
    with pytest.raises(facebook.GraphAPIError) as refused:
        graph.put_object(PAGE_ID, "feed", message="Roads close at noon")

    assert refused.value.code == 506
    assert graph.put_comment(post, "Thanks")["id"] != graph.put_comment(post, "Thanks")["id"]


def test_another_pages_posts_are_not_ours_to_read() -> None:
    pages = [{"username": "alderfalls", "name": "City"}, {"username": "parks", "name": "Parks"}]
    with running(seed={"facebook": {"pages": pages}}) as network:
        post = network.ctl.post("Hello", author="R", platform="facebook")

        assert code_of(graph_client(network, "sandbox-page-token-2"), post) == (10, None)


def test_an_app_secret_demands_its_proof() -> None:
    with running(seed={"facebook": {"app_secret": "hush"}}) as network:
        graph = graph_client(network)
        assert code_of(graph, "me") == (100, None)

        proof = hmac.new(b"hush", b"sandbox-page-token", hashlib.sha256).hexdigest()
        graph.session.params = {"appsecret_proof": proof}
        assert graph.get_object("me")["id"] == PAGE_ID


def test_calls_are_counted_when_limits_are_on(network: Running, graph: facebook.GraphAPI) -> None:
    network.ctl.limits(True, facebook=2)
    url, query = f"{network.url}/v25.0/me", {"access_token": "sandbox-page-token"}

    usage = requests.get(url, params=query, timeout=60).headers["X-App-Usage"]
    graph.get_object("me")

    assert json.loads(usage)["call_count"] == 50
    assert code_of(graph, "me") == (4, None)


@pytest.mark.skipif(not SPECS.exists(), reason="Meta's field lists are not beside the checkout (../shared/specs/graph)")
@pytest.mark.parametrize(("name", "kind"), [("Page", "page"), ("PagePost", "post"), ("Comment", "comment")])
def test_we_know_the_fields_meta_knows(name: str, kind: str) -> None:
    specification = json.loads((SPECS / f"{name}.json").read_text())

    assert {field["name"] for field in specification["fields"]} == graph_fields.FIELDS[kind]
    edges = {api.get("endpoint") for api in specification["apis"] if api["method"] == "GET"}
    assert graph_fields.EDGES[kind] <= edges | {"likes", "sharedposts"}
