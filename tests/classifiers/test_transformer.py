import math
import tracemalloc

import pytest

from classifiers import transformer
from classifiers.transformer import TransformerClassifier
from vocabulary import GENERAL_CODES, Intent, Sentiment, Urgency

POSTS = [
    "Huge pothole on Larch Street by the bakery, two cars got flat tires already",
    "",
    "Any update on the broken streetlight I reported three weeks ago?",
    "¿A qué hora abre la oficina de licencias el lunes?",
    "Thank you to the crew that cleared our street so fast!",
    "This council only cares about downtown. Shameful.",
    "What a game last night",
    "graffiti all over the underpass wall at Mill Road",
    "trash has not been picked up on Elm for two weeks and it stinks, rats and flies all over the alley",
    "😡😡😡",
]

HOSTILE = {
    "empty": "",
    "blank": " \t\n\r ",
    "NUL": "pothole\x00 on Main\x00",
    "lone surrogate": "pothole \ud83d on Main \udc00",
    "100 kB of letters": "a" * 100_000,
    "100 kB of words": "pothole " * 12_500,
    "100 kB of emoji": "😡" * 25_000,
    "joined emoji": "👩‍👩‍👧‍👦" * 3_000,
    "combining marks": "e" + "\u0301" * 50_000,
    "handles": "@" * 100_000,
    "hashtags": "#Fix" * 25_000,
    "entities": "&amp;" * 20_000 + "&#x110000;&#55296;",
    "right to left": "\u202epothole\u202c \u2066on Main\u2069",
    "escapes": "\\ud83d\\ude00 \\uZZZZ",
    "expanding": "\ufdfa" * 30_000,
}


@pytest.fixture(scope="module")
def classifier() -> TransformerClassifier:
    return transformer.load()


def test_every_head_gives_probabilities_over_all_its_labels(classifier: TransformerClassifier) -> None:
    scores = classifier.classify([POSTS[0]])[0].scores

    assert {head: set(labels) for head, labels in scores.items()} == {
        "intent": set(Intent),
        "service_code": {*GENERAL_CODES, "none"},
        "sentiment": set(Sentiment),
        "urgency": set(Urgency),
    }
    assert all(math.isclose(sum(labels.values()), 1, abs_tol=1e-9) for labels in scores.values())


def test_the_labels_are_the_most_likely_ones(classifier: TransformerClassifier) -> None:
    for said in classifier.classify(POSTS):
        assert said.scores["intent"][said.intent] == max(said.scores["intent"].values())
        assert said.scores["sentiment"][said.sentiment] == max(said.scores["sentiment"].values())
        assert said.scores["urgency"][said.urgency] == max(said.scores["urgency"].values())


def test_a_service_is_named_only_where_one_is_concerned(classifier: TransformerClassifier) -> None:
    for said in classifier.classify(POSTS):
        if said.intent in {"report", "status", "question"}:
            assert said.service_code in {*GENERAL_CODES, None}
        else:
            assert said.service_code is None


def test_a_post_gets_the_same_answer_alone_and_among_others(classifier: TransformerClassifier) -> None:
    together = classifier.classify(POSTS * 3)

    assert together == [classifier.classify([text])[0] for text in POSTS] * 3


def test_one_thread_answers_as_many_do(classifier: TransformerClassifier) -> None:
    assert transformer.load(threads=1).classify(POSTS) == classifier.classify(POSTS)


def test_answers_come_in_the_order_of_the_posts(classifier: TransformerClassifier) -> None:
    forwards = classifier.classify(POSTS)

    assert classifier.classify(POSTS[::-1]) == forwards[::-1]


def test_nothing_in_nothing_out(classifier: TransformerClassifier) -> None:
    assert classifier.classify([]) == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(10)
def test_hostile_posts_are_answered_like_any_other(classifier: TransformerClassifier, text: str) -> None:
    said = classifier.classify([text])[0]

    assert all(math.isclose(sum(labels.values()), 1, abs_tol=1e-9) for labels in said.scores.values())


def test_a_long_post_costs_little_memory(classifier: TransformerClassifier) -> None:
    classifier.classify(["warm up"])
    tracemalloc.start()

    classifier.classify(["pothole on Main 😡 " * 50_000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 5_000_000


def test_hidden_characters_do_not_change_the_answer(classifier: TransformerClassifier) -> None:
    plain, hidden = classifier.classify(["broken streetlight on Elm", "bro\u200bken street\u00adlight \u202aon Elm"])

    assert plain == hidden


@pytest.mark.parametrize(
    ("text", "intent", "service_code"),
    [
        ("Huge pothole on Larch Street by the bakery, it ate my tire", "report", "pothole_road"),
        ("graffiti all over the underpass wall at Mill Road", "report", "graffiti"),
        ("The streetlight in front of 12 Birch Lane has been out since Monday", "report", "streetlight"),
        ("Water main break at Oak and 3rd, street is flooding", "report", "water_sewer_drain"),
        ("Overflowing trash cans at the corner of 5th and Vine", "report", "trash_dumping"),
        ("Tree branch hanging over the sidewalk on Maple, looks ready to drop", "report", "tree_vegetation"),
        ("Thank you so much to the crew who plowed our street this morning!", "praise", None),
        ("Can't believe that penalty, what a game", "other", None),
    ],
)
def test_it_reads_plain_posts_as_a_person_would(
    classifier: TransformerClassifier, text: str, intent: str, service_code: str | None
) -> None:
    said = classifier.classify([text])[0]

    assert (said.intent, said.service_code) == (intent, service_code)


def test_the_answer_names_the_model(classifier: TransformerClassifier) -> None:
    said = classifier.classify(["pothole"])[0]

    assert said.model == f"{classifier.config.name}-{classifier.config.version}"
