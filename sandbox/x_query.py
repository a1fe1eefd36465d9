"""X's search language, as far as a city needs it, turned into a test of one post.

Words (whole, any case), ``"exact phrase"``, ``#tag``, ``@handle``, ``from:``, ``to:``, ``conversation_id:``,
``in_reply_to_tweet_id:``, ``quotes_of_tweet_id:``, ``url:``, ``lang:``, ``is:retweet|reply|quote``,
``has:links|mentions|hashtags|media|images|videos``, ``OR``, parentheses and ``-`` before any of these. AND (a blank)
binds closer than OR, as on X. ``is:``, ``has:`` and ``lang:`` need company, and so does a negation.

Source: docs.x.com/x-api/posts/search/integrate/operators (read 2026-11).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

TOKEN = re.compile(r'\s*(?:(?P<open>-?\()|(?P<close>\))|(?P<term>-?(?:[a-z_]+:)?(?:"[^"]*"|[^\s()"]+)))')
WORD = re.compile(r"\w+")


class BadQuery(ValueError):
    """X would not understand it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Searchable:
    """What can be asked of one post."""

    text: str
    author: str
    to: str | None
    mentions: frozenset[str]
    tags: frozenset[str]
    links: tuple[str, ...]
    conversation_id: str
    in_reply_to: str | None
    quoted: str | None
    lang: str
    media: frozenset[str] = frozenset()  #: kinds


Test = Callable[[Searchable], bool]


@dataclass(frozen=True, slots=True)
class Clause:
    test: Test
    alone: bool  #: whether X takes it without company


def compile_query(query: str) -> Test:
    """The query as a test.

    Raises:
        BadQuery: with X's kind of explanation.
    """
    tokens = _tokens(query)
    clause, rest = _either(tokens)
    if rest:
        raise BadQuery(f"no viable alternative at input '{rest[0]}'")
    if not clause.alone:
        raise BadQuery("Rules must contain at least one positive, non-stopword clause")
    return clause.test


def _tokens(query: str) -> list[str]:
    found, at = [], 0
    query = query.strip()
    while at < len(query):
        hit = TOKEN.match(query, at)
        if hit is None:
            raise BadQuery(f"no viable alternative at character '{query[at]}' (at position {at + 1})")
        found.append(hit[0].strip())
        at = hit.end()
    if not found:
        raise BadQuery("the query is empty")
    return found


def _either(tokens: list[str]) -> tuple[Clause, list[str]]:
    clauses = []
    clause, rest = _all(tokens)
    clauses.append(clause)
    while rest and rest[0] == "OR":
        clause, rest = _all(rest[1:])
        clauses.append(clause)
    if len(clauses) == 1:
        return clauses[0], rest
    return Clause(lambda post: any(one.test(post) for one in clauses), all(one.alone for one in clauses)), rest


def _all(tokens: list[str]) -> tuple[Clause, list[str]]:
    clauses: list[Clause] = []
    while tokens and tokens[0] not in (")", "OR"):
        clause, tokens = _one(tokens)
        clauses.append(clause)
    if not clauses:
        raise BadQuery(f"no viable alternative at input '{tokens[0] if tokens else '<EOF>'}'")
    return Clause(lambda post: all(one.test(post) for one in clauses), any(one.alone for one in clauses)), tokens


def _one(tokens: list[str]) -> tuple[Clause, list[str]]:
    first, rest = tokens[0], tokens[1:]
    if first in ("(", "-("):
        inner, rest = _either(rest)
        if not rest or rest[0] != ")":
            raise BadQuery("missing ')' at '<EOF>'")
        return (_not(inner) if first == "-(" else inner), rest[1:]
    clause = _term(first.removeprefix("-"))
    return (_not(clause) if first.startswith("-") else clause), rest


def _not(clause: Clause) -> Clause:
    return Clause(lambda post: not clause.test(post), False)


def _term(term: str) -> Clause:
    if term.startswith('"'):
        return Clause(_phrase(term.strip('"')), True)
    name, colon, value = term.partition(":")
    if colon and name.isidentifier() and not term.startswith("http"):
        return _operator(name, value.strip('"'))
    if term.startswith("#"):
        return Clause(lambda post: term[1:].lower() in post.tags, True)
    if term.startswith("@"):
        return Clause(lambda post: term[1:].lower() in post.mentions, True)
    return Clause(_phrase(term), True)


def _phrase(phrase: str) -> Test:
    words = WORD.findall(phrase.lower())
    if not words:
        raise BadQuery(f"'{phrase}' has nothing to look for")

    def says(post: Searchable) -> bool:
        there = WORD.findall(post.text.lower())
        return any(there[at : at + len(words)] == words for at in range(len(there) - len(words) + 1))

    return says


def _operator(name: str, value: str) -> Clause:
    known = OPERATORS.get(name)
    if known is None or not value:
        raise BadQuery(
            f"Reference to invalid operator '{name}'. Operator is not available in current product or packaging."
        )
    return Clause(known(value.lower().lstrip("@")), name not in ("is", "has", "lang"))


def _is(value: str) -> Test:
    tests: dict[str, Test] = {
        "retweet": lambda _post: False,
        "reply": lambda post: post.in_reply_to is not None,
        "quote": lambda post: post.quoted is not None,
    }
    if value not in tests:
        raise BadQuery(f"Invalid value for operator 'is': '{value}'")
    return tests[value]


def _has(value: str) -> Test:
    tests: dict[str, Test] = {
        "links": lambda post: bool(post.links),
        "mentions": lambda post: bool(post.mentions),
        "hashtags": lambda post: bool(post.tags),
        "media": lambda post: bool(post.media),
        "images": lambda post: "photo" in post.media,
        "videos": lambda post: "video" in post.media,
    }
    if value not in tests:
        raise BadQuery(f"Invalid value for operator 'has': '{value}'")
    return tests[value]


OPERATORS: dict[str, Callable[[str], Test]] = {
    "from": lambda value: lambda post: post.author == value,
    "to": lambda value: lambda post: post.to == value,
    "conversation_id": lambda value: lambda post: post.conversation_id == value,
    "in_reply_to_tweet_id": lambda value: lambda post: post.in_reply_to == value,
    "quotes_of_tweet_id": lambda value: lambda post: post.quoted == value,
    "url": lambda value: lambda post: any(value in link.lower() for link in post.links),
    "lang": lambda value: lambda post: post.lang == value,
    "is": _is,
    "has": _has,
}
