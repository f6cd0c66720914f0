import pytest

from guard.normalise import normalise


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Mira Tolvane", "mira tolvane"),
        ("Ｍｉｒａ Ｔｏｌｖａｎｅ", "mira tolvane"),  # noqa: RUF001
        ("Mi\u200bra\u00ad Tol\u2060vane\ufeff", "mira tolvane"),
        ("  Mira \n\t Tolvane ", "mira tolvane"),
        ("Stra\u00dfe", "strasse"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("", ""),
        ("\u200b", ""),
    ],
)
def test_plain_text(text, plain):
    assert normalise(text).text == plain
    assert normalise(plain).text == plain


def test_places_lead_back_to_what_was_written():
    text = "Is Mi\u200bra To\u0308lvane \ufb01ne?"
    plain = normalise(text)
    start = plain.text.index("mira")
    a, b = plain.original(start, start + len("mira t\u00f6lvane"))
    assert text[a:b] == "Mi\u200bra To\u0308lvane"
    start = plain.text.index("i", plain.text.index("f"))
    a, b = plain.original(start, start + 1)
    assert text[a:b] == "\ufb01"
