"""Every template, over the facts it may meet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import emoji
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twitter_text import parse_tweet

from errors import ConfigError
from responders.drafting import Case, all_templates, quotable, templates_for, unfilled, write_draft
from vocabulary import Intent, Outcome, Place, Purpose, Sentiment, Service, Urgency

POTHOLE = Service(service_code="pothole", service_name="Pothole", service_name_es="Bache")
LONG = Service(
    service_code="long",
    service_name="Abandoned or Inoperable Vehicle on a Public Street, Alley or City-Owned Parking Lot",
    service_name_es="Vehículo abandonado o descompuesto en la vía pública, callejón o estacionamiento municipal",
)
SECRET = Service(service_code="camp", service_name="Encampment", confidential=True, handled_by="Harbor House")
PARTNER = Service(service_code="power", service_name="Power outage", handled_by="Prairie Electric Cooperative")
SERVICES = [None, POTHOLE, LONG, SECRET, PARTNER]

OAK = Place(text="on oak near the school", address="120 Oak St")
FAR = Place(
    text="x",
    address="12745 North Reverend Doctor Martin Luther King Junior Memorial Parkway East, Alder Falls, MN 55401",
)
PLACES = [None, OAK, FAR]

WEDNESDAY = datetime(2026, 9, 24, 3, 0, tzinfo=UTC)  # in Chicago it is still the 23rd, the longest day to spell
LINK = "https://311.alderfalls.example.gov/r/Zx81kQ0___vXXXXt"
REFERENCES = [None, "AF-7QK2M9", "AF-2B9XTR", "AF-K3M8PD", "AF-9W4HZC", "AF-5J7NQV", "AF-C6R2YF"]

A_CASE = Case(
    city="Alder Falls",
    time_zone="America/Chicago",
    languages=("en", "es"),
    platform="x",
    intent=Intent.REPORT,
    purpose=Purpose.ANSWER,
    sentiment=Sentiment.NEUTRAL,
    urgency=Urgency.NORMAL,
    language="en",
    author_handle="oakstreetsam",
    service=POTHOLE,
    reference="AF-7QK2M9",
    place=OAK,
)


def weight(text: str) -> int:
    """X's own count: URLs are 23, most Latin letters 1."""
    return int(parse_tweet(text).weightedLength)


def written(case: Case, template: str | None = None, **changes: Any) -> str:
    """The text for a case, whatever its length."""
    return write_draft(replace(case, **changes), length=len, max_length=5000, template=template).text


def cases() -> Iterator[Case]:
    """Facts in every combination that can change a wording."""
    flags = itertools.product(SERVICES, PLACES, [None, LINK], [None, WEDNESDAY], [False, True], Sentiment)
    for seed, (service, place, link, expected_at, after_hours, sentiment) in enumerate(flags):
        yield replace(
            A_CASE,
            service=service,
            place=place,
            link=link,
            expected_at=expected_at,
            after_hours=after_hours,
            sentiment=sentiment,
            reference=REFERENCES[seed % len(REFERENCES)],
            author_handle=f"resident{seed}",
            outcome=[None, *Outcome][seed % 9],
            request_status=[None, "open", "closed"][seed % 3],
        )


CASES = list(cases())
EACH = pytest.mark.parametrize(
    ("template", "language"), list(itertools.product(all_templates(), ["en", "es"])), ids=lambda value: str(value)
)


@cache
def texts(template: str, language: str) -> list[tuple[Case, str]]:
    """A template's text for every case."""
    fixed: dict[str, Any] = {"outcome": Outcome.FIXED} if template == "follow_up_fixed" else {}
    made = [replace(case, language=language, **fixed) for case in CASES]
    return [(case, written(case, template)) for case in made]


@EACH
def test_every_template_makes_clean_sentences_of_any_facts(template: str, language: str) -> None:
    for case, text in texts(template, language):
        assert text, case
        assert not unfilled(text), text
        assert not re.search(r"\s[.,;?]|\.\.|  |\bNone\b|“”|\(\)|[.?:][^\W\d]", re.sub(r"https?://\S+", "", text)), text
        assert re.search(r"[.?]$|gov/\S+$", text), text
        assert text[0].isupper() or text[0] == "¿", text
        assert not re.search(r"[!¡@#]", text), text
        assert not emoji.emoji_count(text), text
        assert text.count("¿") in ({text.count("?")} if language == "es" else {0}), text


@EACH
def test_no_template_makes_up_a_link_or_a_date(template: str, language: str) -> None:
    for case, text in texts(template, language):
        assert ("http" in text) <= bool(case.link), text
        assert bool(re.search("September|septiembre", text)) <= bool(case.expected_at), text


