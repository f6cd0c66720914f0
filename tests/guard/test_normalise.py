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
        ("e\u0301t\u00e9", "ete"),
        ("\u0141ukasz", "lukasz"),
        ("\u0439\u043e\u0434", "\u0439\u043e\u0434"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("a__b _c_", "a b c"),
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
    a, b = plain.original(start, start + len("mira tolvane"))
    assert text[a:b] == "Mi\u200bra To\u0308lvane"
    start = plain.text.index("i", plain.text.index("f"))
    a, b = plain.original(start, start + 1)
    assert text[a:b] == "\ufb01"
