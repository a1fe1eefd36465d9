"""What the desk's pages need besides the conversation itself: choices, policies, lengths, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from sqlmodel import Session

from errors import ConfigError
from pipeline.deployment import Deployment
from pipeline.nearby import open_nearby
from pipeline.policies import policy_of_draft
from responders.base import longest
from responders.drafting import templates_for, unfilled
from store.audit import sha
from store.desk import thread
from store.desk.drafts import DraftCard
from store.desk.thread import MentionCard, Thread
from store.desk.undoable import undoable
from store.people import Principal
from store.refusals import Conflict, Forbidden, Invalid
from store.sight import sight
from store.tables import AccountRow, DraftRow, MentionRow
from store.types import now
from vocabulary import Intent, Policy, Purpose, Sentiment, Urgency, Visibility
from web.console_filters import filters_of, query_of
from web.pages import is_htmx, page

REJECT_REASONS = ("Not suitable", "Wrong facts", "Wrong place or service", "Needs no reply", "Answered elsewhere")
DISMISS_REASONS = ("Nothing to do", "Not for the city", "Spam or abuse", "Repeats an earlier post", "A test")
HEADINGS = {403: "This was not allowed", 409: "Somebody or something was quicker", 422: "Please correct this"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why a decision was not taken, beside what was typed."""

    status: int
    message: str
    field: str = ""
    draft_id: int | None = None
    mention_id: int | None = None
    piece: str = ""
    typed: Mapping[str, Any] = made_by(default_factory=dict)

    @property
    def heading(self) -> str:
        """The first line of the error summary."""
        return HEADINGS.get(self.status, "This did not work")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A text by the platform's own count."""

    length: int
    limit: int
    unfilled: tuple[str, ...]


def trouble_of(error: Conflict | Forbidden | Invalid, **where: Any) -> Trouble:
    """A refusal as the page shows it."""
    status = {Conflict: 409, Forbidden: 403, Invalid: 422}[type(error)]
    named = error.field.removeprefix("request.") if isinstance(error, Invalid) else ""
    message = str(error)
    return Trouble(status=status, message=message[:1].upper() + message[1:], field=named, **where)


def measured(d: Deployment, platform: str, text: str, visibility: str = Visibility.PUBLIC) -> Measured:
    """How long a text is on a platform, and what is left to fill in."""
    rule = d.length_rule(platform)
    return Measured(
        length=rule.length(text), limit=longest(rule, Visibility(visibility)), unfilled=tuple(unfilled(text))
    )


def desk_context(d: Deployment, session: Session, who: Principal, found: Thread) -> dict[str, Any]:
    """Everything that the pieces of the desk refer to."""
    drafts = [(card, draft) for card in found.cards for draft in card.drafts]
    answered = {card.id: True for card, draft in drafts if draft.open or draft.on_its_way}
    open_drafts = [(card, draft) for card, draft in drafts if draft.open]
    return {
        "who": who,
        "thread": found,
        "people": thread.people(session),
        "services": d.services,
        "service_names": service_names(d),
        "intents": list(Intent),
        "urgencies": list(Urgency),
        "sentiments": list(Sentiment),
        "purposes": [Purpose.ANSWER, Purpose.CLARIFY, Purpose.REFERRAL, Purpose.CORRECTION],
        "reject_reasons": REJECT_REASONS,
        "dismiss_reasons": DISMISS_REASONS,
        "answered": answered,
        "policies": {draft.id: _policy_line(d, session, draft) for _, draft in open_drafts},
        "lengths": {draft.id: measured(d, found.platform, draft.text, draft.visibility) for _, draft in open_drafts},
        "templates_of": {draft.id: _templates(card, draft) for card, draft in open_drafts},
        "nearby": {draft.id: open_nearby(session, draft.id) for _, draft in drafts if _proposes(draft)},
        "marks": {card.id: mark(card, found) for card in found.cards},
        "posts_mark": sha(repr((found.posts, [card.id for card, draft in drafts if draft.open or draft.on_its_way])))[
            :12
        ],
        "about_mark": sha(repr((found.owner, found.due_at, found.held_reason, found.notes)))[:12],
        "mark": desk_mark(found),
        "trouble": None,
        "said": None,
    }


def desk_mark(found: Thread) -> str:
    """How a conversation reads; another mark says that something on its desk changed."""
    return sha(repr(found))[:16]


def mark(card: MentionCard, found: Thread) -> str:
    """How one card of it reads."""
    return sha(f"{card!r} {len(found.cards) > 1}")[:12]


def bar(d: Deployment, who: Principal, conversation_id: int | None = None) -> dict[str, Any]:
    """What this person can still take back; on a desk, what stands on other desks."""
    with d.store.reading() as session:
        found = undoable(session, who.by, now())
    return {"undoable": [one for one in found if one.conversation_id != conversation_id]}


def service_names(d: Deployment) -> dict[str, str]:
    """The city's names of its services."""
    return {one.service_code: one.service_name for one in d.services}


def show_desk(
    request: Request,
    d: Deployment,
    who: Principal,
    conversation_id: int,
    *,
    piece: str = "",
    mention_id: int | None = None,
    trouble: Trouble | None = None,
    **more: Any,
) -> Response:
    """The desk, or for HTMX the piece of it that changed, with the thread beside it."""
    with d.store.reading() as session:
        found = thread.thread(session, conversation_id, sight(who, d.services))
        context = desk_context(d, session, who, found)
    context |= {"trouble": trouble, "query": query_of(filters_of(request))} | bar(d, who, conversation_id) | more
    status = trouble.status if trouble else 200
    if piece and is_htmx(request):
        if mention_id is not None:
            context["card"] = found.card(mention_id)
        return page(request, f"console/conversations/{piece}", status=status, **context)
    return page(request, "console/conversations/page.html", status=status, **context)


def undone(
    request: Request, d: Deployment, who: Principal, conversation_id: int, act: Callable[[], object]
) -> Response:
    """Take a decision back from the page of another conversation, which stays open."""
    trouble = tried(act)
    told = {"who": who, "trouble": trouble, "back_to": conversation_id}
    return page(request, "console/_undo.html", status=trouble.status if trouble else 200, **told, **bar(d, who))


def tried(act: Callable[[], Any], **where: Any) -> Trouble | None:
    """Take a decision; what is refused comes back as trouble, other faults go up."""
    try:
        act()
    except (Conflict, Forbidden, Invalid) as error:
        return trouble_of(error, **where)
    except ConfigError as error:  # a template that there is none of, or an account that can't write
        return trouble_of(Invalid(str(error), field=""), **where)
    return None


def _proposes(draft: DraftCard) -> bool:
    return draft.proposal is not None and draft.proposal.state == "pending"


def _templates(card: MentionCard, draft: DraftCard) -> list[str]:
    intent = Intent(card.assessed.intent.value or Intent.OTHER) if card.assessed else Intent.OTHER
    return templates_for(Purpose(draft.purpose), intent)


def _policy_line(d: Deployment, session: Session, draft: DraftCard) -> Policy:
    row = session.get_one(DraftRow, draft.id)
    mention = session.get_one(MentionRow, row.mention_id)
    account = session.get_one(AccountRow, row.reply_as_id)
    return policy_of_draft(session, d, row, mention, account)
