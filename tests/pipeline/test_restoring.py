"""After a restore the world knows more than the store: what went out since the backup is found, and not sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from pipeline import records
from store import backup, restore
from store.tables import AuditRow, DraftRow, ReplyRow, TicketRow
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened

GoBack = Callable[[], City]


@pytest.fixture
def save(city: City, open_city: Opened, tmp_path: Path) -> Callable[[], GoBack]:
    """Takes a backup of the city; what it gives goes back to it, and opens the city again."""
    path = tmp_path / "city.backup"

    def make() -> GoBack:
        backup.make(city.deployment.store, path, records.checkpoints_of(city.deployment.settings))
        return go_back

    def go_back() -> City:
        held = city.deployment
        restore.restore(
            held.store,
            path,
            records.checkpoints_of(held.settings),
            folder=held.settings.folder,
            settle=timedelta(minutes=5),
            by="test",
            replace=True,
        )
        held.store.close()
        return open_city()

    return make


def audited(city: City) -> list[str]:
    with city.reading() as session:
        return list(session.exec(select(AuditRow.action).order_by(col(AuditRow.seq))))


def goes_out(city: City, draft: DraftRow) -> tuple[str | None, str | None]:
    """Work until reply and ticket stand; their ids there."""
    city.work_until(lambda: city.get(draft).state == "sent" and city.one(TicketRow).state == "open")
    return city.one(ReplyRow).post_id, city.one(TicketRow).service_request_id


def test_what_was_sent_after_the_backup_is_adopted_and_not_sent_again(city: City, save: Callable[[], GoBack]) -> None:
    draft = city.report()
    city.approve(draft)
    go_back = save()
    stands = goes_out(city, draft)

    again = go_back()

    assert (again.get(draft).state, again.one(ReplyRow).state, again.one(TicketRow).state) == ("in_doubt",) * 3
    again.work()  # it rests first
    assert again.one(ReplyRow).state == "in_doubt"
    assert goes_out(again, draft) == stands
    assert (len(again.replies()), len(again.tickets())) == (1, 1)
    actions = audited(again)
    assert actions.index("store.restored") < actions.index("reply.sent")


@pytest.mark.only_on("sqlite")
def test_what_was_not_sent_after_the_backup_is_sent_once(city: City, save: Callable[[], GoBack]) -> None:
    draft = city.report()
    city.approve(draft)
    go_back = save()

    again = go_back()
    goes_out(again, draft)

    assert (len(again.replies()), len(again.tickets())) == (1, 1)


@pytest.mark.only_on("sqlite")
def test_what_was_being_sent_when_the_backup_was_taken_is_adopted(city: City, save: Callable[[], GoBack]) -> None:
    draft = city.report()
    city.approve(draft)
    city.ctl.faults("x", "500", after_effect=True)
    city.work_until(lambda: city.replies())
    go_back = save()
    stands = goes_out(city, draft)

    assert goes_out(go_back(), draft) == stands
    assert (len(city.replies()), len(city.tickets())) == (1, 1)


def test_what_was_approved_after_the_backup_and_is_approved_again_stands_once(
    city: City, save: Callable[[], GoBack]
) -> None:
    draft = city.report()
    go_back = save()
    city.approve(draft)
    reply, ticket = goes_out(city, draft)

    again = go_back()
    again.approve(draft)  # before it has listened: nothing here knows of the reply
    again.work_until(lambda: again.all(TicketRow, col(TicketRow.state) == "open"))
    again.round()

    assert again.one(TicketRow).service_request_id == ticket
    assert (len(again.replies()), len(again.tickets())) == (1, 1)
    assert [row.post_id for row in again.all(ReplyRow, ReplyRow.state == "sent")] == [reply]