@EACH
def test_no_template_speaks_of_a_repair_that_is_not_the_outcome(template: str, language: str) -> None:
    for case, text in texts(template, language):
        assert bool(re.search(r"\bfixed|arreglad", text)) <= (case.outcome is Outcome.FIXED), text


@EACH
def test_no_template_tells_what_a_confidential_case_is_about(template: str, language: str) -> None:
    for case, text in texts(template, language):
        if case.service is SECRET:
            assert not re.search("Encampment|Harbor|Oak|King|http|eptember|eptiembre", text), text


@EACH
def test_every_wording_fits_a_post_on_x(template: str, language: str) -> None:
    fixed: dict[str, Any] = {"outcome": Outcome.FIXED} if template == "follow_up_fixed" else {}
    flags = itertools.product(
        [LONG, replace(LONG, handled_by="Prairie Electric Cooperative")], [False, True], REFERENCES
    )

    for service, after_hours, reference in flags:
        case = replace(
            A_CASE,
            service=service,
            place=FAR,
            after_hours=after_hours,
            sentiment=Sentiment.NEGATIVE,
            reference=reference,
            link=LINK,
            expected_at=WEDNESDAY,
            language=language,
        )
        drafted = write_draft(replace(case, **fixed), length=weight, max_length=280, template=template)
        assert drafted.text, drafted
        assert weight(drafted.text) <= 280, drafted.text


QUOTES_NO_REFERENCE = {"praise", "status_unknown", "emergency_self_harm"}


@pytest.mark.parametrize("template", sorted(set(all_templates()) - QUOTES_NO_REFERENCE))
def test_a_reply_quotes_our_reference(template: str) -> None:
    case = replace(A_CASE, outcome=Outcome.FIXED)

    assert "Reference AF-7QK2M9" in written(case, template)
    assert "Referencia AF-7QK2M9" in written(case, template, language="es")


def test_a_long_report_keeps_reference_date_and_link_and_shortens_the_rest() -> None:
    case = replace(A_CASE, service=LONG, place=FAR, link=LINK, expected_at=WEDNESDAY, language="es")

    drafted = write_draft(case, length=weight, max_length=220)

    assert drafted.template == "report.short.es"
    assert "Referencia AF-7QK2M9" in drafted.text
    assert "miércoles 23 de septiembre" in drafted.text
    assert LINK in drafted.text
    assert "“Vehículo abandonado” en" in drafted.text
    assert "55401" not in drafted.text


def test_a_value_is_cut_between_words_and_not_after_a_small_one() -> None:
    words = quotable("Abandoned vehicle on a public street", 24)

    assert words == "Abandoned vehicle"


def test_a_wording_that_cannot_fit_is_no_text_and_says_why() -> None:
    drafted = write_draft(A_CASE, length=len, max_length=20)

    assert drafted.text == ""
    assert drafted.reason == "no wording of 'report' fits into 20"


# Which template the facts suggest


@pytest.mark.parametrize(
    ("changes", "template"),
    [
        ({}, "report.en"),
        ({"language": "es"}, "report.es"),
        ({"language": "es-MX"}, "report.es"),
        ({"language": "und"}, "report.en"),
        ({"language": "fr"}, "report.en"),
        ({"language": "und", "languages": ("es", "en")}, "report.es"),
        ({"language": "es", "languages": ("en",)}, "report.en"),
        ({"language": "fr", "languages": ("fr", "es")}, "report.es"),
        ({"service": None}, "report.en"),
        ({"service": SECRET}, "report_confidential.en"),
        ({"service": SECRET, "also_reported": True}, "report_confidential.en"),
        ({"service": PARTNER}, "referral.en"),
        ({"also_reported": True}, "report_also.en"),
        ({"reopened": True}, "reopened.en"),
        ({"intent": Intent.QUESTION}, "question.en"),
        ({"intent": Intent.STATUS}, "status_unknown.en"),
        ({"intent": Intent.STATUS, "request_status": "open"}, "status_open.en"),
        ({"intent": Intent.STATUS, "request_status": "closed"}, "status_closed.en"),
        ({"intent": Intent.STATUS, "request_status": "archived"}, "status_unknown.en"),
        ({"intent": Intent.PRAISE, "sentiment": Sentiment.POSITIVE}, "praise.en"),
        ({"self_harm": True}, "emergency_self_harm.en"),
        ({"self_harm": True, "intent": Intent.OTHER}, "emergency_self_harm.en"),
        ({"urgency": Urgency.EMERGENCY}, "emergency.en"),
        ({"urgency": Urgency.HIGH}, "report.en"),
        ({"purpose": Purpose.EMERGENCY}, "emergency.en"),
        ({"purpose": Purpose.EMERGENCY, "self_harm": True}, "emergency_self_harm.en"),
        ({"purpose": Purpose.CLARIFY, "place": None}, "clarify.en"),
        ({"purpose": Purpose.CLARIFY, "service": None}, "clarify_service.en"),
        ({"purpose": Purpose.CLARIFY, "service": None, "place": replace(OAK, precise=False)}, "clarify.en"),
        ({"purpose": Purpose.CLARIFY, "intent": Intent.STATUS}, "status_unknown.en"),
        ({"purpose": Purpose.REFERRAL, "service": PARTNER}, "referral.en"),
        ({"purpose": Purpose.CORRECTION}, "correction.en"),
        ({"purpose": Purpose.FOLLOW_UP}, "follow_up_unknown.en"),
        ({"purpose": Purpose.FOLLOW_UP, "reopened": True}, "reopened.en"),
        ({"purpose": Purpose.FOLLOW_UP, "outcome": Outcome.FIXED, "service": SECRET}, "follow_up_unknown.en"),
        *[({"purpose": Purpose.FOLLOW_UP, "outcome": outcome}, f"follow_up_{outcome}.en") for outcome in Outcome],
    ],
)
def test_the_facts_suggest_the_template(changes: dict[str, Any], template: str) -> None:
    drafted = write_draft(replace(A_CASE, **changes), length=weight, max_length=280)

    assert drafted.template == template
    assert drafted.text
    assert drafted.reason == ""


