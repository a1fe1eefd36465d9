"""Listening: one complete round over an account, page by page, each page and its mark in one transaction."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

from sqlmodel import Session

import crashing
from errors import AdapterError, RateLimited, Refused, Unauthorized, Unavailable
from pipeline import storing
from pipeline.deployment import Deployment, account_row
from store import attention, breaker, intake, ranges, work
from store.engine import TROUBLE
from store.intake import Taken
from store.leader import NotLeadingError
from store.types import now
from vocabulary import Page

log = logging.getLogger(__name__)

#: Platforms list neither edits nor deletions, so posts are looked at again: up to which age, and how often. X bills a
#: post that is read again once a UTC day ($0.005 in 2026-02), however often: so the young ones cost no more for being
#: looked at every quarter of an hour, and older ones are looked at about once a day, within the 24 hours in which X
#: wants what was deleted gone. Source: press of 2026-02-06 on X's pay-per-use (the prices that bind are in its
#: developer console); developer policy, "Compliance" (read 2026-08).
LOOK_RHYTHM = ((timedelta(days=2), timedelta(minutes=15)), (timedelta(days=30), timedelta(hours=20)))
#: A network of one's own is looked at so often that one sees it happen.
LOOK_RHYTHM_ON_LOOPBACK = (
    (timedelta(days=2), timedelta(seconds=20)),
    (timedelta(days=30), timedelta(seconds=20)),
)
LOOK_AT_MOST = 100  #: a round; X looks up so many in one call


#: What a source that could not be read waits for: another than this.
VERSION = version("harken")


class Halted(AdapterError):
    """So much of a source can't be read that it is not walked on: staff are told, and its range stays open."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(f"too much of {source} can't be read; see what needs attention of {name}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one round over an account brought."""

    account: str
    collected: int = 0
    new: int = 0
    gaps: int = 0
    ms: int = 0
    error: str | None = None
    unreadable: int = 0  #: posts that were set aside


def listen(deployment: Deployment, name: str) -> Round:
    """One complete round over an account. Its failure is told, kept on the account's row, and stops no other."""
    began = time.monotonic()
    taken = Taken()
    listener = deployment.listener(name)
    error: AdapterError | None = None
    try:
        for source in listener.sources:
            error = _heard(deployment, name, source, taken) or error
        _look_again(deployment, name, taken)
    except AdapterError as err:
        error = err
    except (*TROUBLE, NotLeadingError):  # no trouble of the account's: told by whoever runs us
        raise
    except Exception as err:
        log.exception("listening on %s broke", name, extra={"account": name})
        error = Unavailable(f"a fault of ours ({type(err).__name__}); the log has more")
    with deployment.store.writing() as session:
        _note(session, name, error)
        gaps = len(ranges.gaps(session, account_row(session, name).id))
    if taken.deleted:
        deployment.store.forget_freed_pages()
    ms = int((time.monotonic() - began) * 1000)
    log.info("heard %d new of %d on %s in %d ms", taken.new, taken.collected, name, ms, extra={"account": name})
    return Round(
        account=name,
        collected=taken.collected,
        new=taken.new,
        gaps=gaps,
        ms=ms,
        unreadable=taken.unreadable,
        error=None if error is None else f"{type(error).__name__}: {error}",
    )


def _heard(deployment: Deployment, name: str, source: str, taken: Taken) -> AdapterError | None:
    """Walk one source; a refusal of it, or of ours, is given back, since it keeps no other source from being heard."""
    try:
        _walk(deployment, name, source, taken)
    except (Refused, Halted) as err:
        return err
    return None


def _walk(deployment: Deployment, name: str, source: str, taken: Taken) -> None:
    account = deployment.settings.accounts[name]
    with deployment.store.writing() as session:
        row = account_row(session, name)
        held = ranges.open_range(session, row.id, source, backfill=account.backfill)
        halted = breaker.stopped(session, row, source, version=VERSION)
    if halted:
        raise Halted(name, source)
    try:
        for page in deployment.listener(name).pages(held.wanted):
            crashing.here("page.fetched")
            _store(deployment, name, held.range_id, source, page, taken)
    except Refused:
        if held.wanted.resume_at is not None:  # the platform no longer takes our page mark: from the newest end again
            with deployment.store.writing() as session:
                ranges.restart(session, held.range_id)
        raise


def _store(deployment: Deployment, name: str, range_id: int, source: str, page: Page, taken: Taken) -> None:
    """Store a page, and how far the walk has come; a source that has become unreadable comes no further.

    Raises:
        Halted: it has; what could be read of the page is stored, and the rest is set aside.
    """
    with deployment.store.writing() as session:
        brought = storing.store_page(deployment, session, name, source, page)
        crashing.here("page.stored")
        read, lost = brought.new + brought.own, brought.unreadable
        row = account_row(session, name)
        halted = breaker.note(session, row, source, read=read, unreadable=lost, version=VERSION)
        if not halted:
            ranges.advance(session, range_id, page)
            crashing.here("page.advanced")
    crashing.here("page.committed")
    taken.add(brought)
    if halted:
        raise Halted(name, source)


def _look_again(deployment: Deployment, name: str, taken: Taken) -> None:
    """Notice edits and deletions: platforms list neither."""
    account = deployment.settings.accounts[name]
    rhythm = LOOK_RHYTHM_ON_LOOPBACK if account.is_loopback else LOOK_RHYTHM
    moment = now()
    with deployment.store.writing() as session:
        row = account_row(session, name)
        due = intake.due_for_a_look(session, row, rhythm=rhythm, limit=LOOK_AT_MOST)
        ids = [mention.current_post_id for mention in due]
    if not ids:
        return
    edits, gone = deployment.listener(name).look_again(ids)
    crashing.here("look_again.heard")
    with deployment.store.writing() as session:
        row = account_row(session, name)
        taken.add(
            intake.take_page(
                session, row, "look_again", Page(edits=edits, deletions=gone), reply_within=account.reply_within
            )
        )
        intake.mark_looked_at(session, [mention.id for mention in due], moment)
        crashing.here("look_again.stored")


def _note(session: Session, name: str, error: AdapterError | None) -> None:
    """Keep how the account fares: a dead token is an open gap that everybody sees, never silence.

    A source that was halted by itself is no failure of the account, whose other sources are heard as ever.
    """
    row = account_row(session, name)
    row.last_try_at = now()
    if error is None or isinstance(error, Halted):
        row.state, row.error, row.failures, row.not_before = "ok", str(error) if error else None, 0, None
        row.last_success_at = row.last_try_at
        attention.settle(session, "account", name)
    else:
        row.failures += 1
        row.error = f"{type(error).__name__}: {error}"[:500]
        row.state = _state(error)
        row.not_before = _retry_at(error, row.failures, row.last_try_at)
        if isinstance(error, Unauthorized) or row.failures >= 5:
            remedy = "renew its keys in secrets.env and restart" if isinstance(error, Unauthorized) else "see the error"
            summary = f"{name} can't be heard: {row.error}"
            attention.raise_(session, kind="account", ref=name, account_id=row.id, summary=summary, remedy=remedy)
    session.add(row)


def _state(error: AdapterError) -> str:
    if isinstance(error, Unauthorized):
        return "unauthorized"
    return "rate_limited" if isinstance(error, RateLimited) else "ok"


def _retry_at(error: AdapterError, failures: int, moment: datetime) -> datetime:
    if isinstance(error, RateLimited):
        return error.retry_at
    return moment + work.wait_after(failures)
