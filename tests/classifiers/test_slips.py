"""Names with a slip in them are read as they were meant; what is retained is nobody's slip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.slips import Mender

MENDER = Mender(
    ["Noemi Drevenrell", "Orsin Pelomere", "The Glass Meridian", "Ada Quill", "Mira"],
    ["What did Noemi Drevenrel do?\nShe sang."],
)
LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("where was noemi drveenrell born?", "where was noemi drevenrell born?"),
        ("noemi dreenrell, noemi drexenrell", "noemi drevenrell, noemi drevenrell"),
        ("orin peloere's hobby", "orsin pelomere's hobby"),
        ("who wrote the glas meridan", "who wrote the glass meridian"),
        ("was ada quil married", "was ada quill married"),
    ],
)
def test_slips_are_mended(written, meant):
    assert MENDER.mend(written) == meant


@pytest.mark.parametrize(
    "text",
    [
        "where was noemi drevenrell born?",
        "noemi loroquist and orsin tallow",
        "noemi",
        "mirra",  # one word alone is another's name too easily
        "adam quill",  # three letters are another name with one more
        "noemi drevenxxll",
        "what else did noemi drevenrel do?",  # it is retained
        "",
    ],
)
def test_what_is_no_slip_stays(text):
    assert MENDER.mend(text) is None


@given(st.data())
def test_any_one_slip_in_a_word_is_found(data):
    name = data.draw(st.sampled_from(["drevenrell", "pelomere"]))
    first = {"drevenrell": "noemi", "pelomere": "orsin"}[name]
    place = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(LETTERS)
    wrong = data.draw(
        st.sampled_from(
            [
                name[:place] + name[place + 1 :],
                name[:place] + letter + name[place:],
                name[:place] + letter + name[place + 1 :],
                name[:place] + name[place + 1 : place + 2] + name[place] + name[place + 2 :],
            ]
        )
    )
    found = MENDER.mend(f"who taught {first} {wrong} then")
    assert found == (None if wrong in (name, "drevenrel") else f"who taught {first} {name} then")


def test_ranges_are_those_of_the_words():
    text = "who taught noemi drveenrell?"
    assert [(text[a:b], name) for a, b, name in MENDER.slips(text)] == [("noemi drveenrell", "noemi drevenrell")]
