"""Our weighing against twitter-text's own."""

import pytest
import twitter_text

from sandbox.x_text import weighted_length


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "¿Dónde está?",
        "字字",
        "👍🏽 ok",
        "👨‍👩‍👧‍👦 family",
        "🇺🇸",
        "1️⃣ first",
        "see https://example.org/a?b=1 there",
        "e\u0301",
        "—…”",
    ],
)
def test_a_text_weighs_what_twitter_text_says(text: str) -> None:
    assert weighted_length(text) == twitter_text.parse_tweet(text).weightedLength
