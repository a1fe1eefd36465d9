"""The X listener: tweepy over loopback, against the sandbox, and against a server that plays what no sandbox would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients import x_posts
from clients.x import Account
from errors import AdapterError, ConfigError, RateLimited, Refused, Unauthorized, Unavailable
from listeners import x
from listeners.base import Listener
from sandbox.running import Running, running
from tests.fixtures.playing import PATIENT, Answer, playing
from vocabulary import HeardHow, Mention, Page, Range

US = "2207129125"
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
    general = {"platform": "x", "poll_every": timedelta(minutes=1), "sending": "dry_run", "name": "city_hall_x"}
    own = {"handle": "alderfalls", "base_url": url, "bearer_token": "sandbox-bearer-token", "read_within": PATIENT}
    return x.connect(general | own | more)


def a_range(source: str = "mentions", **more: Any) -> Range:
    return Range(source=source, since=more.pop("since", NOW - timedelta(hours=24)), **more)


def walked(listener: Listener, wanted: Range) -> list[Page]:
    return list(listener.pages(wanted))


def heard(listener: Listener, wanted: Range) -> list[Mention]:
    return [mention for page in walked(listener, wanted) for mention in page.mentions]


def a_post(post_id: str = "1900000000000000001", **more: Any) -> dict[str, Any]:
    made = {
        "id": post_id,
        "text": "@alderfalls pothole on Elm St",
        "author_id": "77",
        "conversation_id": post_id,
        "created_at": "2026-11-21T08:00:00.000Z",
        "edit_history_tweet_ids": [post_id],
        "entities": {"mentions": [{"start": 0, "end": 11, "username": "alderfalls", "id": US}]},
    }
    return made | more


def served(*posts: dict[str, Any], **more: Any) -> Answer:
    return Answer(body={"data": list(posts), "meta": {"result_count": len(posts)}} | more)


def from_played(*answers: Answer, **wanted: Any) -> list[Page]:
    with playing(*answers) as stage:
        return walked(a_listener(stage.url, user_id=US), a_range(**wanted))


def test_all_pages_are_read_newest_first(city: Running) -> None:
    ids = city.ctl.load(
        [{"platform": "x", "author": f"neighbor{n}", "text": f"@alderfalls hole {n}"} for n in range(205)]
    )

    pages = walked(a_listener(city.url), a_range())

    assert [m.post_id for page in pages for m in page.mentions] == list(reversed(ids))
    assert [len(page.mentions) for page in pages] == [100, 100, 5]
    assert pages[0].newest_id == ids[-1]
    assert [page.next is None for page in pages] == [False, False, True]
    assert pages[-1].gap_before is None


def test_a_walk_goes_on_where_it_was_stored(city: Running) -> None:
    city.ctl.load([{"platform": "x", "author": "jane", "text": f"@alderfalls hole {n}"} for n in range(130)])
    first = next(a_listener(city.url).pages(a_range()))
    assert first.next is not None
    assert "sandbox" not in first.next

    rest = walked(a_listener(city.url), a_range(resume_at=first.next))

    assert [len(page.mentions) for page in rest] == [30]


def test_a_page_token_that_x_no_longer_takes_starts_the_walk_again(city: Running) -> None:
    city.ctl.post("@alderfalls hole")
    bound = f"at:{(NOW - timedelta(hours=3)).replace(microsecond=0).isoformat()}"

    found = heard(a_listener(city.url), a_range(resume_at=f"{bound} 1 not!a!token"))

    assert len(found) == 1


def test_an_empty_page_is_no_trouble(city: Running) -> None:
    assert walked(a_listener(city.url), a_range()) == [Page()]


def test_only_what_is_newer_than_the_mark_is_asked_for(city: Running) -> None:
    city.ctl.clock(shift=-7200)
    city.ctl.post("@alderfalls before the mark")
    city.ctl.clock(shift=5340)  # 31 minutes ago
    late = city.ctl.post("@alderfalls listed late")
    city.ctl.clock(shift=60)
    mark = city.ctl.post("@alderfalls the mark")
    city.ctl.clock(shift=1800)
    new = city.ctl.post("@alderfalls the newest")

    found = heard(a_listener(city.url), a_range(since_id=mark))

    assert {m.post_id for m in found} == {new, mark, late}


def test_a_mention_carries_what_x_says_of_it(city: Running) -> None:
    post_id = city.ctl.post("Pothole & puddle <here> 🕳️ cafe\u0301 at Elm St @alderfalls", author="jane_elm")

    mention = heard(a_listener(city.url), a_range())[0]

    assert mention.post_id == post_id
    assert mention.text == "Pothole & puddle <here> 🕳️ cafe\u0301 at Elm St @alderfalls"
    assert mention.author is not None
    assert mention.author.handle == "jane_elm"
    assert mention.author.platform_user_id.isdecimal()
    assert mention.url == f"https://x.com/jane_elm/status/{post_id}"
    assert mention.conversation_key == post_id
    assert mention.posted_at.tzinfo is UTC
    assert mention.heard_how is HeardHow.MENTION
    assert mention.addresses_us
    assert json.loads(mention.raw)["id"] == post_id


def test_a_reply_to_our_post_is_heard_as_a_reply(city: Running) -> None:
    ours = city.ctl.post("Crews are out today.", as_="city", author="")
    city.ctl.post("Come to Elm St too", author="jane", in_reply_to=ours)

    mention = heard(a_listener(city.url), a_range())[0]

    assert mention.heard_how is HeardHow.REPLY
    assert mention.in_reply_to == ours
    assert mention.conversation_key == ours
    assert mention.addresses_us


def test_a_handle_inherited_from_the_thread_is_no_invitation(city: Running) -> None:
    root = city.ctl.post("@alderfalls pothole", author="jane")
    city.ctl.post("I saw it as well", author="bob", in_reply_to=root, mention=False)

    by_text = {m.text: m for m in heard(a_listener(city.url), a_range())}

    bystander = next(m for text, m in by_text.items() if text.endswith("I saw it as well"))
    assert not bystander.addresses_us
    assert by_text["@alderfalls pothole"].addresses_us


def test_a_handle_typed_inside_a_reply_is_one(city: Running) -> None:
    root = city.ctl.post("huge pothole", author="jane", mention=False)
    city.ctl.post("hey @alderfalls look at this", author="bob", in_reply_to=root)

    assert heard(a_listener(city.url), a_range())[0].addresses_us


def test_our_own_posts_come_out_as_ours(city: Running) -> None:
    root = city.ctl.post("@alderfalls pothole", author="jane")
    ours = city.ctl.post("By hand: we are on it", as_="city", author="", in_reply_to=root)

    pages = walked(a_listener(city.url), a_range("own"))

    assert [(own.post_id, own.in_reply_to, own.conversation_key) for own in pages[0].own_posts] == [(ours, root, root)]
    assert pages[0].mentions == ()


def test_a_tracked_phrase_is_found_without_our_handle(city: Running) -> None:
    city.ctl.post("the alder falls bridge is icy", author="jane", mention=False)
    city.ctl.post("nothing for us", author="bob", mention=False)

    found = heard(a_listener(city.url, track=["#alderfalls", "alder falls bridge"]), a_range("search"))

    assert [(m.heard_how, m.addresses_us) for m in found] == [(HeardHow.SEARCH, False)]


def test_a_quote_of_our_post_is_found_without_our_handle(city: Running) -> None:
    ours = city.ctl.post("Street sweeping today", as_="city", author="")
    city.ctl.post("not on my street", author="jane", quoted=ours, mention=False)

    found = heard(a_listener(city.url), a_range("quotes"))

    assert [(m.heard_how, m.quoted_post_id, m.addresses_us) for m in found] == [(HeardHow.QUOTE, ours, True)]


def test_without_tracked_terms_nothing_is_searched(city: Running) -> None:
    assert a_listener(city.url).sources == ("mentions", "quotes", "own")
    assert a_listener(city.url, track=["#alderfalls"]).sources == ("mentions", "search", "quotes", "own")


def test_a_search_reaches_back_a_week_and_says_what_lies_before(city: Running) -> None:
    city.ctl.post("#alderfalls flood", author="jane", mention=False)

    pages = walked(a_listener(city.url, track=["#alderfalls"]), a_range("search", since=NOW - timedelta(days=30)))

    assert len(pages[0].mentions) == 1
    gap = pages[-1].gap_before
    assert gap is not None
    assert abs(gap - (datetime.now(UTC) - timedelta(days=7))) < timedelta(minutes=5)


def test_a_search_survives_a_clock_that_differs_from_ours(city: Running) -> None:
    city.ctl.clock(shift=3600)
    city.ctl.post("#alderfalls flood", author="jane", mention=False)

    pages = walked(
        a_listener(city.url, track=["#alderfalls"]), a_range("search", since=NOW - timedelta(days=7, hours=-0.5))
    )

    city.ctl.clock(shift=0)
    assert len(pages[0].mentions) == 1
    assert pages[-1].gap_before is not None


def test_the_end_of_the_mentions_timeline_is_a_gap() -> None:
    pages = [served(a_post(str(10**18 + n)), meta={"next_token": f"t{n}"}) for n in range(7)]

    last = from_played(*pages, served(a_post("1000000000000000008")))[-1]

    assert last.gap_before == datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize(("newest", "lost"), [("1000000000000000007", True), ("1000000000000000008", False)])
def test_walking_twice_what_was_heard_is_no_gap(newest: str, lost: bool) -> None:
    pages = [served(a_post(str(10**18 + 20 - n)), meta={"next_token": f"t{n}"}) for n in range(7)]

    last = from_played(*pages, served(a_post("1000000000000000008")), since_id=newest)[-1]

    assert (last.gap_before is not None) is lost


def test_a_listing_that_repeats_its_token_is_stopped() -> None:
    with pytest.raises(Unavailable, match="same page token"):
        from_played(served(a_post(), meta={"next_token": "again"}))


def test_a_post_may_come_twice_and_in_any_order(city: Running) -> None:
    ids = {city.ctl.post(f"@alderfalls {n}") for n in range(5)}
    city.ctl.faults("x.mentions", "repeat_pages")
    city.ctl.faults("x.mentions", "shuffle")

    twice = [m.post_id for m in heard(a_listener(city.url), a_range())]
    shuffled = walked(a_listener(city.url), a_range())

    assert sorted(twice) == sorted([*ids, *ids])
    assert {m.post_id for m in shuffled[0].mentions} == ids
    assert shuffled[0].newest_id == max(ids)


@pytest.mark.parametrize("kind", ["missing_fields", "wrong_types"])
def test_a_bad_item_costs_only_itself(city: Running, kind: str) -> None:
    ids = [city.ctl.post(f"@alderfalls hole {n}") for n in range(4)]
    city.ctl.faults("x.mentions", kind)

    page = walked(a_listener(city.url), a_range())[0]

    assert [m.post_id for m in page.mentions] == [ids[2], ids[0]]
    assert [json.loads(bad.raw)["id"] for bad in page.unreadable] == [ids[3], ids[1]]
    assert all(bad.why for bad in page.unreadable)


@pytest.mark.parametrize("kind", ["unknown_fields", "numbers_as_strings", "ids_as_numbers"])
def test_an_odd_shape_is_read_all_the_same(city: Running, kind: str) -> None:
    post_id = city.ctl.post("@alderfalls hole")
    city.ctl.faults("x.mentions", kind)

    found = heard(a_listener(city.url, user_id=US), a_range())

    assert [(m.post_id, m.addresses_us) for m in found] == [(post_id, True)]


@pytest.mark.parametrize(
    "item", [None, 7, "text", [], {}, {"id": "1"}, a_post(text=None), a_post(created_at="yesterday")], ids=repr
)
def test_an_item_of_no_shape_is_kept_whole(item: Any) -> None:
    page = from_played(Answer(body={"data": [item, a_post()], "meta": {}}))[0]

    assert json.loads(page.unreadable[0].raw) == item
    assert len(page.mentions) == 1


def test_plain_retweets_are_left_out_and_quotes_kept() -> None:
    retweet = a_post("1900000000000000002", referenced_tweets=[{"type": "retweeted", "id": "1"}])
    quote = a_post("1900000000000000003", referenced_tweets=[{"type": "quoted", "id": "9"}])

    page = from_played(served(retweet, quote))[0]

    assert [m.post_id for m in page.mentions] == ["1900000000000000003"]
    assert page.newest_id == "1900000000000000003"


def test_a_long_post_is_read_whole() -> None:
    whole = "@alderfalls " + "na\u0308 👍🏽 " * 5000

    mention = from_played(served(a_post(note_tweet={"text": whole})))[0].mentions[0]

    assert mention.text == whole


def test_what_no_database_takes_is_replaced() -> None:
    raw = json.dumps({"data": [a_post(text="a\x00b")], "meta": {}}).replace("a\\u0000b", "a\\u0000b\\ud83d").encode()

    assert from_played(Answer(body=raw))[0].mentions[0].text == "a\ufffdb\ufffd"


def test_media_place_and_language_are_read() -> None:
    post = a_post(
        attachments={"media_keys": ["3_1", "missing"]},
        geo={"coordinates": {"type": "Point", "coordinates": [-90.5, 41.5]}},
        lang="und",
    )
    photo = {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/1.jpg", "alt_text": "A hole"}

    mention = from_played(served(post, includes={"media": [photo, 7], "users": "none"}))[0].mentions[0]

    assert [(m.kind, m.url, m.alt) for m in mention.media] == [("photo", "https://pbs.twimg.com/1.jpg", "A hole")]
    assert (mention.lat, mention.long, mention.language) == (41.5, -90.5, None)
    assert mention.author is not None
    assert (mention.author.platform_user_id, mention.author.handle) == ("77", "")


def test_an_edited_post_says_which_posts_it_was(city: Running) -> None:
    before = city.ctl.post("@alderfalls pothole on Elm")
    after = city.ctl.edit(before, "@alderfalls pothole on Oak")

    mention = heard(a_listener(city.url), a_range())[0]

    assert (mention.post_id, mention.edited_from) == (after, (before,))


def test_looking_again_shows_edits_and_what_is_gone(city: Running) -> None:
    edited = city.ctl.post("@alderfalls pothole on Elm")
    same = city.ctl.post("@alderfalls pothole on Pine")
    deleted = city.ctl.post("@alderfalls never mind")
    after = city.ctl.edit(edited, "@alderfalls pothole on Oak")
    city.ctl.delete(deleted)

    edits, gone = a_listener(city.url).look_again([edited, same, deleted, "no-such-id", "12345"])

    texts = {edit.post_id: (edit.mention.post_id, edit.mention.text) for edit in edits}
    assert texts == {edited: (after, "@alderfalls pothole on Oak"), same: (same, "@alderfalls pothole on Pine")}
    assert set(gone) == {deleted, "12345"}


def test_more_than_a_hundred_posts_are_looked_at_again(city: Running) -> None:
    ids = city.ctl.load([{"platform": "x", "author": "jane", "text": f"@alderfalls hole {n}"} for n in range(120)])

    edits, gone = a_listener(city.url).look_again(ids)

    assert (len(edits), gone) == (120, ())


def test_a_dead_token_pauses_the_account(city: Running) -> None:
    with pytest.raises(Unauthorized):
        walked(a_listener(city.url, bearer_token="wrong"), a_range())


def test_the_writing_keys_read_too(city: Running) -> None:
    city.ctl.post("@alderfalls hole")
    writing = {
        "bearer_token": None,
        "consumer_key": "sandbox-consumer-key",
        "consumer_secret": "sandbox-consumer-secret",
        "access_token": "sandbox-access-token",
        "access_token_secret": "sandbox-access-token-secret",
    }

    assert len(heard(a_listener(city.url, **writing), a_range())) == 1


@pytest.mark.parametrize(
    ("headers", "within"),
    [
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 600)}, (0, 610)),
        ({}, (880, 910)),
        ({"x-rate-limit-reset": "soon"}, (880, 910)),
        ({"x-rate-limit-reset": "1"}, (880, 910)),
        ({"x-rate-limit-reset": "99999999999999999999"}, (880, 910)),
    ],
    ids=["with its time", "without", "nonsense", "long past", "too large"],
)
def test_a_429_says_when_to_come_back(headers: dict[str, str], within: tuple[int, int]) -> None:
    asked_at = datetime.now(UTC)  # NOW is when the tests were collected, minutes ago on a loaded machine

    with pytest.raises(RateLimited) as caught:
        from_played(Answer(status=429, headers=headers, body={"title": "Too Many Requests"}))

    assert within[0] <= (caught.value.retry_at - asked_at).total_seconds() <= within[1] + 120


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=500, body={"title": "x"}), Unavailable),
        (Answer(status=503, body=b"<html>503</html>"), Unavailable),
        (Answer(status=302, headers={"Location": "https://elsewhere.example/"}), Unavailable),
        (Answer(status=200, body=b"<!DOCTYPE html><p>hello"), Unavailable),
        (Answer(status=200, body=b'{"data": [{"id'), Unavailable),
        (Answer(status=200, body=b"\xff\xfe\x00"), Unavailable),
        (Answer(status=200, body=b"[" * 100_000), Unavailable),
        (Answer(status=200, body=b""), Unavailable),
        (Answer(status=200, body=[]), Unavailable),
        (Answer(status=200, body="hello"), Unavailable),
        (Answer(reset=True), Unavailable),
        (Answer(wait=60), Unavailable),
        (Answer(status=400, body=[{"message": "Something went wrong", "code": 131}]), Refused),
        (Answer(status=401, body=[]), Unauthorized),
        (Answer(status=402, body={"title": "CreditsDepleted"}), Unauthorized),
        (Answer(status=403, body={"reason": "client-not-enrolled", "type": "…/client-forbidden"}), Unauthorized),
        (Answer(status=404, body="nothing"), Refused),
        (Answer(status=200, body={"errors": [{"title": "Not Found Error", "detail": "no such user"}]}), Refused),
    ],
    ids=lambda value: (
        getattr(value, "__name__", None) or f"{value.status}-{str(value.body)[:12]!r}-{value.wait}-{value.reset}"
    ),
)
def test_each_failure_says_what_happens_next(answer: Answer, expected: type[AdapterError]) -> None:
    with playing(answer) as stage, pytest.raises(AdapterError) as caught:
        walked(a_listener(stage.url, user_id=US, read_within=answer.read_within), a_range())

    assert type(caught.value) is expected
    assert "sandbox-bearer-token" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable(silent_port: int) -> None:
    with pytest.raises(Unavailable):
        walked(a_listener(f"http://127.0.0.1:{silent_port}", user_id=US), a_range())


def test_an_answer_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.http.LARGEST_BODY", 1000)

    with pytest.raises(Unavailable, match="passed"):
        from_played(served(a_post(text="x" * 5000)))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"handel": "x"}, "handel"), ({"handle": None}, "handle"), ({"bearer_token": None}, "bearer_token"),
     ({"access": "gold"}, "access"), ({"track": ["x" * 600]}, "track")],
    ids=["typo", "no handle", "no token", "no such access", "search too long"],
)  # fmt: skip
def test_a_wrong_key_is_named_and_no_secret_shown(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        a_listener("http://127.0.0.1:1", **wrong)

    assert "sandbox-bearer-token" not in str(caught.value)


def test_a_query_is_x_s_own_language() -> None:
    account = Account(
        handle="@alderfalls", track=("#alderfalls", "alder falls bridge", "from:mayor OR pothole lang:en")
    )

    assert x.query(account, "search") == (
        '(#alderfalls OR "alder falls bridge" OR from:mayor OR pothole lang:en) -is:retweet -from:alderfalls'
    )


def _reading(**parent: Any) -> x_posts.Reading:
    known = {"10": x_posts.Served(id="10", **parent)} if parent else {}
    return x_posts.Reading(us=x_posts.Us(id=US, handle="alderfalls"), posts=known)


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ({"author_id": "5"}, True),
        ({"author_id": US}, False),
        ({"author_id": "5", "entities": {"mentions": [{"start": 0, "username": "AlderFalls"}]}}, False),
        ({}, False),
    ],
    ids=["typed by the author", "below our own post", "named there already", "unknown"],
)
def test_our_handle_in_the_leading_row_counts_if_it_cannot_be_inherited(parent: dict[str, Any], expected: bool) -> None:
    post = x_posts.read(a_post(text="@alderfalls @bob yes", referenced_tweets=[{"type": "replied_to", "id": "10"}]))
    assert isinstance(post, x_posts.Post)

    assert _reading(**parent).addresses_us(post) is expected
