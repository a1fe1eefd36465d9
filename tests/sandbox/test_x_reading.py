"""X's listings through the real tweepy."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
import tweepy

from sandbox.running import Running

CITY_ID = "2207129125"


def texts(response: tweepy.Response) -> list[str]:
    return [tweet.text for tweet in response.data or []]


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def test_a_residents_post_is_a_mention_of_the_city(network: Running, x: tweepy.Client) -> None:
    network.ctl.post("Pothole on Elm St", author="jane_elm")

    answer = x.get_users_mentions(CITY_ID, expansions=["author_id"], tweet_fields=["created_at", "entities"])

    assert texts(answer) == ["@alderfalls Pothole on Elm St"]
    assert answer.includes["users"][0].username == "jane_elm"
    assert answer.data[0].entities["mentions"][0]["id"] == CITY_ID


def test_an_empty_listing_has_no_data_at_all(x: tweepy.Client) -> None:
    answer = x.get_users_mentions(CITY_ID)

    assert answer.data is None
    assert answer.meta == {"result_count": 0}


def test_only_id_text_and_edit_history_come_unasked(network: Running, x: tweepy.Client) -> None:
    network.ctl.post("Pothole")

    tweet = x.get_users_mentions(CITY_ID).data[0]

    assert set(tweet.data) == {"id", "text", "edit_history_tweet_ids"}


def test_pages_hold_every_mention_once_and_newest_first(network: Running, x: tweepy.Client) -> None:
    ids = network.ctl.load([{"platform": "x", "author": f"r{n}", "text": f"Report {n}"} for n in range(25)])

    pages = list(tweepy.Paginator(x.get_users_mentions, CITY_ID, max_results=10))

    assert [page.meta["result_count"] for page in pages] == [10, 10, 5]
    assert [str(tweet.id) for page in pages for tweet in page.data] == ids[::-1]


def test_a_page_does_not_shift_when_something_new_is_posted(network: Running, x: tweepy.Client) -> None:
    network.ctl.load([{"platform": "x", "author": "r", "text": f"Report {n}"} for n in range(10)])
    first = x.get_users_mentions(CITY_ID, max_results=5)
    network.ctl.post("Something new")

    second = x.get_users_mentions(CITY_ID, max_results=5, pagination_token=first.meta["next_token"])

    assert texts(second) == [f"@alderfalls Report {n}" for n in (4, 3, 2, 1, 0)]


def test_since_id_and_until_id_leave_both_ends_out(network: Running, x: tweepy.Client) -> None:
    ids = [network.ctl.post(f"Report {n}") for n in range(5)]

    answer = x.get_users_mentions(CITY_ID, since_id=ids[0], until_id=ids[4])

    assert [str(tweet.id) for tweet in answer.data] == [ids[3], ids[2], ids[1]]


def test_a_post_loaded_with_a_past_time_is_listed_as_newly_come(network: Running, x: tweepy.Client) -> None:
    new = network.ctl.post("New")
    told = ago(days=2)
    old = network.ctl.post("Old", posted_at=told)

    answer = x.get_users_mentions(CITY_ID, since_id=new, tweet_fields=["created_at"])

    assert int(old) > int(new)
    assert texts(answer) == ["@alderfalls Old"]
    assert answer.data[0].created_at.isoformat()[:19] == told[:19]


def test_what_x_selects_by_time_goes_by_the_id(network: Running, x: tweepy.Client) -> None:
    network.ctl.clock(shift=-7200)
    network.ctl.post("Came two hours ago")
    network.ctl.clock(shift=7200)
    network.ctl.post("Says it is old", posted_at=ago(days=2))

    assert texts(x.get_users_mentions(CITY_ID, start_time=ago(hours=1))) == ["@alderfalls Says it is old"]


def test_a_photo_comes_with_its_words(network: Running, x: tweepy.Client) -> None:
    photo = {"kind": "photo", "url": "https://pbs.example/1.jpg", "alt": "A hole"}
    network.ctl.post("", media=[photo, {"kind": "video", "url": "https://pbs.example/2.jpg"}])

    answer = x.get_users_mentions(
        CITY_ID, expansions=["attachments.media_keys"], media_fields=["url", "alt_text", "preview_image_url"]
    )

    keys = answer.data[0].attachments["media_keys"]
    told = [
        (one.media_key, one.type, one.url or one.preview_image_url, one.alt_text) for one in answer.includes["media"]
    ]
    assert told == [
        (keys[0], "photo", "https://pbs.example/1.jpg", "A hole"),
        (keys[1], "video", "https://pbs.example/2.jpg", None),
    ]


def test_marks_come_escaped_and_links_shortened(network: Running, x: tweepy.Client) -> None:
    network.ctl.post("Oak & Elm <3 https://example.org/a?b=1&c=2")

    tweet = x.get_users_mentions(CITY_ID, tweet_fields=["entities"]).data[0]

    url = tweet.entities["urls"][0]
    assert tweet.text == f"@alderfalls Oak &amp; Elm &lt;3 {url['url']}"
    assert tweet.text[url["start"] : url["end"]] == url["url"]
    assert url["expanded_url"] == "https://example.org/a?b=1&c=2"


def test_an_edit_makes_a_new_id_and_the_old_one_keeps_the_old_text(network: Running, x: tweepy.Client) -> None:
    old = network.ctl.post("Pothole on Elm")

    new = network.ctl.edit(old, "Pothole on Oak")

    assert texts(x.get_users_mentions(CITY_ID)) == ["@alderfalls Pothole on Oak"]
    before, after = x.get_tweet(old).data, x.get_tweet(new).data
    assert before.edit_history_tweet_ids == after.edit_history_tweet_ids == [int(old), int(new)]
    assert before.text == "@alderfalls Pothole on Elm"


def test_deleting_one_version_deletes_them_all(network: Running, x: tweepy.Client) -> None:
    old = network.ctl.post("Pothole on Elm")
    new = network.ctl.edit(old, "Pothole on Oak")

    network.ctl.delete(new)

    assert [error["resource_id"] for error in x.get_tweets([old, new]).errors] == [old, new]


def test_a_missing_post_is_a_partial_error_with_status_200(network: Running, x: tweepy.Client) -> None:
    there = network.ctl.post("Here")

    answer = x.get_tweets([there, "123"])

    assert len(answer.data) == 1
    assert answer.errors[0]["title"] == "Not Found Error"
    assert answer.errors[0]["type"] == "https://api.twitter.com/2/problems/resource-not-found"


def test_the_post_answered_comes_in_the_includes(network: Running, x: tweepy.Client) -> None:
    first = network.ctl.post("Pothole", author="jane_elm")
    network.ctl.post("Same here", author="bob", in_reply_to=first)

    answer = x.get_users_mentions(
        CITY_ID,
        expansions=["referenced_tweets.id", "referenced_tweets.id.author_id", "in_reply_to_user_id"],
        tweet_fields=["conversation_id"],
    )

    assert answer.data[0].text == "@jane_elm @alderfalls Same here"
    assert answer.data[0].conversation_id == int(first)
    assert {str(tweet.id) for tweet in answer.includes["tweets"]} == {first}
    assert "jane_elm" in {user.username for user in answer.includes["users"]}


def test_quotes_are_found_where_x_shows_them(network: Running, x: tweepy.Client) -> None:
    ours = network.ctl.post("Roads close at noon", as_="city")
    quote = network.ctl.post("Again?!", author="bob", quoted=ours)

    assert [str(tweet.id) for tweet in x.get_quote_tweets(ours).data] == [quote]
    assert [str(tweet.id) for tweet in x.search_recent_tweets(f"quotes_of_tweet_id:{ours}").data] == [quote]
    assert x.get_users_mentions(CITY_ID).data is None


def test_the_citys_own_posts_are_its_timeline_and_not_its_mentions(network: Running, x: tweepy.Client) -> None:
    post = network.ctl.post("Pothole")
    network.ctl.post("On it", as_="city", in_reply_to=post)

    assert texts(x.get_users_tweets(CITY_ID)) == ["@jane_elm On it"]
    assert x.get_users_tweets(CITY_ID, exclude=["replies"]).data is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"max_results": 3}, "is not between 5 and 100"),
        ({"max_results": 101}, "is not between 5 and 100"),
        ({"pagination_token": "!"}, "Invalid 'pagination_token'"),
        ({"tweet_fields": ["colour"]}, "is not one of"),
        ({"expansions": ["nobody"]}, "is not one of"),
    ],
    ids=["too few", "too many", "token", "field", "expansion"],
)
def test_what_x_does_not_know_is_refused(x: tweepy.Client, parameters: dict[str, object], said: str) -> None:
    with pytest.raises(tweepy.BadRequest, match=said):
        x.get_users_mentions(CITY_ID, **parameters)


@pytest.mark.parametrize(
    "parameters", [{"start_time": ago(days=8)}, {"since_id": 1519056945277198339}], ids=["time", "id"]
)
def test_search_goes_back_seven_days_only(x: tweepy.Client, parameters: dict[str, object]) -> None:
    with pytest.raises(tweepy.BadRequest, match=r"on or after|created after"):
        x.search_recent_tweets("pothole", **parameters)


def test_a_user_is_found_by_name_and_id(x: tweepy.Client) -> None:
    assert str(x.get_user(username="alderfalls").data.id) == CITY_ID
    assert x.get_user(id=CITY_ID, user_fields=["verified_type"]).data.verified_type == "government"
    assert [user.username for user in x.get_users(usernames=["alderfalls", "nobody"]).data] == ["alderfalls"]
    assert x.get_me().data.username == "alderfalls"


def test_an_unknown_users_mentions_are_an_error_in_a_200(x: tweepy.Client) -> None:
    answer = x.get_users_mentions("42")

    assert answer.data is None
    assert answer.errors[0]["title"] == "Not Found Error"


def test_every_answer_tells_the_rate_window(network: Running) -> None:
    token = {"Authorization": "Bearer sandbox-bearer-token"}

    answer = requests.get(f"{network.url}/2/users/{CITY_ID}/mentions", headers=token, timeout=60)

    assert answer.headers["x-rate-limit-limit"] == "450"
    assert int(answer.headers["x-rate-limit-reset"]) > datetime.now(UTC).timestamp()


def test_beyond_the_window_x_answers_429_with_the_time_to_return(network: Running, x: tweepy.Client) -> None:
    network.ctl.limits(True, **{"x.mentions": 2})
    x.get_users_mentions(CITY_ID)
    x.get_users_mentions(CITY_ID)

    with pytest.raises(tweepy.TooManyRequests) as refused:
        x.get_users_mentions(CITY_ID)

    assert refused.value.reset_time > datetime.now(UTC).timestamp()
    network.ctl.clock(shift=901)
    assert x.get_users_mentions(CITY_ID).meta["result_count"] == 0
