"""A sandbox for each test, and the real SDKs pointed at it."""

from collections.abc import Iterator
from typing import Any

import facebook
import pytest
import requests
import tweepy
from requests.adapters import HTTPAdapter

from sandbox.running import Running, running

CITY_ID = "2207129125"
PAGE_ID = "102030405060708"


class Rewritten(HTTPAdapter):
    """Sends what was meant for the platform to the sandbox instead, after it was signed."""

    def __init__(self, base: str) -> None:
        self._base = base
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = self._base + request.path_url
        kwargs["timeout"] = kwargs.get("timeout") or 60
        return super().send(request, *args, **kwargs)


def x_client(network: Running, **keys: str) -> tweepy.Client:
    client = tweepy.Client(
        **{
            "bearer_token": "sandbox-bearer-token",
            "consumer_key": "sandbox-consumer-key",
            "consumer_secret": "sandbox-consumer-secret",
            "access_token": "sandbox-access-token",
            "access_token_secret": "sandbox-access-token-secret",
            **keys,
        }
    )
    client.session.mount("https://api.twitter.com", Rewritten(network.url))
    return client


def graph_client(network: Running, token: str = "sandbox-page-token", version: str = "v25.0") -> facebook.GraphAPI:
    session = requests.Session()
    session.mount("https://graph.facebook.com", Rewritten(network.url))
    graph = facebook.GraphAPI(token, session=session, timeout=60)
    graph.version = version
    return graph


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.fixture
def network(server: Running) -> Running:
    """A network as on its first day; one server for all, since stopping one takes longer than most tests."""
    server.ctl.reset()
    return server


@pytest.fixture
def x(network: Running) -> Iterator[tweepy.Client]:
    client = x_client(network)
    yield client
    client.session.close()


@pytest.fixture
def graph(network: Running) -> Iterator[facebook.GraphAPI]:
    client = graph_client(network)
    yield client
    client.session.close()
