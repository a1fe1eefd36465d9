"""The labelled posts that we train and evaluate on: which sets there are, on what terms, and what each may teach.

The sets themselves lie outside the repository (``harken train --data``); only our own posts are in it.
"""

import hashlib
import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from classifiers.model_folder import NO_SERVICE, SERVICE_INTENTS
from classifiers.normalise import normalise
from vocabulary import GENERAL_CODES, Intent, Sentiment, Urgency

log = logging.getLogger(__name__)

OWN_POSTS = Path(__file__).parent / "training"
HELD_OUT = "heldout_*.jsonl"  #: own posts by writers who wrote nothing else: read by the evaluation only
TUNED_ON = "tuned_on.jsonl"  #: own posts that were looked at while thresholds were chosen: they calibrate
READ = "read.jsonl"  #: what our readers said of rows of the sets; the texts stay in the sets


#: Labels of each head, in the order of its logits.
HEADS: dict[str, tuple[str, ...]] = {
    "intent": tuple(Intent),
    "service_code": (*GENERAL_CODES, NO_SERVICE),
    "sentiment": tuple(Sentiment),
    "urgency": tuple(Urgency),
}


TWEETS = frozenset({"sentiment", "sentiment_es"})  #: sets that know a tweet's mood alone
NEVER_SEEN = "airline"  #: neither learned from nor tuned on, wherever its rows stand: it shows how we do elsewhere


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """One set of labelled posts and the terms it came under."""

    name: str
    title: str
    terms: frozenset[str]  #: "nc": non-commercial; "x": tweets, under X's developer terms; "unstated"
    licence: str


SETS: dict[str, DataSet] = {
    found.name: found
    for found in (
        DataSet(
            name="own",
            title="posts written for Harken (classifiers/training)",
            terms=frozenset(),
            licence="ours, as the rest of the repository",
        ),
        DataSet(
            name="sentiment",
            title="SemEval-2013-2017 task 4A tweets (TweetEval, Barbieri et al. 2020)",
            terms=frozenset({"x"}),
            licence="research use, X developer terms",
        ),
        DataSet(
            name="sentiment_es",
            title="Spanish tweets, XLM-T UMSAB (Barbieri et al. 2022)",
            terms=frozenset({"x"}),
            licence="research use, X developer terms",
        ),
        DataSet(
            name="complaints",
            title="tweets to companies (Preotiuc-Pietro et al., ACL 2019)",
            terms=frozenset({"x"}),
            licence="research use, X developer terms",
        ),
        DataSet(
            name="crisis",
            title="CrisisLexT26 tweets (Olteanu et al. 2015)",
            terms=frozenset({"x"}),
            licence="research use, X developer terms",
        ),
        DataSet(
            name="airline",
            title="Twitter US Airline Sentiment (Crowdflower 2015)",
            terms=frozenset({"nc", "x"}),
            licence="CC BY-NC-SA 4.0",
        ),
        DataSet(
            name="civic_tweets",
            title="posts to Bengaluru's civic bodies",
            terms=frozenset({"x"}),
            licence="MIT repository; X developer terms for tweets",
        ),
        DataSet(
            name="seeclickfix",
            title="311 requests of Atlanta, Newport and Virginia (SeeClickFix)",
            terms=frozenset({"nc"}),
            licence="CC BY-NC-SA 3.0 US",
        ),
        DataSet(
            name="publicstuff",
            title="311 requests of New York and Hoboken (PublicStuff)",
            terms=frozenset({"unstated"}),
            licence="not stated",
        ),
        DataSet(
            name="sf311",
            title="311 requests of San Francisco (DataSF)",
            terms=frozenset(),
            licence="PDDL",
        ),
    )
}

_CITY_SETS = {"new_york": "publicstuff", "hoboken": "publicstuff", "san_francisco": "sf311"}  # the others: seeclickfix

#: Folders whose texts the model's vocabulary is made from, and the sets whose terms they carry.
_TEXTS = {
    "intents": ("seeclickfix", "sentiment"),
    "requests311": ("seeclickfix", "publicstuff"),
    "civic_tweets": ("civic_tweets",),
    "sentiment": ("sentiment",),
    "sentiment_es": ("sentiment_es",),
    "complaints": ("complaints",),
    "crisis": ("crisis",),
}

