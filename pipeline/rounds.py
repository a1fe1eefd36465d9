"""Running the stages: rounds of listening, and everything that is due, until nothing is."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlmodel import Session

from errors import AdapterError
from pipeline import act_replies, act_tickets, alarms, assess, draft, follow_up, listen, retracting, sweep
from pipeline.deployment import Deployment, account_row
from pipeline.listen import Round
from store import attention
from store.types import now

log = logging.getLogger(__name__)

#: This process, on whatever machine; the last part tells it from one that had its number before.
WORKER = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(2)}"


def poll(deployment: Deployment, names: list[str] | None = None, *, only_due: bool = False) -> list[Round]:
    """One round over the accounts and the CRM's status changes. One account's failure never stops another's."""
    wanted = names or list(deployment.accounts())
    rounds = [listen.listen(deployment, name) for name in wanted if not only_due or _may_try(deployment, name)]
    if deployment.crm is not None and not names:
        rounds.append(poll_crm(deployment))
    return rounds


def _may_try(deployment: Deployment, name: str) -> bool:
    with deployment.store.reading() as session:
        row = account_row(session, name)
        return row.not_before is None or row.not_before <= now()


def poll_crm(deployment: Deployment) -> Round:
    """One round over the CRM's changes."""
    began = time.monotonic()
    seen, error = 0, None
    try:
        seen, _closed = follow_up.poll_crm(deployment)
    except AdapterError as err:
        error = f"{type(err).__name__}: {err}"
        with deployment.store.writing() as session:
            summary = f"the CRM can't be read: {error[:300]}"
            attention.raise_(session, kind="account", ref="crm", summary=summary, remedy="see [crm] and its key")
    return Round(account="crm", collected=seen, ms=int((time.monotonic() - began) * 1000), error=error)


def process(deployment: Deployment, *, worker: str = WORKER) -> int:
    """Take everything that is due a step further, once; gives how much was done. Alarms come first."""
    return understand(deployment, worker=worker) + act(deployment, worker=worker)


def understand(deployment: Deployment, *, worker: str = WORKER) -> int:
    """Read what is new, and ring for who is in danger: never behind a call to a platform or a CRM that hangs."""
    done = assess.assess_due(deployment, worker=worker)
    return done + alarms.ring(deployment)


def act(deployment: Deployment, *, worker: str = WORKER) -> int:
    """Draft, file, post, retract and look for doubles; gives how much was done."""
    done = draft.draft_due(deployment, worker=worker)
    done += act_tickets.file_due(deployment, worker=worker)
    done += act_replies.send_due(deployment, worker=worker)
    return done + look_after(deployment, worker=worker)


def look_after(deployment: Deployment, *, worker: str = WORKER) -> int:
    """See to what was posted: take back what is to go, and look for doubles."""
    done = retracting.retract_due(deployment, worker=worker)
    return done + sweep.sweep_due(deployment, worker=worker)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What one thread of a worker does, over and over."""

    name: str
    step: Callable[[Deployment], int]  #: gives how much was done
    kinds: tuple[str, ...]  #: of the work rows that it takes
    rings: bool = False  #: alarms too


#: Each has a thread: a CRM that hangs keeps no reply from going out, and neither keeps a post from being read.
STAGES = (
    Stage(name="drafts", step=partial(draft.draft_due, worker=WORKER), kinds=(draft.KIND,)),
    Stage(name="tickets", step=partial(act_tickets.file_due, worker=WORKER), kinds=(act_tickets.KIND,)),
    Stage(name="replies", step=partial(act_replies.send_due, worker=WORKER), kinds=(act_replies.KIND,)),
    Stage(name="care", step=look_after, kinds=(retracting.KIND, sweep.KIND)),
    Stage(name="lookout", step=understand, kinds=(assess.KIND,), rings=True),
)


def process_all(deployment: Deployment, *, worker: str = WORKER, at_most: timedelta = timedelta(hours=12)) -> int:
    """Repeat until nothing is due now; gives how much was done."""
    total, until = 0, time.monotonic() + at_most.total_seconds()
    while time.monotonic() < until:
        done = process(deployment, worker=worker)
        if done == 0:
            break
        total += done
    return total


def alarms_due(session: Session, deployment: Deployment) -> bool:
    """Whether an alarm is to ring now."""
    return bool(alarms.due(session, deployment, now()))
