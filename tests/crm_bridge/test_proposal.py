"""What staff see of a proposed request, and what the public may."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.proposal import MAX_DESCRIPTION, propose, public_description
from vocabulary import Place, RequestProposal, Service

POTHOLE = Service(service_code="pothole", service_name="Pothole")
OAK = Place(text="by my house", address="120 Oak Street, Alder Falls", lat=44.97, long=-93.26, neighborhood="Riverside")
URL = "https://x.com/oakstreetsam/status/1800000000000000001"


def proposed(text: str = "Huge pothole at 120 Oak St", **changes: Any) -> RequestProposal:
    facts: dict[str, Any] = {
        "service": POTHOLE,
        "place": OAK,
        "reference": "AF-7QK2M9",
        "posted_at": datetime(2026, 8, 14, 9, 5, tzinfo=timezone(timedelta(hours=-5))),
        "platform": "x",
        "url": URL,
    }
    return propose(text, **facts | changes)


def test_staff_get_the_words_and_the_facts() -> None:
    assert proposed() == RequestProposal(
        service_code="pothole",
        description=(
            "Huge pothole at 120 Oak St\n\n"
            "Service: Pothole (pothole)\n"
            "Place: 120 Oak Street, Alder Falls, Riverside\n"
            "Posted: 2026-08-14 14:05 UTC on X\n"
            "Reference: AF-7QK2M9"
        ),
        public_description="Pothole, 100 block of Oak Street",
        address="120 Oak Street, Alder Falls",
        lat=44.97,
        long=-93.26,
    )


def test_nobody_is_named() -> None:
    text = f"@alderfalls I'm @jo, 612-555-0134, jo@mail.example.com, plate ABC123 {URL}"

    description = proposed(text, thread_texts=["@jo again, 612-555-0199"]).description

    assert "[handle]" in description
    assert not [word for word in ("jo", "sam", "555", "ABC123", "http", "x.com") if word in description]


def test_what_was_said_before_is_there_too() -> None:
    description = proposed(thread_texts=["It is deep", " ", "And wide"]).description

    assert description.endswith("Earlier in the conversation:\n- It is deep\n- And wide")


def test_no_markup_and_no_hidden_characters_reach_the_crm() -> None:
    description = proposed("<script>alert(1)</script> <b>deep</b> < 3 feet\u202e \u200bhole\x07").description

    assert not set(description) & set("<>\u202e\u200b\x07")
    assert "deep ‹ 3 feet" in description.replace("  ", " ")


def test_without_a_place_it_says_so() -> None:
    proposal = proposed(place=None)

    assert "Place: not given" in proposal.description
    assert (proposal.address, proposal.lat, proposal.long) == ("", None, None)
    assert proposal.public_description == "Pothole"


def test_a_vague_place_is_called_so() -> None:
    assert "Place: Oak Street (not precise)" in proposed(place=Place(text="Oak Street", precise=False)).description


def test_the_longest_post_keeps_its_facts() -> None:
    proposal = proposed("word " * 20_000, thread_texts=["more " * 5_000])

    assert len(proposal.description) <= MAX_DESCRIPTION
    assert "Reference: AF-7QK2M9" in proposal.description
    assert "Earlier in the conversation" in proposal.description
    assert proposal.description.endswith("…")


@given(st.text(max_size=6000), st.lists(st.text(max_size=3000), max_size=4))
def test_no_post_makes_it_too_long_or_html(text: str, thread_texts: list[str]) -> None:
    description = proposed(text, thread_texts=thread_texts).description

    assert len(description) <= MAX_DESCRIPTION
    assert not set(description) & set("<>")
    assert "Reference: AF-7QK2M9" in description


@pytest.mark.parametrize(
    ("address", "rounded"),
    [
        ("120 Oak Street", "100 block of Oak Street"),
        ("1234 W 45th St, Alder Falls, MN 55401", "1200 block of W 45th St"),
        ("1234 Oak St Apt 5", "1200 block of Oak St"),
        ("1234 Oak St #5", "1200 block of Oak St"),
        ("42 Oak St", "first block of Oak St"),
        ("120B Oak St", "100 block of Oak St"),
        ("120 1/2 Oak St", "100 block of Oak St"),
        ("100-150 Oak St", "100 block of Oak St"),
        ("450 5th Ave", "400 block of 5th Ave"),
        ("Calle Roble 345", "300 block of Calle Roble"),
        ("Oak St and 5th Ave", "Oak St and 5th Ave"),
        ("Oak St & 5th Ave, Alder Falls", "Oak St and 5th Ave"),
        ("Oak / Elm", "Oak and Elm"),
        ("Calle Roble y Calle Ocho", "Calle Roble and Calle Ocho"),
        ("1234 Oak St and Elm", "Oak St and Elm"),
        ("Oak Street", "Oak Street"),
        ("Building 1234", "Riverside"),
        ("", "Riverside"),
    ],
)
def test_the_public_sees_a_block_a_crossing_or_a_neighborhood(address: str, rounded: str) -> None:
    assert public_description(POTHOLE, replace(OAK, address=address)) == f"Pothole, {rounded}"


@given(st.integers(min_value=1, max_value=99999))
def test_no_house_number_is_ever_public(number: int) -> None:
    public = public_description(POTHOLE, replace(OAK, address=f"{number} Oak St"))

    assert number % 100 == 0 or str(number) not in public.split()


def test_the_residents_own_words_are_never_public() -> None:
    proposal = proposed("my name is Jo", place=Place(text="behind Jo Smith's garage"))

    assert proposal.public_description == "Pothole"


def test_what_is_confidential_or_not_public_shows_no_place() -> None:
    assert public_description(replace(POTHOLE, confidential=True), OAK) == "Pothole"
    assert public_description(replace(POTHOLE, public=False), OAK) == ""


def test_a_time_is_told_in_utc() -> None:
    assert "2026-08-14 23:30 UTC" in proposed(posted_at=datetime(2026, 8, 14, 23, 30, tzinfo=UTC)).description