#: Categories of civic_tweets that agree with our readers often enough (0.8 and up where both name a service;
#: Potholes, Streetlights, Traffic/Parking and Sanitation do not).
_CIVIC_SERVICES = {
    "Waste/Garbage": "trash_dumping",
    "Water": "water_sewer_drain",
    "Sewage": "water_sewer_drain",
    "Air": "air_quality",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One labelled post; a head without a label learns nothing from it."""

    text: str
    labels: dict[str, str] = field(default_factory=dict)  #: head -> label
    source: str  #: name of its DataSet
    folder: str  #: where it was read
    language: str | None = None
    city: str | None = None  #: of requests311: where it was written


def read_part(data: Path, folder: str, part: str) -> list[Example]:
    """One part (``train`` or ``val``) of one folder of the data, with every label that it can teach."""
    convert = _READERS[folder]
    return [convert(row) for row in _rows(data / folder / f"{part}.jsonl")]


def own_posts(folder: Path = OWN_POSTS) -> tuple[list[Example], list[Example]]:
    """Our own posts: to learn from, and to calibrate on, which are one in eight by a hash of the text, and TUNED_ON."""
    learn: list[Example] = []
    calibrate: list[Example] = []
    for path in sorted(folder.glob("*.jsonl")):
        if path.match(HELD_OUT) or path.name == READ:
            continue
        for row in _rows(path):
            digest = hashlib.sha256(str(row["text"]).encode("utf-8", "replace")).digest()
            apart = path.name == TUNED_ON or digest[0] % 8 == 0
            (calibrate if apart else learn).append(_labelled({**row, "from": "own"}))
    return learn, calibrate


def held_out_posts(folder: Path = OWN_POSTS) -> list[Example]:
    """Our own posts that no training and no calibration ever reads."""
    return [_labelled({**row, "from": "own"}) for path in sorted(folder.glob(HELD_OUT)) for row in _rows(path)]


def read_posts(data: Path, folder: Path = OWN_POSTS) -> tuple[list[Example], list[Example]]:
    """Rows of the sets that our readers labelled for all heads: to learn from, and one in eight to calibrate on.

    They were chosen where an earlier model was least sure, so they are harder than the sets' average. A row that is not
    the one that was read is left out, with a warning: the labels would be another post's.
    """
    path = folder / READ
    texts: dict[str, list[str]] = {}
    learn: list[Example] = []
    calibrate: list[Example] = []
    others = 0
    for said in _rows(path) if path.exists() else ():
        name, number = str(said["set"]), int(str(said["row"]))
        if name not in texts:
            rows = data / name / "train.jsonl"
            texts[name] = [str(row["text"]) for row in _rows(rows)] if rows.exists() else []
        text = texts[name][number] if number < len(texts[name]) else ""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        if not digest.startswith(str(said["sha256"])):
            others += 1
            continue
        example = replace(_labelled({**said, "text": text, "from": name}), folder="read")
        (calibrate if int(digest[:2], 16) % 8 == 0 else learn).append(example)
    if others:
        log.warning("%d of the posts that our readers labelled are not in %s: is it the same data?", others, data)
    return learn, calibrate


def allowed(examples: Iterable[Example], exclude_terms: frozenset[str]) -> list[Example]:
    """Those whose set has none of the excluded terms."""
    return [example for example in examples if not SETS[example.source].terms & exclude_terms]


def without_copies(examples: Iterable[Example], keep_out: Iterable[Example]) -> list[Example]:
    """Those whose normalised text is in none of ``keep_out``: the sets overlap, and copies would flatter us."""
    return _not_among(examples, _folded(keep_out))


def _folded(examples: Iterable[Example]) -> set[str]:
    return {normalise(example.text).casefold() for example in examples}


def _not_among(examples: Iterable[Example], seen: set[str]) -> list[Example]:
    return [example for example in examples if normalise(example.text).casefold() not in seen]


def calibration_examples(data: Path, exclude_terms: frozenset[str] = frozenset()) -> list[Example]:
    """What temperatures and thresholds are set on: validation parts and a share of our own posts."""
    examples = [
        *map(as_used, read_part(data, "intents", "val")),
        # All are reports: on them the intent head would look surer than it is.
        *(
            replace(example, labels={"service_code": example.labels["service_code"]})
            for example in read_part(data, "requests311", "val")
        ),
        *read_part(data, "sentiment", "val"),
        *map(as_used, read_posts(data)[1]),
        *map(as_used, own_posts()[1]),
    ]
    return allowed((one for one in examples if one.source != NEVER_SEEN), exclude_terms)


def as_used(example: Example) -> Example:
    """Without its service if it concerns none: there the service head is never asked, right or wrong."""
    if example.labels.get("intent", Intent.REPORT) in SERVICE_INTENTS:
        return example
    return _without(example, "service_code")


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much of a set one epoch sees."""

    examples: list[Example]
    times: float  #: 2: each row twice an epoch; 0.5: half of the rows, others each epoch

    def draw(self, rng: random.Random) -> list[Example]:
        whole, part = divmod(self.times, 1)
        return self.examples * int(whole) + rng.sample(self.examples, int(part * len(self.examples)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of the training: what it learns, how often, how fast."""

    shares: list[Share]
    epochs: int
    rate: float  #: highest learning rate of the encoder
    after: tuple[int, ...] = ()  #: it begins with the mean of what these stages ended with; else where the model is
    keeps_moods_of: int | None = None  #: of tweets it is to go on saying what the model said at this stage's end


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planned:
    """A stage by the names of what it learns."""

    rate: float
    after: tuple[int, ...] = ()
    all_moods: bool = False  #: of our readers and writers too, not those of one post in three
    calm: bool = False  #: the tweets count as no emergencies
    shares: dict[str, float]  #: set -> how often an epoch sees it


_RECIPE = (
    _Planned(
        rate=1e-4,
        shares={
            "sentiment": 1,
            "sentiment_es": 3,
            "requests311": 2,
            "intents": 2,
            "civic services": 0.3,
            "civic noise": 0.2,
        },
    ),
    _Planned(
        rate=6e-5,
        after=(0,),
        shares={
            "intents": 3,
            "own": 2,
            "read": 2,
            "requests311": 2,
            "sentiment": 0.4,
            "sentiment_es": 1,
            "civic services": 0.05,
            "civic noise": 0.05,
        },
    ),
    _Planned(
        rate=6e-5,
        after=(0,),
        shares={"intents": 1, "own": 1, "read": 1, "requests311": 1, "sentiment": 0.6, "sentiment_es": 1.5},
    ),
    _Planned(
        rate=4e-5,
        after=(1, 2),
        shares={"intents": 2, "own": 2, "read": 2, "requests311": 2, "sentiment": 0.3, "sentiment_es": 1},
    ),
    _Planned(
        rate=5e-5,
        after=(3,),
        all_moods=True,
        shares={"intents": 2, "own": 3, "read": 2, "requests311": 2, "sentiment": 0.6, "sentiment_es": 1},
    ),
    _Planned(
        rate=3e-5,
        after=(4,),
        all_moods=True,
        calm=True,
        shares={
            "intents": 0.5,
            "own": 1,
            "read": 0.5,
            "requests311": 0.5,
            "sentiment": 0.2,
            "sentiment_es": 0.3,
            "civic noise": 0.1,
        },
    ),
    _Planned(
        rate=4e-5,
        after=(5,),
        all_moods=True,
        calm=True,
        shares={
            "intents": 1,
            "own": 2,
            "read": 1,
            "requests311": 1,
            "sentiment": 0.6,
            "sentiment_es": 0.6,
            "civic noise": 0.15,
        },
    ),
    _Planned(
        rate=3e-5,
        after=(6,),
        all_moods=True,
        calm=True,
        shares={
            "intents": 0.7,
            "own": 2,
            "read": 0.7,
            "requests311": 0.7,
            "sentiment": 0.4,
            "sentiment_es": 0.5,
            "civic noise": 0.5,
        },
    ),
)


def training_stages(
    data: Path, exclude_terms: frozenset[str] = frozenset(), leave_out_cities: frozenset[str] = frozenset()
) -> list[Stage]:
    """First the large sets, each for its own head; then, from there and from the mean, what was read for all heads.

    Two stages begin where the first one ended, both with some of the large sets too, the second with many tweets; a
    fourth begins with the mean of the two. Our readers judge mood by other rules than the tweets' did, and all of our
    moods would cost the tweets 0.02: so the last stages alone learn all of them, and of tweets go on saying what the
    first one said. The very last learns besides that tweets from anywhere are nothing to ring for: of 683 that were
    hardest to tell, our readers found none to be.

    ``NEVER_SEEN`` stays out. ``leave_out_cities`` of requests311 do, to see how we do in a city that we never saw.
    """
    kept_apart = _folded(
        [
            *calibration_examples(data),
            *read_part(data, "intents", "val"),
            *read_part(data, "requests311", "val"),
            *read_part(data, "sentiment", "val"),
            *read_part(data, "sentiment_es", "val"),
            *read_part(data, "airline", "val"),
            *held_out_posts(),
        ]
    )
    civic = read_part(data, "civic_tweets", "train")
    sets = {
        "sentiment": read_part(data, "sentiment", "train"),
        "sentiment_es": read_part(data, "sentiment_es", "train"),
        "requests311": [one for one in read_part(data, "requests311", "train") if one.city not in leave_out_cities],
        "civic services": [one for one in civic if one.labels and "intent" not in one.labels],
        "civic noise": [one for one in civic if "intent" in one.labels],
        "intents": [one for one in read_part(data, "intents", "train") if one.source != NEVER_SEEN],
        "read": read_posts(data)[0],
        "own": own_posts()[0],
    }
    if leave_out_cities:  # which city a request among these is of was not noted
        for name in ("intents", "read"):
            sets[name] = [one for one in sets[name] if one.source != "seeclickfix"]
    learned = {name: _not_among(allowed(posts, exclude_terms), kept_apart) for name, posts in sets.items()}
    few = {name: _few_moods(posts) for name, posts in learned.items() if name in {"intents", "read", "own"}}
    thinned = learned | few if learned["sentiment"] else learned
    calm = {name: [_with(one, "urgency", Urgency.NORMAL) for one in learned[name]] for name in TWEETS}
    return [
        Stage(
            shares=[
                Share(
                    examples=((learned if stage.all_moods else thinned) | (calm if stage.calm else {}))[name],
                    times=times,
                )
                for name, times in stage.shares.items()
            ],
            epochs=1,
            rate=stage.rate,
            after=stage.after,
            keeps_moods_of=0 if stage.all_moods and learned["sentiment"] else None,
        )
        for stage in _RECIPE
    ]


def _few_moods(examples: Iterable[Example]) -> list[Example]:
    """The posts, two in three without their sentiment, by a hash of the text."""
    return [one if _digest(one)[1] % 3 == 0 else _without(one, "sentiment") for one in examples]


def _digest(example: Example) -> bytes:
    return hashlib.sha256(example.text.encode("utf-8", "replace")).digest()


def _with(example: Example, head: str, label: str) -> Example:
    return replace(example, labels={**example.labels, head: label})


def _without(example: Example, left_out: str) -> Example:
    return replace(example, labels={head: label for head, label in example.labels.items() if head != left_out})


def texts_to_read(data: Path, exclude_terms: frozenset[str] = frozenset()) -> Iterator[str]:
    """Posts of every set and of ours, labelled or not: what they are made of is what the model must be able to read."""
    for folder, terms in _TEXTS.items():
        rows = data / folder / "train.jsonl"
        if rows.exists() and not any(SETS[name].terms & exclude_terms for name in terms):
            for row in _rows(rows):
                yield str(row["text"])
    for example in own_posts()[0]:
        yield example.text


def restyle(example: Example, rng: random.Random) -> str:
    """The text with or without a handle in front.

    311 requests have none and tweets to companies nearly all do: left so, ``@user`` alone would mean ``other``.
    """
    text = example.text
    if example.folder in {"requests311", "civic_tweets"} and not text.startswith("@") and rng.random() < 0.4:
        return f"@user {text}"
    if text.startswith("@") and rng.random() < 0.3:
        return " ".join(word for word in text.split(" ") if not word.startswith("@")) or text
    return text


def _rows(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def _labelled(row: dict[str, object]) -> Example:
    """A post that was read for all four heads."""
    source = str(row["from"])
    language = row.get("language") or ("es" if source == "sentiment_es" else None)
    labels = {
        "intent": str(row["intent"]),
        "service_code": str(row["service"] or NO_SERVICE),
        "urgency": str(row["urgency"]),
        "sentiment": str(row["sentiment"]),
    }
    return Example(
        text=str(row["text"]),
        labels={head: label for head, label in labels.items() if label in HEADS[head]},
        source="seeclickfix" if source == "requests311" else source,  # the strictest terms of its parts
        folder="own" if source == "own" else "intents",
        language=str(language) if language else None,
    )


def _request(row: dict[str, object]) -> Example:
    return Example(
        text=str(row["text"]),
        labels={"intent": "report", "service_code": str(row["label"])},
        source=_CITY_SETS.get(str(row["city"]), "seeclickfix"),
        folder="requests311",
        language="en",
        city=str(row["city"]),
    )


def _civic(row: dict[str, object]) -> Example:
    labels: dict[str, str] = {}
    if row["label"] == "noncivic":  # 120 of 121 that our readers saw
        labels = {"intent": "other", "service_code": NO_SERVICE, "urgency": "normal"}
    elif service := _CIVIC_SERVICES.get(str(row["label"])):
        labels = {"service_code": service}
    return Example(text=str(row["text"]), labels=labels, source="civic_tweets", folder="civic_tweets")


def _tweet(row: dict[str, object], source: str, language: str) -> Example:
    return Example(
        text=str(row["text"]), labels={"sentiment": str(row["label"])}, source=source, folder=source, language=language
    )


_READERS: dict[str, Callable[[dict[str, object]], Example]] = {
    "intents": _labelled,
    "requests311": _request,
    "civic_tweets": _civic,
    "sentiment": partial(_tweet, source="sentiment", language="en"),
    "sentiment_es": partial(_tweet, source="sentiment_es", language="es"),
    "airline": partial(_tweet, source="airline", language="en"),
}
