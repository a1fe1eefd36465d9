"""Storing what a listener read: for the account that heard it, and what others of the city's wrote for those."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from pipeline.deployment import Deployment, account_row
from store import intake
from store.intake import Taken
from vocabulary import Mention, OwnPost, Page


def store_page(deployment: Deployment, session: Session, name: str, source: str, page: Page) -> Taken:
    """Store a page of one account's source, in the transaction of whoever says how far that source was heard."""
    account = deployment.settings.accounts[name]
    theirs, ours = _parted(deployment, page)
    taken = Taken()
    for sibling, posts in ours.items():
        row = account_row(session, sibling)
        own = Page(own_posts=tuple(posts))
        taken.add(intake.take_page(session, row, source, own, reply_within=account.reply_within))
    row = account_row(session, name)
    taken.add(intake.take_page(session, row, source, theirs, reply_within=account.reply_within))
    return taken


def _parted(deployment: Deployment, page: Page) -> tuple[Page, dict[str, list[OwnPost]]]:
    """The page without what another account of the city wrote, and that: a city does not report to itself."""
    ours: dict[str, list[OwnPost]] = {}
    theirs = []
    for mention in page.mentions:
        sibling = _sibling(deployment, mention)
        if sibling is None:
            theirs.append(mention)
            continue
        post = OwnPost(
            platform=mention.platform,
            post_id=mention.post_id,
            conversation_key=mention.conversation_key,
            text=mention.text,
            posted_at=mention.posted_at,
            in_reply_to=mention.in_reply_to,
            url=mention.url,
        )
        ours.setdefault(sibling, []).append(post)
    return (replace(page, mentions=tuple(theirs)), ours) if ours else (page, ours)


def _sibling(deployment: Deployment, mention: Mention) -> str | None:
    """Our account that wrote a post, known by its handle or, where handles are not unique, by its id."""
    if mention.author is None:
        return None
    for name, account in deployment.accounts().items():
        if account.platform != mention.platform:
            continue
        page_id = account.table.get("page_id")
        known = page_id if page_id is not None else account.handle.lstrip("@").casefold()
        if known and known == (mention.author.platform_user_id if page_id else mention.author.handle.casefold()):
            return name
    return None
