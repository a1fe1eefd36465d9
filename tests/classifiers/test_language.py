import pytest

from classifiers.language import detect


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("There is a huge pothole on my street, please fix it", "en"),
        ("@city streetlight out again on Elm", "en"),
        ("Hay un bache enorme en mi calle, por favor arréglenlo", "es"),
        ("@ciudad la basura sigue en la esquina desde el lunes 😡", "es"),
        ("Il y a un gros trou dans la rue depuis des semaines", "fr"),
        ("Có một ổ gà lớn trên đường nhà tôi", "vi"),
        ("街上有一个大坑，请修理", "zh"),
        ("", "und"),
        ("😡😡", "und"),
        ("@user http://example.gov", "und"),
        ("12345 !!!", "und"),
        ("\ud83d\x00", "und"),
    ],
)
def test_the_language_of_a_post(text: str, code: str) -> None:
    assert detect(text) == code
