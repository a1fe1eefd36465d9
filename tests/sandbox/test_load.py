"""``harken sandbox load``: last week's posts, loaded while somebody listens, are all heard."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from cli import app
from pipeline import rounds
from sandbox.running import Running
from store.tables import MentionRow
from tests.deployments import deployment

LAST = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_week_of_posts(count: int) -> str:
    rows = [
        {
            "id": str(number),
            "platform": "x" if number % 2 else "facebook",
            "author": f"resident_{number}",
            "text": f"Pothole {number} on Elm Street",
            "posted_at": (LAST - timedelta(days=7) * (count - 1 - number) / count).isoformat(),
        }
        for number in range(count)
    ]
    return "\n".join(map(json.dumps, rows))


def test_times_are_shifted_so_that_the_last_is_now(network: Running, tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text(a_week_of_posts(60))

    done = CliRunner().invoke(app, ["sandbox", "load", str(file), "--url", network.url, "--fast"])

    assert done.exit_code == 0
    assert re.fullmatch(r"60 posts in \d+\.\d s\n", done.stdout)
    times = [datetime.fromisoformat(post["posted_at"]) for post in network.ctl.posts()]
    assert times == sorted(times)
    assert abs(times[-1] - datetime.now(UTC)) < timedelta(seconds=30)
    assert timedelta(days=6) < times[-1] - times[0] < timedelta(days=7)


@pytest.mark.slow
def test_a_listener_keeps_up_with_it_and_misses_nothing(network: Running, tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text(a_week_of_posts(250))
    city = deployment(tmp_path, network)
    rounds.poll(city)
    loading = threading.Thread(
        target=CliRunner().invoke, args=(app, ["sandbox", "load", str(file), "--url", network.url])
    )

    loading.start()
    while loading.is_alive():
        rounds.poll(city)
        loading.join(timeout=1.5)
    told = rounds.poll(city)

    with city.store.reading() as session:
        heard = set(session.exec(select(MentionRow.post_id)))
    assert heard == {post["id"] for post in network.ctl.posts(limit=1000)}
    assert [one.error for one in told] == [None, None, None]
    city.store.close()
