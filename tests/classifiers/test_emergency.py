import time
import tomllib
from pathlib import Path

import pytest

from classifiers.emergency import WORDS_FILE, find_emergency

POSTS = tomllib.loads(Path(__file__).with_name("emergencies.toml").read_text(encoding="utf-8"))
FOUND = [(kind, text) for kind, texts in POSTS["found"].items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_danger_is_found(kind: str, text: str) -> None:
    found = find_emergency(text)

    assert found is not None
    assert found.reason.startswith("words about ")
    assert found.matched
    assert found.self_harm == (kind == "self_harm")


@pytest.mark.parametrize("text", POSTS["passed_over"]["posts"])
def test_look_alikes_are_passed_over(text: str) -> None:
    assert find_emergency(text) is None


def test_self_harm_comes_before_any_other_danger() -> None:
    found = find_emergency("I have a gun and I am going to kill myself, smell of gas everywhere")

    assert found is not None
    assert found.self_harm


def test_a_memory_is_passed_over_unless_it_is_happening_again() -> None:
    assert find_emergency("Two years ago there was a gas leak on our block") is None
    assert (
        find_emergency("Two years ago there was a gas leak on our block and now there is a gas smell again") is not None
    )


def test_thanks_do_not_hide_a_call_for_help() -> None:
    assert find_emergency("house on fire at 12 Elm please help thank you") is not None


def test_styled_and_hidden_letters_are_read() -> None:
    assert find_emergency("𝗴𝗮𝘀 𝗹𝗲𝗮𝗸 on Main") is not None
    assert find_emergency("g\u200bas le\u00adak on Main") is not None


@pytest.mark.parametrize("before", [0, 1_490, 1_650, 3_000, 9_000])
def test_a_cry_at_the_end_of_a_long_post_is_heard(before: int) -> None:
    story = ("The council met again and talked about the budget of the parks. " * 200)[:before]

    assert find_emergency(f"{story} My neighbor's house is on fire, 220 Birch Lane") is not None


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "a " * 50_000,
        "fire " * 20_000,
        "someone " * 12_500,
        "the car is the car is in the " * 3_500,
        "before someone " * 7_000,
        "!" * 100_000,
        "gas, " * 20_000,
        "\ufdfa" * 30_000,
        "no puede " * 11_000,
    ],
)
def test_hostile_posts_cost_little_time(text: str) -> None:
    find_emergency("warm up")

    started = time.thread_time()
    find_emergency(text)

    assert time.thread_time() - started < 10  # of the processor; 0.1 at most here: the rest is room for slow machines


def test_every_danger_has_posts_to_test_it() -> None:
    words = tomllib.loads(WORDS_FILE.read_text(encoding="utf-8"))

    assert {danger["label"] for danger in words["danger"]} == set(POSTS["found"])