@pytest.mark.parametrize(
    ("intent", "sentiment"),
    [
        (Intent.COMPLAINT, Sentiment.NEGATIVE),
        (Intent.OTHER, Sentiment.NEUTRAL),
        (Intent.PRAISE, Sentiment.NEGATIVE),
        (Intent.PRAISE, Sentiment.NEUTRAL),
    ],
)
def test_what_needs_no_reply_starts_without_text(intent: Intent, sentiment: Sentiment) -> None:
    drafted = write_draft(replace(A_CASE, intent=intent, sentiment=sentiment), length=weight, max_length=280)

    assert (drafted.text, drafted.template, drafted.reason) == ("", "", "no reply needed")


# What staff choose


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("intent", Intent)
def test_staff_can_choose_a_template_for_whatever_comes(purpose: Purpose, intent: Intent) -> None:
    case = replace(A_CASE, purpose=purpose, intent=intent, outcome=Outcome.FIXED)

    names = templates_for(purpose, intent)

    assert names
    assert all(written(case, name) for name in names)


def test_staff_may_answer_a_complaint_that_starts_without_text() -> None:
    drafted = write_draft(
        replace(A_CASE, intent=Intent.COMPLAINT), length=weight, max_length=280, template="acknowledge"
    )

    assert drafted.template == "acknowledge.en"
    assert drafted.text


def test_a_template_can_be_chosen_with_its_language() -> None:
    drafted = write_draft(A_CASE, length=weight, max_length=280, template="question.es")

    assert (drafted.template, drafted.language) == ("question.es", "es")
    assert drafted.staff_text


@pytest.mark.parametrize("template", ["", "reprot", "report.fr", "report.short", "_facts", "../secrets"])
def test_an_unknown_template_is_an_error_that_names_it(template: str) -> None:
    with pytest.raises(ConfigError, match=r"no reply template|not written in"):
        write_draft(A_CASE, length=weight, max_length=280, template=template)


@pytest.mark.parametrize("outcome", [None, *(outcome for outcome in Outcome if outcome is not Outcome.FIXED)])
def test_nobody_can_choose_to_say_fixed_of_what_was_not(outcome: Outcome | None) -> None:
    case = replace(A_CASE, purpose=Purpose.FOLLOW_UP, outcome=outcome)

    drafted = write_draft(case, length=weight, max_length=280, template="follow_up_fixed")

    assert drafted.text == ""
    assert "not closed as fixed" in drafted.reason


# The words


def test_staff_read_the_same_reply_in_their_language() -> None:
    drafted = write_draft(replace(A_CASE, language="es", expected_at=WEDNESDAY), length=weight, max_length=280)
    in_english = write_draft(replace(A_CASE, expected_at=WEDNESDAY), length=weight, max_length=280)

    assert "“Bache”" in drafted.text
    assert drafted.staff_text == in_english.text
    assert in_english.staff_text is None


def test_a_service_without_a_spanish_name_keeps_its_own() -> None:
    assert "“Pothole”" in written(A_CASE, service=replace(POTHOLE, service_name_es=""), language="es")


