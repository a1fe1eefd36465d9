"""A busy day in Alder Falls, for the pages that must be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import select

from pipeline import decide
from store import attention, intake, outbound, people
from store.people import Principal
from store.tables import AccountRow, DraftRow, GapRow, ReplyRow, StaffRow
from store.types import now
from tests.web.console.conftest import City
from vocabulary import HeardHow, Place

SEARCH = HeardHow.SEARCH
TRICKY = (
    "Pothole at 700 Oak Street \u202egnp.exe\u202c see http://evil.example/<script>alert(1)</script> \u200b👩\u200d🚒"
)


@dataclass
class Day:
    """Where to look."""

    report: int
    emergency: int
    spanish: int
    clarify: int
    tricky: int
    sent: int
    failed: int
    held: int
    gone: int
    crowd: int
    by_hand: int
    quiet: int
    request_id: int
    token: str


def who(city: City) -> Principal:
    """The approver, as the pipeline knows them."""
    city.session_of("approver")
    with city.deployment.store.reading() as session:
        row = session.exec(select(StaffRow).where(StaffRow.email == "approver@alderfalls.example")).one()
        return people.principal_of_staff(row, people.grants_of_one(session, row.id))


def a_day(city: City) -> Day:
    """Everything that a page can show."""
    me = who(city)
    sent = _sent(city, me)
    day = Day(
        report=city.hears(
            "Another huge pothole at 510 Oak Street, it took my tire", author="sam", please_check=("urgency",)
        ),
        emergency=city.hears(
            "I smell gas at 300 Elm Street, strong", intent="report", service_code="power_outage", urgency="emergency"
        ),
        spanish=city.hears("Hay un bache enorme en 900 Pine Street", language="es", author="lucia"),
        clarify=city.hears("There is a pothole on my street, come on", place=None, author="kim", thread="crowd"),
        tricky=city.hears(TRICKY, author="mallory"),
        sent=sent,
        failed=city.hears("Pothole at 100 Main Street", author="lee"),
        held=city.hears("The pothole at 1200 Cedar Street again", author="ana", ago=timedelta(hours=30)),
        gone=city.hears("I take this back", author="gone", thread="crowd"),
        crowd=city.hears("Same here, pothole at 620 Oak Street", author="pat", thread="crowd"),
        by_hand=city.hears("Nobody told the city of the pothole at 800 Elm Street", author="eve", heard_how=SEARCH),
        quiet=city.hears("Taxes up, roads down", intent="complaint", service_code=None, place=None, author="gene"),
        request_id=0,
        token="",
    )
    _after(city, me, day)
    return day


def _sent(city: City, me: Principal) -> int:
    place = Place(text="500 Oak Street", address="500 Oak Street", lat=44.2837, long=-90.44623)
    sent = city.hears("Pothole at 500 Oak Street", author="first", place=place, ago=timedelta(hours=5))
    draft = city.draft_of(sent)
    decide.approve(city.deployment, me, draft.id, version=draft.version)
    with city.deployment.store.writing() as session:
        reply = session.exec(select(ReplyRow).where(ReplyRow.draft_id == draft.id)).one()
        outbound.confirm(session, reply, post_id="777", url="https://x.example/alderfalls/status/777", sent_at=now())
    return sent


def _after(city: City, me: Principal, day: Day) -> None:
    held = city.draft_of(day.held)
    decide.hold(city.deployment, me, held.id, reason="waiting for the street crew")
    decide.note(city.deployment, me, city.mention(day.report).conversation_id, text="Called Public Works at 9.")
    by_hand = city.draft_of(day.by_hand)
    decide.approve(city.deployment, me, by_hand.id, version=by_hand.version, parts=["reply"])
    failed = city.draft_of(day.failed)
    decide.approve(city.deployment, me, failed.id, version=failed.version)
    with city.deployment.store.writing() as session:
        reply = session.exec(select(ReplyRow).where(ReplyRow.draft_id == failed.id)).one()
        row = session.get_one(DraftRow, failed.id)
        reply.state = row.state = "failed"
        reply.error = row.error = "X refused it: the author limits who can reply"
        session.add_all([reply, row])
        day.request_id = city.draft_of(day.sent).request_id or 0
        account = session.exec(select(AccountRow).where(AccountRow.name == "city_hall_x")).one()
        attention.raise_(
            session,
            kind="unreadable",
            ref="a",
            account_id=account.id,
            summary="city_hall_x: an item of mentions could not be read: no author_id",
            remedy="replay it after an upgrade that reads it, or discard it",
        )
        session.add(GapRow(account_id=account.id, source="mentions", to_at=now(), reason="first round"))
        intake.forget(session, "x", city.mention(day.gone).post_id)
