"""``/api/v1/mentions``."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from errors import ConfigError
from pipeline import decide
from store import inbox, loaded, sight
from store.inbox import MentionsWanted, Slice
from store.refusals import Invalid
from web import answers, deps, model_shapes, shapes, shown
from web.asked import Asked, Because, Moment, Name, Paged, Words
from web.deps import Deployed, Responder, Viewer
from web.errors import paging
from web.reach import MentionToChange, SeenMention
from web.why import Asking

router = deps.noun("mentions")


class MentionsAsked(Paged):
    """Filters of the list."""

    platform: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    account: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    intent: shapes.Intent | None = None
    service_code: Name | None = None
    sentiment: shapes.Sentiment | None = None
    urgency: shapes.Urgency | None = None
    state: shapes.MentionState | None = None
    since: Annotated[Moment, Field(description="posted then or later; RFC 3339")] | None = None
    q: (
        Annotated[Words, Field(min_length=1, max_length=200, description="words that the post contains, all of them")]
        | None
    ) = None


class Correction(Asked):
    """What it is instead; what is left out stays."""

    intent: shapes.Intent | None = None
    service_code: Name | None = Field(default=None, description="null: about no service")
    sentiment: shapes.Sentiment | None = None
    urgency: shapes.Urgency | None = None


class DraftAsked(Asked):
    """What the draft shall be; what is left out follows from the facts."""

    template: Name | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    purpose: shapes.Purpose | None = None


class Acknowledgement(Asked):
    """Whether it is one."""

    emergency: bool = True


@router.get("")
def list_mentions(d: Deployed, who: Viewer, asked: Annotated[MentionsAsked, Query()]) -> shapes.Listed[shapes.Mention]:
    """Mentions, the last posted first."""
    wanted = MentionsWanted(**asked.model_dump(exclude={"limit", "cursor"}))
    with d.store.reading() as session, paging():
        found = inbox.mentions(
            session, sight.sight(who, d.services), wanted, Slice(limit=asked.limit, cursor=asked.cursor)
        )
        items = [shown.mention(one) for one in loaded.mentions(session, found.rows)]
    return shapes.Listed(items=items, next=found.next)


@router.get("/{mention_id}")
def one_mention(d: Deployed, _who: Viewer, mention_id: SeenMention) -> shapes.Mention:
    """One mention."""
    return answers.mention(d, mention_id)


@router.get("/{mention_id}/why")
def why(asking: Asking, _who: Viewer, mention_id: SeenMention) -> model_shapes.Why:
    """The words that mattered to the model that answers now: each was left out in turn, and the rest read again.

    It tells what the model did, not whether it was right. 409: the words are gone, or too many ask at once.
    """
    return model_shapes.why(mention_id, asking.why(mention_id))


@router.patch("/{mention_id}")
def correct(d: Deployed, who: Responder, mention_id: MentionToChange, asked: Correction) -> shapes.Mention:
    """Correct the assessment. A pending draft is superseded by one that fits; what staff wrote in it is kept."""
    changes = asked.model_dump(exclude_unset=True)
    if not changes:
        raise Invalid("say what it is: intent, service_code, sentiment or urgency", field="intent")
    for field, value in changes.items():
        if value is None and field != "service_code":
            raise Invalid(f"{field} can't be null", field=field)
    decide.correct(d, who, mention_id, changes=changes)
    return answers.mention(d, mention_id)


@router.post("/{mention_id}/dismiss")
def dismiss(d: Deployed, who: Responder, mention_id: MentionToChange, asked: Because) -> shapes.Mention:
    """Nothing is to be done."""
    decide.dismiss(d, who, mention_id, reason=asked.reason)
    return answers.mention(d, mention_id)


@router.post("/{mention_id}/undismiss")
def undismiss(d: Deployed, who: Responder, mention_id: MentionToChange) -> shapes.Mention:
    """Something is to be done after all."""
    decide.undismiss(d, who, mention_id)
    return answers.mention(d, mention_id)


@router.post("/{mention_id}/draft")
def draft(d: Deployed, who: Responder, mention_id: MentionToChange, asked: DraftAsked | None = None) -> shapes.Draft:
    """Write a draft; a pending one is superseded."""
    wish = (asked or DraftAsked()).model_dump()
    try:
        draft_id = decide.redraft(d, who, mention_id, **wish)
    except ConfigError as err:
        raise Invalid(str(err), field="template") from err
    return answers.draft(d, draft_id)


@router.post("/{mention_id}/acknowledge")
def acknowledge(
    d: Deployed, who: Responder, mention_id: MentionToChange, asked: Acknowledgement | None = None
) -> shapes.Mention:
    """Somebody has seen the alarm and owns it. `emergency: false`: it is none, which is kept as a correction."""
    decide.acknowledge(d, who, mention_id, emergency=asked is None or asked.emergency)
    return answers.mention(d, mention_id)
