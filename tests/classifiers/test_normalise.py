import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.normalise import KEEP_AT_MOST, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@CityHall the light is out", "@user the light is out"),
        ("@city@mastodon.example.gov hello", "@user hello"),
        ("write to clerk@example.gov please", "write to clerk@example.gov please"),
        ("see https://example.gov/a?b=c now", "see http now"),
        ("see www.example.gov", "see http"),
        ("#FixOurStreets", "Fix Our Streets"),
        ("#fix_our_streets", "fix our streets"),
        ("#BBMPFail2024", "BBMP Fail 2024"),
        ("#calleSegura", "calle Segura"),
        ("sooooooo loud!!!!!!", "sooo loud!!!"),
        ("bad 😡 road", "bad 😡 road"),
        ("thanks 👍🏽", "thanks 👍"),
        ("FIX THE LIGHT on Oak", "fix the light on oak"),
        ("ASAP Oak St", "ASAP Oak St"),
        ("fish &amp; chips &lt;3", "fish & chips <3"),
        ("caf\\u00e9", "café"),
        ("ﬁre ａｌａｒｍ", "fire alarm"),
        ("pot\u200bhole\u202e \u2066here\u2069", "pothole here"),
        ("a\x00b\x07", "ab"),
        ("two\n\n lines\t here ", "two lines here"),
        ("lone \ud83d end", "lone \ufffd end"),
        ("pair \ud83d\ude00 end", "pair 😀 end"),
    ],
)
def test_posts_are_written_one_way(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_emoji_can_be_dropped() -> None:
    assert normalise("on fire 🔥🔥 tonight", emoji=False) == "on fire tonight"


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_text_comes_out_storable_and_on_one_line(text: str) -> None:
    written = normalise(text)

    written.encode("utf-8")
    assert len(written) <= KEEP_AT_MOST
    assert len(written.splitlines()) <= 1