def test_the_expected_day_is_the_citys_not_utcs() -> None:
    assert "Wednesday, September 23." in written(A_CASE, expected_at=WEDNESDAY)
    assert "Thursday, September 24." in written(A_CASE, expected_at=WEDNESDAY, time_zone="UTC")
    assert "el miércoles 23 de septiembre." in written(A_CASE, expected_at=WEDNESDAY, language="es")


def test_a_day_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        written(A_CASE, expected_at=datetime(2026, 9, 23))  # noqa: DTZ001 - that is the point


def test_a_draft_made_again_reads_the_same() -> None:
    assert written(A_CASE) == written(A_CASE)


@pytest.mark.parametrize("template", sorted(set(all_templates()) - {"emergency", "emergency_self_harm"}))
def test_replies_to_different_residents_differ(template: str) -> None:
    """X forbids identical replies; the reference is taken out here, so the words themselves must differ."""
    made = {
        re.sub(r"AF-\w{6}", "", written(A_CASE, template, reference=f"AF-{n:06}", outcome=Outcome.FIXED))
        for n in range(60)
    }

    assert len(made) >= 6


def test_without_a_reference_the_handle_varies_the_words_and_is_not_written() -> None:
    made = {written(A_CASE, "praise", reference=None, author_handle=f"resident{n}") for n in range(60)}

    assert len(made) >= 12
    assert not any("resident" in text for text in made)


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_emergency_words_come_first_and_never_change(language: str) -> None:
    first = {
        "en": "If anyone is in danger, call 911 now. Do not wait for a reply here. ",
        "es": "Si alguien está en peligro, llame al 911 ahora. No espere una respuesta aquí. ",
    }

    for case in CASES:
        text = written(case, purpose=Purpose.EMERGENCY, language=language)
        assert text.startswith(first[language])


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_self_harm_words_name_988_and_repeat_nothing_of_the_case(language: str) -> None:
    for case in CASES:
        text = written(case, purpose=Purpose.EMERGENCY, self_harm=True, language=language)
        assert "988" in text
        assert "911" in text
        assert not re.search(r"AF-|Oak|King|http|request|solicitud|suicid|harm|kill", text)


def test_after_hours_the_resident_is_told() -> None:
    assert "closed" in written(A_CASE, after_hours=True)
    assert "closed" not in written(A_CASE, after_hours=False)


def test_a_partner_is_named() -> None:
    assert "Prairie Electric Cooperative" in written(A_CASE, service=PARTNER, purpose=Purpose.REFERRAL)


def test_a_clarification_shows_what_we_read_and_asks_for_the_rest() -> None:
    text = written(A_CASE, purpose=Purpose.CLARIFY, place=Place(text="on Oak Street", precise=False))

    assert "You wrote “Oak Street”." in text
    assert "cross street" in text


# Reading level


def grade(text: str) -> float:
    """Flesch-Kincaid grade level.

    Source: Kincaid et al. 1975; syllables counted as groups of vowels.
    """
    sentences = len(re.findall(r"[.?](?:\s|$)", text))
    words = re.findall(r"[a-z']+", text.lower())
    syllables = sum(
        max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<=[a-z])(?:e|es|ed)$", "", word)))) for word in words
    )
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


@pytest.mark.parametrize("template", all_templates())
def test_english_reads_at_grade_eight_or_below(template: str) -> None:
    made = [written(A_CASE, template, reference=r, outcome=Outcome.FIXED, after_hours=True) for r in REFERENCES]

    assert max(map(grade, made)) <= 8


@pytest.mark.parametrize("template", all_templates())
def test_spanish_keeps_its_sentences_short(template: str) -> None:
    made = [written(A_CASE, template, reference=r, outcome=Outcome.FIXED, language="es") for r in REFERENCES]

    longest = max(len(sentence.split()) for text in made for sentence in re.split(r"[.?]\s", text))

    assert longest <= 26


