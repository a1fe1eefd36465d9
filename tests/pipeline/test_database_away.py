"""While the database is away nothing is lost, nothing is sent twice, and whoever works goes on trying."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from scheduler import Runner
from store import migrate
from store.engine import TROUBLE, open_store
from tests.fixtures.postgres_server import Server
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened
from web.app import create_app

pytestmark = pytest.mark.only_on("postgresql")


@pytest.fixture
def city(own_postgres: Server, open_city: Opened) -> City:
    """A city on a server that the test may stop."""
    url = own_postgres.url("postgres")
    opened = open_store(url)
    migrate.upgrade(opened)
    opened.close()
    return open_city(store={"url": url})


def test_the_worker_goes_on_when_the_database_is_back(
    city: City, own_postgres: Server, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    draft = city.report()
    runner = Runner(city.deployment, polling=False)
    runner.start()
    try:
        own_postgres.stop(signal.SIGQUIT)
        with caplog.at_level(logging.ERROR, logger="scheduler"):
            wait_until(lambda: any("failed" in one.getMessage() for one in caplog.records))
        own_postgres.start()

        city.approve(draft, parts=["reply"])

        wait_until(lambda: city.get(draft).state == "sent")
    finally:
        assert runner.stop()
    assert len(city.replies()) == 1


def test_a_round_that_the_database_broke_is_told_and_walked_again(city: City, own_postgres: Server) -> None:
    city.post("There is a pothole at 120 Oak Street")
    own_postgres.stop(signal.SIGQUIT)

    with pytest.raises(TROUBLE):
        city.hear()
    own_postgres.start()
    city.round()

    assert len(city.ctl.effects()) == 0
    assert city.mention(city.ctl.posts()[0]["id"]).state == "drafted"


def test_it_is_alive_but_not_ready_and_says_when_to_ask_again(city: City, own_postgres: Server) -> None:
    with TestClient(create_app(city.deployment), base_url="http://127.0.0.1:8311") as client:
        own_postgres.stop()
        alive, ready, page = (client.get(path) for path in ("/healthz", "/readyz", "/metrics"))
        own_postgres.start()
        again = client.get("/readyz")

    assert (alive.status_code, ready.status_code, page.status_code) == (200, 503, 503)
    assert ready.json()["database"] == "the database does not answer (OperationalError)"
    assert page.headers["retry-after"] == "5"
    assert again.json()["database"] == "ok"
