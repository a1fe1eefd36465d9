"""A city against the sandbox, with a hand to post, to hear, to decide and to count what left the house."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, col, select

from pipeline import decide, rounds
from pipeline.deployment import Deployment
from sandbox.running import Control
from store import content, intake, requests
from store.people import Principal
from store.tables import AttentionRow, DraftRow, MentionRow, RequestProposalRow, ServiceRequestRow
from store.types import now
from tests.deployments import FACEBOOK, X
from tests.fakes import ScriptedClassifier
from tests.fixtures.stores import execute

Row = TypeVar("Row", bound=SQLModel)


@dataclass(kw_only=True)
class City:
    """A deployment against the sandbox, with a hand to post, to hear, to decide and to count."""

    deployment: Deployment
    ctl: Control
    classifier: ScriptedClassifier
    who: Principal

    # residents and the clock

    def post(self, text: str, *, author: str = "jane_elm", platform: str = "x", **more: Any) -> str:
        return self.ctl.post(text, author=author, platform=platform, **more)

    def hear(self) -> None:
        for one in rounds.poll(self.deployment, [X, FACEBOOK]):
            assert one.error is None, one

    def work(self) -> int:
        return rounds.process_all(self.deployment)

    def round(self) -> None:
        self.hear()
        self.work()

    def report(self, text: str = "There is a pothole at 120 Oak Street", **more: Any) -> DraftRow:
        """A post that was heard and drafted for; its draft."""
        return self.draft_of(self.said(text, **more))

    def said(self, text: str, **more: Any) -> str:
        """A post that was heard and worked on; its id."""
        post_id = self.post(text, **more)
        self.round()
        return post_id

    def work_until(self, condition: Callable[[], object]) -> None:
        """Work until something is so, as a worker that wakes up now and then; what is in doubt need not rest first."""

        def met() -> object:
            self.settle()
            self.work()
            return condition()

        wait_for(met)

    def settle(self) -> None:
        """What is in doubt has rested: it is read back next."""
        for kind in ("reply", "ticket"):
            doubtful = f"SELECT CAST(id AS TEXT) FROM {kind} WHERE state = 'in_doubt'"
            waits = f"kind = '{kind}' AND state = 'ready' AND ref IN ({doubtful})"
            self.execute(f"UPDATE {kind} SET not_before = :past WHERE state = 'in_doubt'")
            self.execute(f"UPDATE work SET not_before = :past WHERE {waits}")

    # what stands in the store

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.deployment.store.reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.deployment.store.writing() as session:
            yield session

    def all(self, table: type[Row], *where: Any) -> list[Row]:
        newest_last: Any = getattr(table, "id")  # noqa: B009  SQLModel itself has no id
        with self.reading() as session:
            return list(session.exec(select(table).where(*where).order_by(newest_last)))

    def one(self, table: type[Row], *where: Any) -> Row:
        found = self.all(table, *where)
        assert len(found) == 1, found
        return found[0]

    def get(self, row: Row) -> Row:
        """The row as it stands now."""
        key: Any = row
        with self.reading() as session:
            return session.get_one(type(row), key.id)

    def mention(self, post_id: str) -> MentionRow:
        with self.reading() as session:
            for platform in ("x", "facebook"):
                row = intake.known(session, platform, post_id)
                if row is not None:
                    return row
        raise AssertionError(f"nothing is known of {post_id}")

    def drafts_of(self, post_id: str) -> list[DraftRow]:
        return self.all(DraftRow, DraftRow.mention_id == self.mention(post_id).id)

    def draft_of(self, post_id: str) -> DraftRow:
        """The newest draft of a post."""
        found = self.drafts_of(post_id)
        assert found, f"no draft for {post_id}"
        return found[-1]

    def heir_of(self, draft: DraftRow) -> DraftRow:
        superseded_by = self.get(draft).superseded_by
        assert superseded_by is not None
        return self.one(DraftRow, DraftRow.id == superseded_by)

    def text(self, draft: DraftRow) -> str:
        with self.reading() as session:
            return content.words(session, session.get_one(DraftRow, draft.id).content_id)

    def proposal(self, draft: DraftRow) -> RequestProposalRow | None:
        with self.reading() as session:
            return requests.proposal_of(session, draft.id)

    def request(self, draft: DraftRow) -> ServiceRequestRow:
        request_id = self.get(draft).request_id
        assert request_id is not None
        return self.one(ServiceRequestRow, ServiceRequestRow.id == request_id)

    def attention(self, kind: str) -> list[AttentionRow]:
        return self.all(AttentionRow, AttentionRow.kind == kind, col(AttentionRow.closed_at).is_(None))

    def execute(self, statement: str, **values: Any) -> None:
        """Raw SQL, for what no code of ours does. ``:past`` is a moment ago."""
        execute(self.deployment.store, statement, past=now() - timedelta(seconds=1), **values)

    def age(self, span: timedelta) -> None:
        """Make all that was heard so old that it is looked at again."""
        with self.deployment.store.writing() as session:
            for row in session.exec(select(MentionRow)).all():
                row.collected_at, row.checked_at = row.collected_at - span, None
                session.add(row)

    # decisions and effects

    def approve(self, draft: DraftRow, **given: Any) -> DraftRow:
        now_is = self.get(draft)
        decide.approve(self.deployment, self.who, draft.id, **{"version": now_is.version, **given})
        return self.get(draft)

    def replies(self) -> list[dict[str, Any]]:
        """What the platforms were made to show."""
        return [one for one in self.ctl.effects() if one["kind"] in {"reply", "post"}]

    def tickets(self) -> list[dict[str, Any]]:
        """What the CRM was made to open."""
        return self.ctl.effects(platform="open311")


def wait_for(condition: Callable[[], object], *, within: float = 60) -> None:
    """Until something is so; ``within`` seconds, of which a machine at ease needs none."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {within} s"
        time.sleep(0.02)


def minutes_ago(minutes: float) -> str:
    """A time for the sandbox."""
    return (now() - timedelta(minutes=minutes)).isoformat()
