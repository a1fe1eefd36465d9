"""What a model said of a set of labelled posts, ready to be counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from classifiers import corpus, language
from classifiers.calibrate import Answers, Logits
from classifiers.corpus import Example
from classifiers.emergency import EmergencyFound, find_emergency
from classifiers.figures import Floats, Labels, Marks
from classifiers.model_folder import ModelConfig
from vocabulary import Urgency

#: Words of a post, and the length that it counts as.
SHORT, LONG = 10, 30
LENGTHS = (f"short (to {SHORT} words)", f"middle (to {LONG})", "long")


class PostSet:
    """Labelled posts of one origin. What the patterns and the language detection say of them is asked once."""

    def __init__(self, name: str, examples: Sequence[Example], kinds: Sequence[str | None] | None = None) -> None:
        self.name = name
        self.examples = tuple(examples)
        self.kinds = tuple(kinds) if kinds is not None else (None,) * len(self.examples)

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def words(self) -> tuple[EmergencyFound | None, ...]:
        """What the patterns of ``emergency.toml`` find in each post."""
        return tuple(find_emergency(example.text) for example in self.examples)

    @property
    def by_words(self) -> Marks:
        """Which posts the patterns find danger in."""
        return np.array([found is not None for found in self.words], dtype=np.bool_)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """As the writer or the set says, else as we detect: ``en``, ``es``, ``mixed`` or ``other``."""
        said = [example.language or language.detect(example.text) for example in self.examples]
        return tuple(one if one in {"en", "es", "mixed"} else "other" for one in said)

    @cached_property
    def lengths(self) -> tuple[str, ...]:
        """Which of ``LENGTHS`` each post has."""
        words = [len(example.text.split()) for example in self.examples]
        return tuple(LENGTHS[(count > SHORT) + (count > LONG)] for count in words)

    def marks(self, head: str, label: str) -> Marks:
        """Which posts have this label."""
        return np.array([example.labels.get(head) == label for example in self.examples], dtype=np.bool_)

    def of_kind(self, kind: str) -> Marks:
        """Which posts their writer wrote as this kind: an ``emergency``, a ``lookalike``."""
        return np.array([one == kind for one in self.kinds], dtype=np.bool_)

    def in_language(self, code: str) -> Marks:
        """Which posts are in this language."""
        return np.array([one == code for one in self.languages], dtype=np.bool_)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Graded:
    """One head's answers to the posts that are labelled for it."""

    labels: tuple[str, ...]
    probabilities: Floats  #: Shape: (posts, labels)
    wanted: Labels  #: Shape: (posts,)
    rows: Labels  #: where in the set these posts stand; Shape: (posts,)

    def __len__(self) -> int:
        return len(self.wanted)

    @property
    def said(self) -> Labels:
        """The most likely label of each."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> Floats:
        """Its probability."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def right(self) -> Marks:
        """Where it is what was wanted."""
        return np.asarray(self.said == self.wanted)

    def number(self, label: str) -> int:
        """Where a label stands among the logits."""
        return self.labels.index(label)

    def where(self, marks: Marks) -> "Graded":
        """Those of the posts that are marked. Shape: (posts,)."""
        return Graded(
            labels=self.labels,
            probabilities=self.probabilities[marks],
            wanted=self.wanted[marks],
            rows=self.rows[marks],
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reading:
    """All that a model said of a set."""

    posts: PostSet
    config: ModelConfig
    logits: Mapping[str, Logits]  #: head -> Shape: (posts, labels)

    def probabilities(self, head: str) -> Floats:
        """Calibrated. Shape: (posts, labels)."""
        answers = Answers(logits=self.logits[head], wanted=np.zeros(len(self.posts), dtype=np.intp))
        return answers.probabilities(self.config.heads[head].temperature, self.config.heads[head].bend)

    def graded(self, head: str) -> Graded:
        """Against the labels; the service head only where a service is concerned, since elsewhere it is not asked."""
        labels = self.config.heads[head].labels
        used = [corpus.as_used(example) for example in self.posts.examples]
        rows = np.array([at for at, example in enumerate(used) if head in example.labels], dtype=np.intp)
        wanted = np.array([labels.index(used[at].labels[head]) for at in rows], dtype=np.intp)
        return Graded(labels=labels, probabilities=self.probabilities(head)[rows], wanted=wanted, rows=rows)

    @property
    def by_model(self) -> Marks:
        """Which posts the model sends to the emergency lane."""
        return np.asarray(self._danger() >= self.config.emergency)

    @property
    def in_lane(self) -> Marks:
        """Which posts the model or the patterns send there, as the pipeline does."""
        return self.by_model | self.posts.by_words

    def _danger(self) -> Floats:
        number = self.config.heads["urgency"].labels.index(Urgency.EMERGENCY)
        return np.asarray(self.probabilities("urgency")[:, number])

    def most_likely(self, head: str) -> list[str]:
        """The label said of each post, labelled or not."""
        labels = self.config.heads[head].labels
        return [labels[number] for number in self.logits[head].argmax(axis=1)]


def together(one: Reading, other: Reading) -> Reading:
    """Both sets as one."""
    posts = PostSet(
        f"{one.posts.name} and {other.posts.name}",
        (*one.posts.examples, *other.posts.examples),
        (*one.posts.kinds, *other.posts.kinds),
    )
    logits = {head: np.concatenate([rows, other.logits[head]]) for head, rows in one.logits.items()}
    return Reading(posts=posts, config=one.config, logits=logits)
