"""X's answers against X's own OpenAPI."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from sandbox import x_objects
from sandbox.running import Running

SPEC = Path(__file__).parents[2].parent / "shared" / "specs" / "x-api-v2-openapi.json"
CITY_ID = "2207129125"
EVERYTHING = {
    "tweet.fields": "author_id,conversation_id,created_at,display_text_range,edit_controls,entities,"
    "in_reply_to_user_id,lang,possibly_sensitive,public_metrics,referenced_tweets,reply_settings",
    "user.fields": "created_at,description,protected,public_metrics,verified,verified_type",
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id,"
    "in_reply_to_user_id,entities.mentions.username",
}

pytestmark = pytest.mark.skipif(not SPEC.exists(), reason="X's OpenAPI is not beside the checkout (../shared/specs)")


@cache
def specification() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(SPEC.read_text())
    return read


def check(document: Any, schema: str) -> None:
    whole = {"components": specification()["components"], "$ref": f"#/components/schemas/{schema}"}
    jsonschema.Draft202012Validator(whole).validate(document)


def get(network: Running, path: str, **query: str) -> Any:
    token = {"Authorization": "Bearer sandbox-user-token"}
    return requests.get(f"{network.url}/2{path}", params=query, headers=token, timeout=60).json()


@pytest.fixture
def post(network: Running) -> str:
    first = network.ctl.post("Pothole & more https://example.org/a #fixit", author="jane_elm")
    network.ctl.post("Same", author="bob", in_reply_to=first)
    network.ctl.post("Look", author="eve", quoted=first)
    return first


@pytest.mark.parametrize(
    ("path", "schema", "query"),
    [
        ("/users/me", "Get2UsersMeResponse", {}),
        (f"/users/{CITY_ID}", "Get2UsersIdResponse", {}),
        ("/users/by/username/alderfalls", "Get2UsersByUsernameUsernameResponse", {}),
        ("/users/by/username/nobody", "Get2UsersByUsernameUsernameResponse", {}),
        ("/users/by", "Get2UsersByResponse", {"usernames": "alderfalls,nobody"}),
        (f"/users/{CITY_ID}/mentions", "Get2UsersIdMentionsResponse", EVERYTHING),
        (f"/users/{CITY_ID}/mentions", "Get2UsersIdMentionsResponse", {}),
        (f"/users/{CITY_ID}/tweets", "Get2UsersIdTweetsResponse", EVERYTHING),
        ("/tweets/search/recent", "Get2TweetsSearchRecentResponse", {"query": "pothole OR same", **EVERYTHING}),
        ("/tweets/{post}", "Get2TweetsIdResponse", EVERYTHING),
        ("/tweets/123", "Get2TweetsIdResponse", EVERYTHING),
        ("/tweets", "Get2TweetsResponse", {"ids": "123,124", **EVERYTHING}),
        ("/tweets/{post}/quote_tweets", "Get2TweetsIdQuoteTweetsResponse", EVERYTHING),
        (f"/users/{CITY_ID}/mentions", "Problem", {"max_results": "1"}),
        ("/tweets/search/recent", "InvalidRequestProblem", {"query": "is:reply"}),
    ],
)
def test_an_answer_fits_its_schema(network: Running, post: str, path: str, schema: str, query: dict[str, str]) -> None:
    check(get(network, path.replace("{post}", post), **query), schema)


def test_the_answers_to_writes_fit_their_schemas(network: Running, post: str) -> None:
    token = {"Authorization": "Bearer sandbox-user-token"}
    reply = {"text": "Thanks", "reply": {"in_reply_to_tweet_id": post}}

    sent = requests.post(f"{network.url}/2/tweets", json=reply, headers=token, timeout=60)
    deleted = requests.delete(f"{network.url}/2/tweets/{sent.json()['data']['id']}", headers=token, timeout=60)

    check(reply, "TweetCreateRequest")
    check(sent.json(), "TweetCreateResponse")
    check(deleted.json(), "TweetDeleteResponse")


@pytest.mark.parametrize(
    ("parameter", "ours"),
    [
        ("TweetFieldsParameter", x_objects.TWEET_FIELDS),
        ("UserFieldsParameter", x_objects.USER_FIELDS),
        ("TweetExpansionsParameter", x_objects.EXPANSIONS),
    ],
)
def test_we_know_the_fields_x_knows(parameter: str, ours: frozenset[str]) -> None:
    assert ours == set(specification()["components"]["parameters"][parameter]["schema"]["items"]["enum"])
