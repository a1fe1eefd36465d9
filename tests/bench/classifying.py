"""The classifier: the command over many posts, one post alone, hostile posts, memory, and the peer beside it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import IO

from classifiers import transformer
from classifiers.base import Classifier
from classifiers.model_folder import SHIPPED, TOKENIZER_FILE
from classifiers.pool import PooledClassifier
from tests.bench.figures import Figure, figure, resident, spread
from tests.bench.posts import texts

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SETS = ("intents", "civic_tweets", "requests311", "sentiment", "sentiment_es", "complaints", "airline", "crisis")
POSTS = 10_000
RUNS = 3
ALONE = 500
FLAT_FROM, FLAT_TO = 5_000, 30_000  #: posts, between which memory is not to grow
PEER_POSTS = 200
PEER_PYTHON = "HARKEN_PEER_PYTHON"
HOSTILE = {
    "nothing": "",
    "100 kB of words": "pothole " * 12_500,
    "100 kB without a space": "a" * 100_000,
    "control characters": "".join(map(chr, range(32))) * 3_000,
    "lone surrogates": "\ud83d" * 4_000,
    "4,000 emoji": "😡" * 4_000,
    "100,000 combining marks": "e" + "\u0301" * 100_000,
    "zero-width only": "\u200b" * 100_000,
    "entities in entities": "&amp;" * 20_000,
    "hashtags": "#Fix" * 25_000,
}


def classifying() -> list[Figure]:
    """Everything about the classifier. The peer's turns lie between ours, so that both meet the same machine."""
    posts, whence = real_posts(POSTS)
    rates, peaks, peers = [], [], []
    for _ in range(RUNS):
        rate, peak = _command(posts)
        rates.append(rate)
        peaks.append(peak)
        peers.append(_peer(posts[:PEER_POSTS]))
    return [
        figure("harken classify", "posts/s", rates, f"{POSTS:,} {whence}, start included"),
        figure("harken classify, resident at most", "MiB", peaks),
        *_beside(rates, [one for one in peers if one]),
        *_alone(posts[:ALONE]),
        _growth(posts, FLAT_FROM, FLAT_TO),
    ]


def real_posts(count: int) -> tuple[list[str], str]:
    """So many, well mixed, and what they are: real ones if the data sets lie beside the repository."""
    found = [
        json.loads(line)["text"]
        for name in SETS
        for path in sorted((DATA / name).glob("*.jsonl"))
        for line in islice(path.open(encoding="utf-8"), count // len(SETS) + 500)
    ]
    if len(found) < count:
        return texts(count), "posts of our own, repeated: the data sets are not there"
    return random.Random(7).sample(found, count), "real posts"


def _lines(posts: Sequence[str]) -> Iterator[bytes]:
    for number, text in enumerate(posts):
        yield json.dumps({"id": number, "text": text}).encode() + b"\n"


def _command(posts: Sequence[str]) -> tuple[float, float]:
    """Posts a second of the whole command, and the most memory that it and its children held, in MiB."""
    given = b"".join(_lines(posts))
    began = time.perf_counter()
    with _classify() as process:
        peak = _Peak(process.pid)
        out, _ = process.communicate(given)
        took = time.perf_counter() - began
    assert out.count(b"\n") == len(posts), "an answer is missing"
    return len(posts) / took, peak.end()


def _classify() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "classify"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _growth(posts: Sequence[str], start: int, end: int) -> Figure:
    """How much the command's memory grows between two posts of one long input."""
    with _classify() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        writing = threading.Thread(target=_write, args=(process.stdin, islice(cycle(posts), end)))
        writing.start()
        held: dict[int, float] = {}
        for number, _ in enumerate(process.stdout, start=1):
            if number in (start, end - 1):  # before the last one it still stands
                held[number] = resident(process.pid)
        writing.join()
    grown = held[end - 1] - held[start]
    note = f"from post {start:,} ({held[start]:.0f} MiB) to {end:,} ({held[end - 1]:.0f} MiB)"
    return figure("harken classify, growth", "MiB", [grown], note)


def _write(to: IO[bytes], posts: Iterator[str]) -> None:
    with to:
        for number, text in enumerate(posts):
            to.write(json.dumps({"id": number, "text": text}).encode() + b"\n")


class _Peak(threading.Thread):
    """The most that a process and its children hold, looked at every tenth of a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self._most = 0.0
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.1):
            self._most = max(self._most, resident(self._pid))

    def end(self) -> float:
        self._ended.set()
        self.join()
        return self._most


def _alone(posts: Sequence[str]) -> list[Figure]:
    """Single posts: in this process, and through a process of its own as the service asks; then the hostile ones."""
    began = time.perf_counter()
    classifier = transformer.load(threads=1)
    classifier.classify([""])
    loaded = time.perf_counter() - began
    here = [_milliseconds(classifier, text) for text in posts]
    with closing(PooledClassifier(partial(transformer.load, threads=1))) as pooled:
        there = [_milliseconds(pooled, text) for text in posts]
        held = [resident(pid) for pid in pooled.pids()]
    hostile = {name: _milliseconds(classifier, text) for name, text in HOSTILE.items()}
    slowest = sorted(hostile, key=hostile.__getitem__, reverse=True)
    told = ", ".join(f"{name} {hostile[name]:.1f}" for name in slowest)
    return [
        figure("model, load and first answer", "s", [loaded]),
        *spread("one post", "ms", here, f"{len(posts)} samples"),
        *spread("one post, by a process of its own", "ms", there, f"{len(posts)} samples"),
        figure("a process of its own, resident", "MiB", held),
        figure("one hostile post", "ms", list(hostile.values()), told),
    ]


def _milliseconds(classifier: Classifier, text: str) -> float:
    began = time.perf_counter()
    classifier.classify([text])
    return (time.perf_counter() - began) * 1000


def _peer(posts: Sequence[str]) -> dict[str, float]:
    """Posts a second of the peer, by manner; empty where there is no interpreter with torch."""
    python = os.environ.get(PEER_PYTHON)
    if not python:
        return {}
    command = [python, str(Path(__file__).with_name("peer.py")), str(SHIPPED / TOKENIZER_FILE)]
    cores = str(len(os.sched_getaffinity(0)))
    done = subprocess.run([*command, cores], input=json.dumps(posts), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{PEER_PYTHON}={python}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _beside(ours: Sequence[float], peers: Sequence[dict[str, float]]) -> list[Figure]:
    """The peer's rates, and how many times as fast we are as the better of the two, run by run."""
    if not peers:
        told = f"make an environment with torch and transformers, and name its python in {PEER_PYTHON}"
        sys.stderr.write(f"the peer was not timed: {told}\n")
        return []
    size = f"RoBERTa-base's shape, {peers[0]['weights'] / 1e6:.0f} million weights, torch float32"
    ratios = [one / max(peer["one by one"], peer["in batches"]) for one, peer in zip(ours, peers, strict=True)]
    return [
        figure("peer, one by one", "posts/s", [one["one by one"] for one in peers], size),
        figure("peer, in batches of 16", "posts/s", [one["in batches"] for one in peers], size),
        figure("harken classify ÷ the better peer", "ratio", ratios),
    ]
