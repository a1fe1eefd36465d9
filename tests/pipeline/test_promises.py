"""What may be promised of a target, what follows a failure, and that the page about both says what the code does."""

from __future__ import annotations

import pkgutil
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

import crm_bridge
import responders
from errors import AdapterError, InDoubt, NotInvited, RateLimited, Refused, Unauthorized, Unavailable
from pipeline import doctor, promises
from pipeline.promises import Doubles, Next, Then
from tests.pipeline.conftest import Opened
from vocabulary import Offers

PAGE = Path(__file__).parents[2] / "docs" / "targets.md"
HOUR = timedelta(hours=1)
TABLES = {"targets": promises.table_of_targets(), "failures": promises.table_of_failures()}


@pytest.mark.parametrize(
    ("offers", "doubles", "then", "readings", "tries"),
    [
        (Offers(own_record_key=True), Doubles.NEVER, Then.AGAIN, 2, 3),
        (Offers(external_id=True), Doubles.NEVER, Then.AGAIN, 2, 3),
        (Offers(external_id=True, read_back=False), Doubles.NEVER, Then.AGAIN, 0, 3),
        (Offers(idempotency_key=True), Doubles.HARDLY, Then.AGAIN, 2, 3),
        (Offers(idempotency_key=True, key_kept=2 * HOUR), Doubles.HARDLY, Then.AGAIN, 2, 3),
        (Offers(idempotency_key=True, key_kept=HOUR), Doubles.WINDOW, Then.READ_BACK, 2, 3),
        (Offers(idempotency_key=True, key_kept=HOUR, read_back=False), Doubles.PERSON, Then.PERSON, 0, 3),
        (Offers(), Doubles.WINDOW, Then.READ_BACK, 2, 3),
        (Offers(takes_one=True), Doubles.HARDLY, Then.READ_BACK, 2, 3),
        (Offers(lists_late=True), Doubles.WINDOW, Then.READ_BACK, 2, 2),
        (Offers(lists_late=True, external_id=True), Doubles.NEVER, Then.AGAIN, 2, 3),
        (Offers(read_back=False), Doubles.PERSON, Then.PERSON, 0, 3),
    ],
)
def test_no_more_is_promised_than_is_offered(
    offers: Offers, doubles: Doubles, then: Then, readings: int, tries: int
) -> None:
    made = promises.promise(offers, age=HOUR)

    assert (made.doubles, made.then, made.readings, made.tries) == (doubles, then, readings, tries)


def test_what_lists_late_rests_ten_minutes_at_the_usual_settle() -> None:
    late, prompt = promises.promise(Offers(lists_late=True)), promises.promise(Offers())

    assert late.rest(timedelta(seconds=90)) >= timedelta(minutes=10)
    assert prompt.rest(timedelta(seconds=90)) == timedelta(seconds=90)
    assert prompt.rest_from_claim(timedelta(seconds=90)) > timedelta(seconds=90)


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        (Unavailable, Next.LATER),
        (RateLimited, Next.ALLOWED),
        (Unauthorized, Next.KEYS),
        (NotInvited, Next.LOOK_THEN_BY_HAND),
        (Refused, Next.LOOK_THEN_PERSON),
        (InDoubt, Next.DOUBT),
        (AdapterError, Next.DOUBT),
    ],
)
def test_each_class_of_error_says_what_follows(kind: type[AdapterError], follows: Next) -> None:
    assert promises.after_class(kind) is follows


@pytest.mark.parametrize("package", [responders, crm_bridge], ids=lambda package: package.__name__)
def test_every_adapter_declares_what_its_target_offers(package: object) -> None:
    names = [one.name for one in pkgutil.iter_modules(getattr(package, "__path__"))]  # noqa: B009
    modules = [import_module(f"{getattr(package, '__name__')}.{name}") for name in names]  # noqa: B009

    connecting = [module for module in modules if hasattr(module, "connect")]

    assert connecting
    assert [module.__name__ for module in connecting if not isinstance(getattr(module, "OFFERS", None), Offers)] == []


@pytest.mark.parametrize("table", TABLES)
def test_the_page_says_what_the_code_does(table: str) -> None:
    assert TABLES[table] in PAGE.read_text(encoding="utf-8"), (
        f"{PAGE.name} is behind the code: put promises.table_of_{table}() there"
    )


@pytest.mark.only_on("sqlite")
def test_doctor_tells_what_may_be_promised(open_city: Opened) -> None:
    city = open_city()

    told = {finding.what: finding.told for finding in doctor.promised(city.deployment)}

    assert "only in a window" in told["replies of city_hall_x"]
    assert "read back" in told["replies of city_hall_facebook"]
    assert "lists later" in told["tickets in open311"]
