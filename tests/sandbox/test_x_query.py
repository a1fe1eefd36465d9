"""X's search language."""

import pytest
import tweepy

from sandbox.running import Running
from sandbox.x_query import BadQuery, compile_query

POSTS = {
    "elm": {"author": "jane", "text": "Huge pothole on Elm Street #FixIt https://example.org/photo"},
    "oak": {"author": "bob", "text": "Street light out on Oak, and a pothole", "mention": False},
    "thanks": {"author": "jane", "text": "Thank you for the new playground"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("pothole", {"elm", "oak"}),
        ("POTHOLE elm", {"elm"}),
        ("pot", set()),
        ('"street light out"', {"oak"}),
        ("#fixit", {"elm"}),
        ("@alderfalls", {"elm", "thanks"}),
        ("pothole -@alderfalls", {"oak"}),
        ("from:jane", {"elm", "thanks"}),
        ("from:jane OR from:bob", {"elm", "oak", "thanks"}),
        ("pothole (elm OR playground)", {"elm"}),
        ("pothole -(elm OR playground)", {"oak"}),
        ("pothole elm OR playground", {"elm", "thanks"}),
        ("url:example.org", {"elm"}),
        ("pothole has:links -is:retweet", {"elm"}),
        ("pothole is:reply", set()),
    ],
)
def test_a_search_finds_what_it_says(network: Running, x: tweepy.Client, query: str, found: set[str]) -> None:
    names = {network.ctl.post(**post): name for name, post in POSTS.items()}  # type: ignore[arg-type]  # keywords of a table

    answer = x.search_recent_tweets(query)

    assert {names[str(tweet.id)] for tweet in answer.data or []} == found


def test_a_conversation_is_found_by_its_first_post(network: Running, x: tweepy.Client) -> None:
    first = network.ctl.post("Pothole", author="jane")
    reply = network.ctl.post("Same", author="bob", in_reply_to=first)
    nested = network.ctl.post("And here", author="eve", in_reply_to=reply)

    found = x.search_recent_tweets(f"conversation_id:{first}").data

    assert [str(tweet.id) for tweet in found] == [nested, reply, first]
    assert [str(one.id) for one in x.search_recent_tweets(f"in_reply_to_tweet_id:{reply}").data] == [nested]
    assert [str(one.id) for one in x.search_recent_tweets("to:bob").data] == [nested]


@pytest.mark.parametrize(
    "query", ["", "(", "pothole)", "OR", "colour:red", "-pothole", "is:reply", "is:purple elm", "from:"]
)
def test_a_query_x_would_not_take_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        compile_query(query)


def test_search_walks_through_everything_a_page_at_a_time(network: Running, x: tweepy.Client) -> None:
    posts = [
        {"platform": "x", "author": "r", "text": f"{'pothole' if n % 3 == 0 else 'praise'} {n}"} for n in range(90)
    ]
    network.ctl.load(posts)

    pages = list(tweepy.Paginator(x.search_recent_tweets, "pothole", max_results=10))

    assert [page.meta["result_count"] for page in pages] == [10, 10, 10]
