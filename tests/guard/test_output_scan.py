"""The scan of a text that is being written, against a search through the whole of it."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.bench.stream_oracle import unspaced, words_of
from guard.output.letters import alone, key_of
from guard.output.scan import Scan, Spans

WRITTEN = ("mira tolvane", "mira", "tolvane s map", "port vale", "o hara", "1972", "die strasse", "иод", "東 京")
SPANS = tuple(map(key_of, WRITTEN))
LETTERS = "abdeilmnortvMTVOpP '’.,-1972\u200b\u0301\u0306иЙйßéＭ\u00a0\n_東京각"  # noqa: RUF001


def split(text, cuts):
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def found(spans, parts):
    scan = Scan(spans)
    return [find for part in parts for find in scan.feed(part)] + list(scan.finish())


def brute_force(keys, text):
    words, _ = words_of(text)
    return sorted(
        (word.start, words[place + len(key.split()) - 1].end, key)
        for key in keys
        for place, word in enumerate(words)
        if [w.text for w in words[place : place + len(key.split())]] == key.split()
    )


pieces = st.sampled_from([*SPANS, "Miranda", "Mira T", "MIRA\u200b  tolvane", "Port\nVale", "Ｍira", "京都"])  # noqa: RUF001
texts = st.lists(st.one_of(pieces, st.text(LETTERS, max_size=6), st.sampled_from([" ", ", ", ""])), max_size=8).map(
    "".join
)
cuts = st.lists(st.integers(0, 200), max_size=12)


@settings(max_examples=500, deadline=None)
@given(texts, cuts)
def test_all_that_occurs_is_found_however_the_text_is_split(text, places):
    made = found(Spans(SPANS), split(text, places))
    assert sorted((find.start, find.end, find.key) for find in made) == brute_force(SPANS, text)
    assert [find.start for find in made] == sorted(find.start for find in made)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40), cuts, st.data())
def test_spans_of_any_characters_are_found_where_they_were_taken_from(text, places, data):
    words = key_of(text).split()
    starts = st.tuples(st.integers(0, max(0, len(words) - 1)), st.integers(1, 3))
    keys = {" ".join(words[a : a + n]) for a, n in data.draw(st.lists(starts, max_size=4))} - {""}
    made = found(Spans(keys), split(text, places))
    assert sorted((find.start, find.end, find.key) for find in made) == brute_force(keys, text)
    assert {find.key for find in made} == keys


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_a_key_is_its_own_key_and_forms_of_a_text_share_it(text):
    assert key_of(key_of(text)) == key_of(text)
    assert key_of(unicodedata.normalize("NFC", text)) == key_of(unicodedata.normalize("NFC", text).upper().casefold())


@settings(max_examples=300, deadline=None)
@given(texts, cuts)
def test_what_is_undecided_is_the_beginning_of_a_span(text, places):
    scan, come = Scan(Spans(SPANS)), ""
    for part in split(text, places):
        list(scan.feed(part))
        come += part
        held = key_of(come[scan.decided :])
        assert not held or any(span.startswith(held) for span in SPANS)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("She was called Mira Tolvane.", ["mira tolvane", "mira"]),
        ("Miranda and the admiral", []),
        ("It was 1972, not 19720.", ["1972"]),
        ("MIRA, Tólvane's map", ["mira tolvane", "mira", "tolvane s map"]),
        ("私は東京に", ["東 京"]),
        ("\u041c\u0456ra T\u043elv\u0430ne", ["mira tolvane", "mira"]),
        ("Tolvan\u03b5 or Mir\u0430nda", []),
        ("Иод", [key_of("иод")]),
    ],
)
def test_examples(text, keys):
    assert [find.key for find in found(Spans(SPANS), list(text))] == keys


def test_no_spans_hold_nothing():
    scan = Scan(Spans(()))
    assert list(scan.feed("Mira")) == []
    assert scan.decided == 4


def test_scripts_without_blanks_are_those_whose_letters_are_named_so():
    plain = (chr(code) for code in range(0x40000) if chr(code).isalnum())
    plain = [letter for letter in plain if unicodedata.normalize("NFKC", letter) == letter]
    assert [letter for letter in plain if alone(letter) != unspaced(letter)] == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        # Cyrillic, Greek with a capital alpha, Armenian, Cherokee.
        ("\u0430\u0435\u0456\u043c\u043e\u0440\u0441\u0442\u0443\u0445", "aeimopctyx"),
        ("\u03b1\u03b9\u03bf\u03c1\u03bd\u0391", "aiopva"),
        ("\u0578\u0585", "no"),
        ("\u13aa", "a"),
        # Not taken for Latin: what no reader would, and other scripts' letters of like shape.
        ("\u0438\u0436\u044f", "\u0438\u0436\u044f"),
        ("\u05d5\u0661", "\u05d5\u0661"),
    ],
)
def test_look_alike_letters_are_the_ones_they_show(written, shown):
    assert key_of(written) == shown
