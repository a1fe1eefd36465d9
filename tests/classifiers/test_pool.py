"""Real processes; what reads in them is ``PlayingDead``, but for the last test, where it is the shipped model."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from classifiers import pool, transformer
from classifiers.base import Busy, PostsFailed
from classifiers.pool import NotStarted, PooledClassifier
from tests.classifiers.playing_dead import PlayingDead, broken

WaitUntil = Callable[..., None]


@pytest.fixture(scope="module")
def two() -> Iterator[PooledClassifier]:
    """Two processes that outlive whatever a test does to them."""
    made = PooledClassifier(PlayingDead, processes=2)
    yield made
    made.close()


def read(by: PooledClassifier, texts: list[str]) -> list[str]:
    return [one.intent for one in by.classify(texts)]


def test_answers_come_in_the_order_of_the_posts_whatever_their_length(two: PooledClassifier) -> None:
    posts = [f"{number} " + "x" * (number * 37 % 400) for number in range(300)]

    answers = two.classify(posts)

    assert [one.intent for one in answers] == posts
    assert {int(one.language) for one in answers} == set(two.pids()), "one of the two read nothing"
    assert os.getpid() not in two.pids()


def test_nothing_in_nothing_out(two: PooledClassifier) -> None:
    assert two.classify([]) == []


def test_many_threads_get_their_own_answers(two: PooledClassifier) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        posts = [f"{number}-{place}" for place in range(80)]
        if read(two, posts) != posts:
            wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_process_that_dies_once_over_a_post_costs_no_answer(two: PooledClassifier, tmp_path: Path) -> None:
    posts = [f"p{number}" for number in range(40)]
    posts[20] = f"die-once {tmp_path / 'died'}"

    assert read(two, posts) == posts
    assert len(two.pids()) == 2


def test_only_the_post_that_kills_twice_fails(two: PooledClassifier) -> None:
    posts = [f"p{number}" for number in range(40)]
    posts[7] = "die"

    with pytest.raises(PostsFailed, match="1 of 40 posts could not be read: Died: 2 processes died") as failed:
        two.classify(posts)

    assert [answer and answer.intent for answer in failed.value.answers] == [*posts[:7], None, *posts[8:]]
    assert read(two, ["afterwards"]) == ["afterwards"]


def test_a_post_that_the_model_raises_on_costs_no_process(two: PooledClassifier) -> None:
    before = two.pids()

    with pytest.raises(PostsFailed, match="RuntimeError: the model broke") as failed:
        two.classify(["before", "raise", "after"])

    assert [answer and answer.intent for answer in failed.value.answers] == ["before", None, "after"]
    assert two.pids() == before


def test_a_post_that_never_ends_is_given_up(two: PooledClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "READ_WITHIN", 0.5)

    with pytest.raises(PostsFailed, match=r"no answer within 0\.5 s") as failed:
        two.classify(["before", "hang", "after"])

    assert [answer and answer.intent for answer in failed.value.answers] == ["before", None, "after"]


def test_processes_killed_while_they_rest_are_replaced_and_leave_no_handle_open(two: PooledClassifier) -> None:
    read(two, ["warm"] * 40)
    handles = psutil.Process().num_fds()

    for _ in range(3):
        for pid in two.pids():
            os.kill(pid, signal.SIGKILL)
        posts = [f"p{number}" for number in range(40)]
        assert read(two, posts) == posts
        read(two, [f"slow {number}" for number in range(8)])  # both have begun anew by now

    assert psutil.Process().num_fds() == handles
    assert len(two.pids()) == 2


def test_no_handle_left_for_a_line_fails_the_posts_and_not_the_pool() -> None:
    pool = PooledClassifier(PlayingDead, processes=1)
    limits, held = resource.getrlimit(resource.RLIMIT_NOFILE), list[int]()
    try:
        os.kill(pool.pids()[0], signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 20, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(PostsFailed, match="no line to a process"):
            pool.classify(["a post"])
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert read(pool, ["another"]) == ["another"]
    pool.close()


def test_what_was_learned_is_used_from_the_next_call_on_by_every_process_and_its_successor(
    two: PooledClassifier,
) -> None:
    two.use(b"heads", "city-2")
    assert {one.model for one in two.classify(["p"] * 40)} == {"city-2: heads"}

    os.kill(two.pids()[0], signal.SIGKILL)
    assert {one.model for one in two.classify(["p"] * 40)} == {"city-2: heads"}

    with pytest.raises(ValueError, match="these are no heads"):
        two.use(b"bad", "city-3")
    assert {one.model for one in two.classify(["p"] * 40)} == {"city-2: heads"}

    two.use(None, "")
    assert {one.model for one in two.classify(["p"] * 40)} == {"as made"}


def test_a_process_that_dies_once_over_what_is_to_be_learned_costs_no_version(
    two: PooledClassifier, tmp_path: Path
) -> None:
    two.use(f"die-once {tmp_path / 'died'}".encode(), "city-4")
    assert {one.model.partition(":")[0] for one in two.classify(["p"] * 40)} == {"city-4"}

    with pytest.raises(ValueError, match="2 processes died on what they were to learn"):
        two.use(b"die", "city-5")
    assert {one.model.partition(":")[0] for one in two.classify(["p"] * 40)} == {"city-4"}

    two.use(None, "")


def test_a_full_queue_makes_callers_wait_and_then_says_so(
    monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil
) -> None:
    monkeypatch.setattr(pool, "WAITING", 2)
    pooled = PooledClassifier(PlayingDead, patience=0.2)
    told: list[Busy] = []

    def ask() -> None:
        try:
            pooled.classify([f"slow {number}" for number in range(16)])
        except Busy as err:
            told.append(err)
        except PostsFailed:
            pass  # closed meanwhile

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    wait_until(lambda: told)
    pooled.close()
    for thread in asking:
        thread.join()

    assert "try again later" in str(told[0])


def test_what_can_not_be_loaded_is_said_at_once() -> None:
    before = psutil.Process().children()

    with pytest.raises(NotStarted, match=r"FileNotFoundError: model\.int8\.onnx is not there"):
        PooledClassifier(broken, processes=2)

    assert psutil.Process().children() == before


def test_a_pool_that_nobody_holds_ends_its_process(wait_until: WaitUntil) -> None:
    held = PooledClassifier(PlayingDead)
    [pid] = held.pids()

    del held
    gc.collect()

    wait_until(lambda: not psutil.pid_exists(pid))


def test_a_closed_pool_reads_no_more_and_leaves_no_process() -> None:
    closed = PooledClassifier(PlayingDead)
    [pid] = closed.pids()
    closed.close()
    closed.close()

    assert not psutil.pid_exists(pid)
    with pytest.raises(PostsFailed, match="was closed"):
        closed.classify(["too late"])


@pytest.mark.parametrize("word", ["rest", "hang"])
@pytest.mark.parametrize("with_", [signal.SIGKILL, signal.SIGINT], ids=lambda one: one.name)
def test_no_process_outlives_its_parent(with_: signal.Signals, word: str, wait_until: WaitUntil) -> None:
    """Killed outright, or by Ctrl-C; while the processes rest, and while one is at work."""
    script = (
        "from classifiers.pool import PooledClassifier as P; from tests.classifiers.playing_dead import PlayingDead\n"
        f"p = P(PlayingDead, processes=2); print(*p.pids(), flush=True); p.classify([{word!r}] * 2); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        os.kill(parent.pid, with_)
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))

    assert len(pids) == 2


def test_the_shipped_model_answers_in_a_process_as_it_does_here() -> None:
    posts = [
        "Huge pothole on Larch Street",
        "",
        "¿A qué hora abre la oficina?",
        "\ud83d",
        "😡" * 4_000,
        "e\u0301" * 50_000,
    ]
    pooled = PooledClassifier(partial(transformer.load, threads=1))

    answers = pooled.classify(posts)
    pooled.close()

    assert answers == [transformer.load(threads=1).classify([post])[0] for post in posts]
