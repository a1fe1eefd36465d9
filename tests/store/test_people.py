"""Staff, grants, links, passwords, sessions and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from store import audit, passwords, people, sign_in
from store.engine import Store
from store.people import Grant, Principal
from store.refusals import Conflict, Invalid, Missing
from store.tables import AccountRow, ApiTokenRow, ConversationRow, DepartmentRow, StaffRow, WebSessionRow
from store.types import now

ANA = "ana@alderfalls.gov"


@pytest.fixture
def store(opened: Store) -> Store:
    return opened


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    with store.writing() as opened:
        opened.add_all([AccountRow(name="city_hall_x", platform="x"), AccountRow(name="parks_x", platform="x")])
        opened.add(DepartmentRow(name="Public Works"))
        opened.flush()
        yield opened


def a_person(session: Session, role: str = "approver", **where: str) -> StaffRow:
    row = people.add_staff(session, ANA, by="test")
    people.grant(session, row, role, by="test", **where)
    return row


def test_a_person_is_added_once_whatever_the_case(session: Session) -> None:
    people.add_staff(session, " Ana@AlderFalls.gov ", by="test")

    with pytest.raises(Conflict):
        people.add_staff(session, ANA, by="test")
    assert people.staff(session, "ANA@alderfalls.gov").email == ANA


@pytest.mark.parametrize("email", ["", "ana", "@x", "a b@x.org", "a@b@c", "a\x00@x.org"])
def test_an_e_mail_that_is_none_is_refused(session: Session, email: str) -> None:
    with pytest.raises(Invalid):
        people.add_staff(session, email, by="test")


def test_who_is_not_on_the_list_is_missing(session: Session) -> None:
    with pytest.raises(Missing):
        people.staff(session, "nobody@x.org")


@pytest.mark.parametrize(
    ("role", "where"),
    [
        ("boss", {}),
        ("viewer", {"account": "nowhere"}),
        ("viewer", {"department": "Nothing"}),
        ("viewer", {"account": "parks_x", "department": "Public Works"}),
        ("admin", {"account": "parks_x"}),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(session: Session, role: str, where: dict[str, str]) -> None:
    row = people.add_staff(session, ANA, by="test")

    with pytest.raises(Invalid):
        people.grant(session, row, role, by="test", **where)


def test_a_grant_given_twice_is_given_once(session: Session) -> None:
    row = a_person(session)
    people.grant(session, row, "approver", by="test")

    assert people.grants_of_one(session, row.id) == (Grant(role="approver"),)


def test_everybody_is_listed_with_what_they_may(session: Session) -> None:
    row = a_person(session, "responder", department="Public Works")

    assert people.everybody(session) == [(row, [Grant(role="responder", department_id=1, department="Public Works")])]


@pytest.mark.parametrize(
    ("held", "asked", "given"),
    [
        ("approver", "viewer", True),
        ("approver", "responder", True),
        ("viewer", "responder", False),
        ("responder", "approver", False),
        ("admin", "viewer", True),
        ("admin", "responder", False),
        ("admin", "approver", False),
        ("approver", "admin", False),
    ],
)
def test_a_role_gives_what_lies_below_but_admin_stands_apart(held: str, asked: str, given: bool) -> None:
    assert Grant(role=held).gives(asked) is given
    assert Principal(by="x", roles=frozenset({held})).may(asked) is given


def test_a_principal_made_by_hand_is_granted_where_its_ids_say() -> None:
    who = Principal(by="x", roles=frozenset({"responder"}), account_ids=frozenset({2}))

    assert who.granted("viewer") == (Grant(role="responder", account_id=2),)
    assert who.may_touch(2)
    assert not who.may_touch(1)


def test_a_link_works_for_a_day_and_the_newest_alone(session: Session) -> None:
    row = a_person(session)
    first = people.new_link(session, row, by="test")
    second = people.new_link(session, row, by="test")

    assert people.of_link(session, first) is None
    assert people.of_link(session, second) == row
    assert people.of_link(session, second, at=now() + timedelta(hours=25)) is None
    assert second not in str(row.model_dump())


def test_a_link_is_used_once_and_ends_other_sign_ins(session: Session) -> None:
    row = a_person(session)
    kept = passwords.hashed("a long walk by the river")
    before = sign_in.use_link(session, people.new_link(session, row, by="test"), kept)
    link = people.new_link(session, row, by="test")
    assert before is not None

    after = sign_in.use_link(session, link, kept)

    assert after is not None
    assert sign_in.principal_of_session(session, before) is None
    assert sign_in.principal_of_session(session, after) is not None
    assert sign_in.use_link(session, link, kept) is None


@pytest.mark.parametrize(
    "password",
    ["short", "x" * 129, "Password1234", "123456789012", "qwertyuiopas", "aaaaaaaaaaaaaaa", f"{ANA}!", "Summer202620"],
)
def test_a_password_that_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check(password, email=ANA)


@pytest.mark.parametrize("password", ["a long walk by the river", "contraseña-ñandú-87", "🌊🚲🌳🏙️🌧️🎺🥁🎻🎷🪕🎸🎹"])
def test_a_long_password_of_any_letters_is_taken_and_kept_as_argon2id(password: str) -> None:
    passwords.check(password, email=ANA)
    kept = passwords.hashed(password)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,")
    assert passwords.matches(kept, password)
    assert not passwords.matches(kept, password + " ")
    assert not passwords.matches(None, password)


def test_a_session_ends_after_a_shift_and_after_a_long_pause(session: Session) -> None:
    row = a_person(session)
    secret = sign_in.finish(session, row.id, right=True)
    assert secret is not None
    started = session.exec(select(WebSessionRow)).one()

    assert sign_in.principal_of_session(session, secret, at=now() + timedelta(hours=7)) is not None
    assert sign_in.principal_of_session(session, secret, at=now() + timedelta(hours=9)) is None
    started.seen_at = now() + timedelta(hours=11)
    assert sign_in.principal_of_session(session, secret, at=now() + timedelta(hours=11.5)) is not None
    assert sign_in.principal_of_session(session, secret, at=now() + timedelta(hours=12.5)) is None
    assert secret not in str(started.model_dump())


def test_tries_are_counted_before_they_are_looked_at_and_never_wait_over_a_minute(session: Session) -> None:
    row = a_person(session)
    moment = now()
    for _ in range(50):
        row.locked_until = None
        assert sign_in.begin(session, ANA, at=moment).staff_id == row.id

    assert row.locked_until is not None
    assert sign_in.begin(session, ANA, at=moment).staff_id is None
    assert sign_in.begin(session, ANA, at=moment + sign_in.LONGEST_WAIT).staff_id == row.id


def test_a_first_slip_makes_nobody_wait(session: Session) -> None:
    row = a_person(session)
    for _ in range(sign_in.FREE_TRIES):
        sign_in.begin(session, ANA)

    assert row.locked_until is None


def test_a_token_acts_in_its_owners_name_and_within_its_role(session: Session) -> None:
    row = a_person(session, "approver", account="parks_x")

    who = people.principal_of_token(session, people.create_token(session, "mine", "viewer", by="test", owner=row))

    assert who is not None
    assert (who.by, who.staff_id, who.token_id) == (ANA, row.id, None)
    assert who.roles == frozenset({"viewer"})
    assert who.account_ids == frozenset({2})
    assert not who.may("responder")


def test_a_token_without_an_owner_is_named_by_itself(session: Session) -> None:
    secret = people.create_token(session, "bot", "responder", by="test")
    who = people.principal_of_token(session, secret)

    assert who is not None
    assert (who.by, who.staff_id, who.token_id, who.account_ids) == ("token:bot", None, 1, None)
    assert secret.startswith("hk_")
    assert secret not in str(session.get_one(ApiTokenRow, 1).model_dump())


@pytest.mark.parametrize("secret", ["", "hk_", "hk_wrong", "wrong"])
def test_a_wrong_token_is_nobodys(session: Session, secret: str) -> None:
    people.create_token(session, "bot", "responder", by="test")

    assert people.principal_of_token(session, secret) is None


def test_a_token_can_hold_no_role_that_its_owner_lacks(session: Session) -> None:
    row = a_person(session, "responder")

    with pytest.raises(Invalid):
        people.create_token(session, "much", "approver", by="test", owner=row)
    with pytest.raises(Invalid):
        people.create_token(session, "more", "admin", by="test", owner=row)
    with pytest.raises(Invalid):
        people.create_token(session, "no name", "viewer", by="test")


def test_a_grant_taken_back_is_gone_from_the_token_at_once(session: Session) -> None:
    row = a_person(session)
    secret = people.create_token(session, "mine", "approver", by="test", owner=row)
    given = people.grant(session, row, "approver", by="test")
    people.revoke(session, given, by="test")

    who = people.principal_of_token(session, secret)

    assert who is not None
    assert not who.may("viewer")


def test_disabling_ends_sessions_links_tokens_and_claims_and_keeps_the_person(session: Session) -> None:
    row = a_person(session)
    secret = sign_in.finish(session, row.id, right=True)
    link = people.new_link(session, row, by="test")
    token = people.create_token(session, "mine", "approver", by="test", owner=row)
    session.add(
        ConversationRow(platform="x", conversation_key="1", claimed_by_id=row.id, claimed_at=now(), owner_id=row.id)
    )
    session.flush()

    people.disable(session, row, by="test")

    session.expire_all()
    thread = session.get_one(ConversationRow, 1)
    assert secret is not None
    assert sign_in.principal_of_session(session, secret) is None
    assert people.of_link(session, link) is None
    assert people.principal_of_token(session, token) is None
    assert (thread.claimed_by_id, thread.owner_id) == (None, None)
    assert sign_in.begin(session, ANA).staff_id is None
    assert people.staff(session, ANA).id == row.id
    with pytest.raises(Conflict):
        people.new_link(session, row, by="test")


def test_every_step_is_on_record_without_a_secret_in_it(session: Session) -> None:
    row = a_person(session)
    link = people.new_link(session, row, by="admin@x.org")
    sign_in.use_link(session, link, passwords.hashed("a long walk by the river"))
    token = people.create_token(session, "mine", "viewer", by="admin@x.org", owner=row)
    people.disable(session, row, by="admin@x.org")

    entries = audit.entries(session, before=None, limit=50)

    assert [one.action for one in reversed(entries)] == [
        "staff.added", "staff.granted", "staff.link_made", "staff.password_set", "token.created", "staff.disabled",
    ]  # fmt: skip
    assert audit.verify(session).holds
    assert not any(secret in str(one.model_dump()) for one in entries for secret in (link, token))
