"""The whole way of 20,000 real posts, as a command each, beside what PyPI's obsei 1.1.1 needs to store the same rows.

Ours are stored, assessed by the shipped model, routed and drafted; obsei's are redacted and stored, without any model.
First run against first run: each begins without a database. obsei is in an environment of its own::

    python3 -m venv DIR && DIR/bin/pip install obsei==1.1.1 && HARKEN_OBSEI_PYTHON=DIR/bin/python make bench

Its encryption wants an extension from the network, so it stores in the clear.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlmodel import col, func, select

from store.engine import open_store
from store.tables import DraftRow, MentionRow
from store.types import now
from tests.bench.classifying import DATA, ROOT
from tests.bench.figures import Figure, figure
from tests.deployments import X, written

POSTS = 20_000
RUNS = 3
SET = DATA / "civic_tweets" / "train.jsonl"
OBSEI_PYTHON = "HARKEN_OBSEI_PYTHON"
NOWHERE = "http://127.0.0.1:9"  #: the platforms, who are not asked
OBSEI = """
version: 1
store: {path: obsei.duckdb, unencrypted: true}
privacy: {redact: true}
pipelines:
  - name: posts
    sources:
      - key: posts
        type: csv
        config: {path: posts.csv, fields: {text: text, id: post_id, created_at: posted_at, author: author}}
"""


def whole_way(folder: Path) -> list[Figure]:
    """Both, turn about."""
    if not SET.exists():
        sys.stderr.write(f"the whole way was not timed: there is no {SET}\n")
        return []
    rows = posts()
    peer = os.environ.get(OBSEI_PYTHON)
    if not peer:
        sys.stderr.write(
            f"obsei was not timed: put obsei 1.1.1 into an environment, name its python in {OBSEI_PYTHON}\n"
        )
    ours, theirs, drafts = [], [], 0
    for number in range(RUNS):
        took, drafts = harken(folder / f"harken{number}", rows)
        ours.append(took)
        if peer:
            theirs.append(obsei(folder / f"obsei{number}", rows, Path(peer)))
    found = [figure("the whole way of real posts", "s", ours, f"{len(rows):,} stored, assessed, drafted ({drafts:,})")]
    if theirs:
        ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
        found.append(figure("obsei 1.1.1, the same rows", "s", theirs, "redacted and stored, no model"))
        found.append(figure("obsei's time ÷ the whole way", "ratio", ratios))
    return found


def posts() -> list[dict[str, Any]]:
    """The first so many, a second apart, the last of them now."""
    with SET.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, POSTS)]
    moment = now()
    return [
        {
            "post_id": str(1_000_000 + number),
            "author": {"handle": f"r{number}", "platform_user_id": f"u{number}"},
            "text": text,
            "posted_at": (moment - timedelta(seconds=len(texts) - number)).isoformat(),
        }
        for number, text in enumerate(texts)
    ]


def harken(home: Path, rows: Sequence[dict[str, Any]]) -> tuple[float, int]:
    """Seconds of the three commands from no database to the last draft, and how many drafts there are."""
    config = written(home, NOWHERE, alarms={"to": []}, crm={"kind": "builtin", "base_url": None})
    file = home / "posts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    told = ["import", str(file), "--platform", "x", "--account", X, "--answerable"]
    began = time.perf_counter()
    for command in (["db", "upgrade"], told, ["process"]):
        run([sys.executable, "-m", "cli", *command, "--config", str(config)], ROOT)
    took = time.perf_counter() - began
    store = open_store(f"sqlite:///{home / 'harken.db'}")
    with store.reading() as session:
        waiting = session.exec(select(func.count()).where(col(MentionRow.state) == "new")).one()
        heard = session.exec(select(func.count()).select_from(MentionRow)).one()
        drafts = session.exec(select(func.count()).select_from(DraftRow)).one()
    store.close()
    assert (heard, waiting) == (len(rows), 0), f"{heard} heard, {waiting} not assessed"
    return took, drafts


def obsei(home: Path, rows: Sequence[dict[str, Any]], python: Path) -> float:
    """Seconds of one ``obsei run``."""
    home.mkdir()
    (home / "obsei.yaml").write_text(OBSEI, encoding="utf-8")
    with (home / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["post_id", "text", "posted_at", "author"])
        sheet.writerows([row["post_id"], row["text"], row["posted_at"], row["author"]["handle"]] for row in rows)
    began = time.perf_counter()
    run([str(python.with_name("obsei")), "run"], home, OBSEI_PSEUDONYM_SALT="no secret, only long enough")
    return time.perf_counter() - began


def run(command: Sequence[str], folder: Path, **more: str) -> None:
    env: Mapping[str, str] = os.environ | {"HF_HUB_OFFLINE": "1"} | more
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-2000:] or done.stdout.strip()[-2000:]}")