# Values from outside


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("120 Oak St", "120 Oak St"),
        ("Calle Ocho y Peña, nº 5 ½", "Calle Ocho y Peña, nº 5 ½"),
        ("@mayor at Oak", "mayor at Oak"),
        ("＠mayor ﹫mayor", "mayor mayor"),
        ("Apt #4", "Apt 4"),
        ("#BlameTheMayor ＃x", "BlameTheMayor x"),
        ("$TSLA corner, a $5 bill", "TSLA corner, a $5 bill"),
        ("see https://evil.example/x?y=1 now", "see now"),
        ("HTTP://EVIL.COM/A", ""),
        ("javascript://alert", ""),
        ("www.evil.com", ""),
        ("evil.com/path bit.ly t.co", ""),
        ("me@evil.com", ""),
        ("Oak St.Paul Ave", "Oak St. Paul Ave"),
        ("12 Oak.St", "12 Oak. St"),
        ("1.5 miles, 44.97", "1.5 miles, 44.97"),
        ("a\u202eb\u200bc\u2066d\ufeff", "abcd"),
        ("a\nb\r\n\tc\u2028d\x00e\x85f", "a b c d e f"),
        ("Oak 🔥👍🏽 St 🇺🇸 1\ufe0f\u20e3", "Oak St 1"),
        ("Oak!!! ¡Ya!", "Oak Ya"),
        ("{{ 7*7 }} {% x %} {# y #}", "77 % x % y"),
        ("<b>bold</b> [x](y) `z`", "bbold/b x(y) z"),
        ("e\u0301", "é"),
        ("", ""),
    ],
)
def test_a_value_is_plain_words(value: str, plain: str) -> None:
    assert quotable(value) == plain


@pytest.mark.parametrize("value", ["evil.c[om", "www[.evil.example", "evil.exam#ple", "ht[tps://evil.example/x"])
def test_no_host_name_is_put_together_from_pieces(value: str) -> None:
    assert "." not in quotable(f"see {value} now", 80)


@given(st.text(max_size=300), st.integers(min_value=0, max_value=80))
@example("0.A[A", 4)
@example("0." + "A" * 30, 4)
def test_no_value_gets_past_the_cleaning(value: str, cap: int) -> None:
    words = quotable(value, cap)

    assert len(words) <= cap
    assert not set(words) & set("@#＠＃<>{}[]!\n\r\t\u200b\u202e")
    assert "://" not in words
    assert quotable(words) == words


@given(st.text(max_size=200))
def test_what_a_resident_wrote_never_becomes_a_link_a_handle_or_a_template(value: str) -> None:
    text = written(A_CASE, place=Place(text=value + " {{ 7*7 }} @evil https://evil.example"), reference="AF-7QK2M9")

    assert not re.search(r"[@#{}]|://|evil\.example|\b49\b", text.replace("49" if "49" in value else "~", ""))


@given(st.from_regex(r"[a-z]{2,9}\.(com|ly|gov|st|co\.uk|io|net)(/[a-z]{0,5})?", fullmatch=True))
def test_x_would_link_nothing_that_a_resident_wrote(value: str) -> None:
    text = written(A_CASE, place=Place(text=f"Oak {value} corner"))

    assert weight(text) == len(text)  # a link counts 23


def test_a_place_is_quoted_without_its_preposition_and_without_a_phone_number() -> None:
    place = Place(text="at the corner of Oak and 5th, call 612-555-0134")

    text = written(A_CASE, place=place)

    assert "at the corner of Oak and 5th" in text
    assert "at at" not in text
    assert "555" not in text


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("on Oak St", "at Oak St."),
        ("en la Calle Roble", "at la Calle Roble."),
        ("12 Martin Luther King Blvd", "at 12 Martin Luther King Blvd."),
        ("Boston Ave near Benton St", "at Boston Ave near Benton St."),
    ],
)
def test_a_place_reads_well_after_at_and_keeps_its_words(words: str, quoted: str) -> None:
    assert quoted in written(A_CASE, place=Place(text=words))


def test_a_long_value_is_capped_in_good_time() -> None:
    assert len(quotable("a.b" * 100_000)) <= 80
    assert len(quotable("word " * 100_000)) <= 80


# Placeholders


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Thank you [name].", ["[name]"]),
        ("Reach us at {{ phone }}", ["{{ phone }}"]),
        ("Reach us at {{", ["{{"]),
        ("On ___ we will", ["___"]),
        ("TODO: add the date", ["TODO"]),
        ("Reference XXXX", ["XXXX"]),
        ("Reference AF-XXXXXX", ["XXXXXX"]),
        ("By <date> we", ["<date>"]),
        ("{% if x %}", ["{% if x %"]),
        ("[Nombre] y ____", ["[Nombre]", "____"]),
        ("Thank you. Reference AF-7QK2M9.", []),
        ("Reference AF-7XXXXQ.", []),
        (f"See {LINK}", []),
        ("Part [1/2]", []),
        ("Abierto TODO el día", []),
        ("Everything is on our to-do list", []),
        ("5 < 6 and 7 > 6", []),
        ("", []),
    ],
)
def test_placeholders_left_in_a_text_are_found(text: str, found: list[str]) -> None:
    assert unfilled(text) == found
