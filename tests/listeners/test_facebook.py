"""The Facebook listener: facebook-sdk over loopback, against the sandbox, and against a server that plays worse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from errors import AdapterError, ConfigError, RateLimited, Refused, Unauthorized, Unavailable
from listeners import facebook
from listeners.base import Listener
from sandbox.running import Running, running
from tests.fixtures.playing import PATIENT, Answer, playing
from vocabulary import HeardHow, Mention, Page, Range

PAGE = "102030405060708"
TOKEN = "sandbox-page-token"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def network() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def city(network: Running) -> Running:
    network.ctl.reset()
    return network


def a_listener(url: str, **more: Any) -> Listener:
    general = {"platform": "facebook", "handle": "alderfalls", "access": "standard", "links": False, "sending": "armed"}
    own = {"page_id": PAGE, "page_access_token": TOKEN, "base_url": url, "read_within": PATIENT}
    return facebook.connect(general | own | more)


def a_range(source: str = "feed", **more: Any) -> Range:
    return Range(source=source, since=more.pop("since", NOW - timedelta(hours=24)), **more)


def walked(listener: Listener, wanted: Range) -> list[Page]:
    return list(listener.pages(wanted))


def heard(listener: Listener, wanted: Range) -> list[Mention]:
    return [mention for page in walked(listener, wanted) for mention in page.mentions]


def a_post(post_id: str = f"{PAGE}_1", **more: Any) -> dict[str, Any]:
    made = {
        "id": post_id,
        "message": "Pothole on Elm St",
        "created_time": NOW.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "from": {"id": "77", "name": "Jane Elm"},
        "permalink_url": "/alderfalls/posts/1",
    }
    return made | more


def served(*posts: dict[str, Any], **more: Any) -> Answer:
    return Answer(body={"data": list(posts)} | more)


def from_played(*answers: Answer, **wanted: Any) -> list[Page]:
    with playing(*answers) as stage:
        return walked(a_listener(stage.url), a_range(**wanted))


def test_all_pages_of_the_feed_are_read(city: Running) -> None:
    ids = city.ctl.load([{"platform": "facebook", "author": f"N {n}", "text": f"hole {n}"} for n in range(205)])

    pages = walked(a_listener(city.url), a_range())

    assert [m.post_id for page in pages for m in page.mentions] == list(reversed(ids))
    assert [len(page.mentions) for page in pages] == [100, 100, 5]
    assert pages[0].newest_id == ids[-1]
    assert all(TOKEN not in (page.next or "") for page in pages)


def test_a_walk_goes_on_where_it_was_stored(city: Running) -> None:
    city.ctl.load([{"platform": "facebook", "author": "Jane", "text": f"hole {n}"} for n in range(130)])
    first = next(a_listener(city.url).pages(a_range()))

    rest = walked(a_listener(city.url), a_range(resume_at=first.next))

    assert [len(page.mentions) for page in rest] == [30]


def test_a_cursor_that_graph_no_longer_takes_starts_the_walk_again(city: Running) -> None:
    city.ctl.post("hole", platform="facebook")

    assert len(heard(a_listener(city.url), a_range(resume_at='["old",false,100,[]]'))) == 1


@pytest.mark.parametrize("tagged", [False, True], ids=["feed", "tagged"])
def test_a_post_that_is_listed_late_is_heard(city: Running, tagged: bool) -> None:
    long_ago = (NOW - timedelta(days=5)).isoformat()
    post_id = city.ctl.post("hole", platform="facebook", author="Jane", posted_at=long_ago, tagged=tagged)

    found = heard(a_listener(city.url), a_range("tagged" if tagged else "feed", since=NOW))

    assert [m.post_id for m in found] == [post_id]


def test_what_was_walked_before_costs_one_call() -> None:
    old = [a_post(f"{PAGE}_{n}", created_time="2020-11-21T08:00:00+0000") for n in range(74)]
    new = [a_post(f"{PAGE}_9{n}", created_time=NOW.isoformat()) for n in range(25)]
    more = {"next": "x", "cursors": {"after": "abc"}}

    with playing(served(*new, *old, paging=more)) as stage:
        pages = walked(a_listener(stage.url), a_range())
        asked = len(stage.asked)
    with playing(served(*old, *new, paging=more), served(*old, paging=more)) as stage:
        further = walked(a_listener(stage.url), a_range())

    assert (asked, [len(page.mentions) for page in pages], pages[0].next) == (1, [99], None)
    assert [len(page.mentions) for page in further] == [99, 74]


@pytest.mark.parametrize("source", facebook.FacebookListener.sources)
def test_an_empty_page_is_no_trouble(city: Running, source: str) -> None:
    assert walked(a_listener(city.url), a_range(source)) == [Page()]


def test_a_visitor_s_post_carries_what_facebook_says_of_it(city: Running) -> None:
    post_id = city.ctl.post("Pothole & puddle 🕳️ cafe\u0301", platform="facebook", author="Jane Elm")

    mention = heard(a_listener(city.url), a_range())[0]

    assert (mention.post_id, mention.conversation_key, mention.in_reply_to) == (post_id, post_id, None)
    assert mention.text == "Pothole & puddle 🕳️ cafe\u0301"
    assert mention.author is not None
    assert mention.author.name == "Jane Elm"
    assert mention.heard_how is HeardHow.MENTION
    assert mention.posted_at.tzinfo is UTC
    assert mention.addresses_us
    assert mention.url.startswith("https://www.facebook.com/")
    assert json.loads(mention.raw)["id"] == post_id


def test_our_own_posts_and_comments_come_out_as_ours(city: Running) -> None:
    post = city.ctl.post("hole", platform="facebook")
    ours = city.ctl.post("By hand: on it", platform="facebook", as_="city", author="", in_reply_to=post)
    news = city.ctl.post("Sweeping today", platform="facebook", as_="city", author="")
    listener = a_listener(city.url)

    feed = walked(listener, a_range())[0]
    comments = walked(listener, a_range("comments"))[0]

    assert [own.post_id for own in feed.own_posts] == [news]
    assert [m.post_id for m in feed.mentions] == [post]
    assert [(o.post_id, o.in_reply_to, o.conversation_key) for o in comments.own_posts] == [(ours, post, post)]
    assert comments.mentions == ()


def test_comments_and_their_answers_are_heard_in_their_thread(city: Running) -> None:
    news = city.ctl.post("Sweeping today", platform="facebook", as_="city", author="")
    comment = city.ctl.post("Not on Elm", platform="facebook", author="Jane", in_reply_to=news)
    answer = city.ctl.post("Nor on Oak", platform="facebook", author="Bob", in_reply_to=comment)

    found = {m.post_id: m for m in heard(a_listener(city.url), a_range("comments"))}

    assert {m.conversation_key for m in found.values()} == {news}
    assert {m.heard_how for m in found.values()} == {HeardHow.PAGE_COMMENT}
    assert (found[comment].in_reply_to, found[answer].in_reply_to) == (news, comment)
    assert all(m.addresses_us for m in found.values())


def test_a_new_comment_under_an_old_post_is_heard(city: Running) -> None:
    long_ago = (NOW - timedelta(days=20)).isoformat()
    news = city.ctl.post("An old notice", platform="facebook", as_="city", author="", posted_at=long_ago)
    comment = city.ctl.post("Still broken", platform="facebook", author="Jane", in_reply_to=news)

    assert [m.post_id for m in heard(a_listener(city.url), a_range("comments"))] == [comment]


def test_a_thread_with_many_comments_is_read_to_its_end(city: Running) -> None:
    news = city.ctl.post("Flood warning", platform="facebook", as_="city", author="")
    quiet = city.ctl.post("Sweeping", platform="facebook", as_="city", author="")
    rows = [{"platform": "facebook", "author": f"N {n}", "text": f"water {n}", "in_reply_to": news} for n in range(240)]
    ids = city.ctl.load(rows)
    ids.append(city.ctl.post("thanks", platform="facebook", in_reply_to=quiet))

    pages = walked(a_listener(city.url), a_range("comments"))
    first = Range(source="comments", since=NOW - timedelta(days=1), resume_at=pages[0].next)
    resumed = walked(a_listener(city.url), first)

    assert {m.post_id for page in pages for m in page.mentions} == set(ids)
    assert [len(page.mentions) for page in pages] == [26, 100, 100, 15]
    assert [len(page.mentions) for page in resumed] == [100, 100, 15]


@pytest.mark.parametrize(("age", "pages"), [(timedelta(days=2), 2), (timedelta(hours=1), 4)], ids=["old", "since"])
def test_the_look_back_over_posts_is_bounded_but_for_those_since_the_mark(
    city: Running, monkeypatch: pytest.MonkeyPatch, age: timedelta, pages: int
) -> None:
    monkeypatch.setattr(facebook, "POSTS_LOOKED_AT", 50)
    posted_at = (NOW - age).isoformat()
    city.ctl.load(
        [{"platform": "facebook", "author": "J", "text": f"hole {n}", "posted_at": posted_at} for n in range(80)]
    )

    assert len(walked(a_listener(city.url), a_range("comments"))) == pages


def test_who_tags_us_may_stay_unknown(city: Running) -> None:
    post_id = city.ctl.post("look at this, Alder Falls", platform="facebook", author="Jane", tagged=True)

    mention = heard(a_listener(city.url), a_range("tagged"))[0]
    again = heard(a_listener(city.url), a_range("feed"))[0]

    assert (mention.post_id, mention.author, mention.heard_how) == (post_id, None, HeardHow.TAGGED)
    assert again.heard_how is HeardHow.TAGGED


def test_an_edit_keeps_its_id_and_reads_otherwise(city: Running) -> None:
    post_id = city.ctl.post("hole on Elm", platform="facebook")
    listener = a_listener(city.url)
    before = heard(listener, a_range())[0]
    city.ctl.edit(post_id, "hole on Oak")

    after = heard(listener, a_range())[0]

    assert (after.post_id, after.text) == (post_id, "hole on Oak")
    assert after.rev_hash != before.rev_hash


def test_looking_again_shows_what_stands_and_what_is_gone(city: Running) -> None:
    posts = [city.ctl.post(f"hole {n}", platform="facebook") for n in range(60)]
    news = city.ctl.post("Sweeping", platform="facebook", as_="city", author="")
    comment = city.ctl.post("Not here", platform="facebook", in_reply_to=news)
    tagging = city.ctl.post("see this", platform="facebook", tagged=True)
    for gone in (posts[7], posts[55]):
        city.ctl.delete(gone)

    edits, gone_ids = a_listener(city.url).look_again([*posts, comment, tagging, "5_99"])

    found = {edit.post_id: edit.mention for edit in edits}
    assert set(gone_ids) == {posts[7], posts[55], "5_99"}
    assert set(found) == {*posts, comment, tagging} - {posts[7], posts[55]}
    assert (found[comment].conversation_key, found[comment].heard_how) == (news, HeardHow.PAGE_COMMENT)
    assert found[tagging].heard_how is HeardHow.TAGGED


def test_a_lost_permission_is_not_a_deletion() -> None:
    gone = Answer(status=400, body={"error": {"code": 100, "error_subcode": 33, "message": "Unsupported get request"}})
    denied = Answer(status=403, body={"error": {"code": 10, "message": "(#10) pages_read_engagement"}})

    with playing(gone, denied) as stage, pytest.raises(Refused, match="pages_read_user_content"):
        a_listener(stage.url).look_again([f"{PAGE}_1"])


def test_a_post_may_come_twice_and_in_any_order(city: Running) -> None:
    ids = {city.ctl.post(f"hole {n}", platform="facebook") for n in range(5)}
    city.ctl.faults("facebook.feed", "repeat_pages")
    city.ctl.faults("facebook.feed", "shuffle")

    twice = [m.post_id for m in heard(a_listener(city.url), a_range())]
    shuffled = {m.post_id for m in heard(a_listener(city.url), a_range())}

    assert sorted(twice) == sorted([*ids, *ids])
    assert shuffled == ids


def test_a_post_listed_twice_gives_its_comments_once_more(city: Running) -> None:
    news = city.ctl.post("Flood warning", platform="facebook", as_="city", author="")
    rows = [{"platform": "facebook", "author": f"N {n}", "text": f"water {n}", "in_reply_to": news} for n in range(30)]
    ids = city.ctl.load(rows)
    city.ctl.faults("facebook.feed", "repeat_pages")

    assert {m.post_id for m in heard(a_listener(city.url), a_range("comments"))} == set(ids)


@pytest.mark.parametrize("kind", ["missing_fields", "wrong_types"])
def test_a_bad_item_costs_only_itself(city: Running, kind: str) -> None:
    ids = [city.ctl.post(f"hole {n}", platform="facebook") for n in range(4)]
    city.ctl.faults("facebook.feed", kind)

    page = walked(a_listener(city.url), a_range())[0]

    assert [m.post_id for m in page.mentions] == [ids[2], ids[0]]
    assert [json.loads(bad.raw)["id"] for bad in page.unreadable] == [ids[3], ids[1]]


@pytest.mark.parametrize("kind", ["unknown_fields", "numbers_as_strings", "ids_as_numbers"])
def test_an_odd_shape_is_read_all_the_same(city: Running, kind: str) -> None:
    post_id = city.ctl.post("hole", platform="facebook")
    city.ctl.faults("facebook.feed", kind)

    assert [m.post_id for m in heard(a_listener(city.url), a_range())] == [post_id]


@pytest.mark.parametrize(
    "item", [None, 7, "text", [], {}, {"id": "1"}, a_post(created_time="2026-11-21T08:00:00")], ids=repr
)
def test_an_item_of_no_shape_is_kept_whole(item: Any) -> None:
    page = from_played(Answer(body={"data": [item, a_post()]}))[0]

    assert json.loads(page.unreadable[0].raw) == item
    assert len(page.mentions) == 1


@pytest.mark.parametrize("comments", [7, {"data": "none"}, []], ids=repr)
def test_comments_of_no_shape_are_kept_with_their_post(comments: Any) -> None:
    good = a_post(f"{PAGE}_2", comments={"data": [a_post("2_5", message="x" * 8000), {"id": "2_6"}]})

    page = from_played(served({"id": f"{PAGE}_1", "comments": comments}, good), source="comments")[0]

    assert len(page.unreadable) == 2
    assert [m.text for m in page.mentions] == ["x" * 8000]


def test_a_picture_without_words_is_a_mention_with_a_lasting_address() -> None:
    album = {
        "data": [{"type": "album", "subattachments": {"data": [{"type": "photo", "url": "https://fb.example/p/1"}]}}]
    }
    post = a_post(attachments=album)
    del post["message"]

    mention = from_played(served(post))[0].mentions[0]

    assert mention.text == ""
    assert [(m.kind, m.url) for m in mention.media] == [("photo", "https://fb.example/p/1")]
    assert mention.url == "https://www.facebook.com/alderfalls/posts/1"


def test_a_next_page_without_a_cursor_is_not_the_end() -> None:
    bare = {"next": f"https://graph.facebook.com/v23.0/x/feed?access_token={TOKEN}"}
    with pytest.raises(Unavailable, match="no cursor"):
        from_played(served(a_post(), paging=bare))


def test_a_cursor_is_taken_out_of_the_link_where_it_stands_only_there() -> None:
    link = {"next": f"https://graph.facebook.com/v23.0/x/feed?access_token={TOKEN}&after=abc"}

    with playing(served(a_post(), paging=link), served()) as stage:
        pages = walked(a_listener(stage.url), a_range())

        assert stage.asked[1].query["after"] == "abc"
    assert TOKEN not in str(pages[0].next)


@pytest.mark.parametrize("source", ["feed", "comments"])
def test_a_listing_that_repeats_its_cursor_is_stopped(source: str) -> None:
    with pytest.raises(Unavailable, match="same cursor"):
        from_played(served(a_post(), paging={"next": "x", "cursors": {"after": "again"}}), source=source)


def test_the_proof_and_the_version_go_with_every_call() -> None:
    with playing(served()) as stage:
        walked(a_listener(stage.url, app_secret="s3cret", graph_version="v25.0"), a_range())

    assert stage.asked[0].path == f"/v25.0/{PAGE}/feed"
    assert len(stage.asked[0].query["appsecret_proof"]) == 64


def test_a_network_that_demands_the_proof_gets_it() -> None:
    with running(seed={"facebook": {"app_secret": "s3cret"}}) as strict:
        strict.ctl.post("hole", platform="facebook")

        assert len(heard(a_listener(strict.url, app_secret="s3cret"), a_range())) == 1
        with pytest.raises(Refused):
            walked(a_listener(strict.url), a_range())


USAGE = {"X-Business-Use-Case-Usage": json.dumps({PAGE: [{"type": "pages", "estimated_time_to_regain_access": 40}, 7]})}


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80001, "80001"])
@pytest.mark.parametrize(
    ("headers", "minutes"),
    [(USAGE, 40), ({}, 15), ({"X-Business-Use-Case-Usage": "soon"}, 15), ({"X-Business-Use-Case-Usage": "[]"}, 15)],
    ids=["with its time", "without", "nonsense", "another shape"],
)
def test_a_throttled_call_says_when_to_come_back(code: int | str, headers: dict[str, str], minutes: int) -> None:
    with pytest.raises(RateLimited) as caught:
        from_played(Answer(status=400, headers=headers, body={"error": {"code": code, "message": "limit reached"}}))

    assert abs(caught.value.retry_at - datetime.now(UTC) - timedelta(minutes=minutes)) < timedelta(seconds=20)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=500, body={"foo": 1}), Unavailable),
        (Answer(status=502, body=b"<html>"), Unavailable),
        (Answer(status=500, body={"error": {"code": 1, "message": "unknown"}}), Unavailable),
        (Answer(status=503, body={"error": {"code": 2}}), Unavailable),
        (Answer(status=200, body={"foo": 1}), Unavailable),
        (Answer(status=200, body=b'{"data": [{"id'), Unavailable),
        (Answer(status=200, body=b"<p>hello</p>", headers={"Content-Type": "text/html"}), Unavailable),
        (Answer(status=200, body=[]), Unavailable),
        (Answer(status=200, body=None), Unavailable),
        (Answer(status=200, body={"error": {"code": 190, "message": "told in a 200"}}), Unauthorized),
        (Answer(status=200, body={"error": "odd"}), Unavailable),
        (Answer(status=401, body=[7]), Unauthorized),
        (Answer(status=400, body={"error": {"code": 190, "error_subcode": 463, "message": "expired"}}), Unauthorized),
        (Answer(status=400, body={"error": {"code": 102}}), Unauthorized),
        (Answer(status=403, body={"error": {"code": 200, "message": "(#200) Permissions error"}}), Refused),
        (Answer(status=400, body=[{"message": "a list"}]), Refused),
        (Answer(status=429, body=b""), RateLimited),
        (Answer(reset=True), Unavailable),
        (Answer(wait=60), Unavailable),
    ],
    ids=lambda value: getattr(value, "__name__", None) or f"{value.status} {str(value.body)[:30]} {value.wait}",
)
def test_each_failure_says_what_happens_next(answer: Answer, expected: type[AdapterError]) -> None:
    with playing(answer) as stage, pytest.raises(AdapterError) as caught:
        walked(a_listener(stage.url, read_within=answer.read_within), a_range())

    assert type(caught.value) is expected
    assert TOKEN not in str(caught.value)


def test_an_answer_without_a_kind_is_unreadable() -> None:
    with pytest.raises(Unavailable):
        from_played(Answer(status=200, body=b"", headers={"Content-Type": ""}))


def test_no_error_shows_the_token(silent_port: int) -> None:
    with pytest.raises(Unavailable) as caught:
        walked(a_listener(f"http://127.0.0.1:{silent_port}"), a_range())

    chain = [caught.value, caught.value.__cause__]
    assert TOKEN not in "".join(str(err) for err in chain)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__suppress_context__


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"page": "1"}, "page"), ({"page_id": "alderfalls"}, "page_id"), ({"page_access_token": ""}, "page_access_token"),
     ({"graph_version": "23"}, "graph_version")],
    ids=["typo", "a name for an id", "no token", "no such version"],
)  # fmt: skip
def test_a_wrong_key_is_named_and_no_secret_shown(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        a_listener("http://127.0.0.1:1", **wrong)

    assert TOKEN not in str(caught.value)
