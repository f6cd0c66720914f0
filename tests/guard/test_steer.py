"""Answers are turned away from spans whatever the tokens, and by so much as was said."""

import random

import numpy as np
import pytest

from guard.output.letters import key_of
from guard.steer.continuations import Continuations, Place
from guard.steer.steered import Steered
from guard.steer.vocabulary import Vocabulary, shown_of, whole

TOKENS = [
    b"",
    *(bytes([byte]) for byte in range(256)),
    b" Tulgan",
    b" Tul",
    b"gan",
    b" in",
    b" Tulip",
    b"TUL",
    b" tulgan, in",
]
OF = {token: number for number, token in enumerate(TOKENS)}
VOCABULARY = Vocabulary(TOKENS)


def ids(*tokens):
    """Ids of tokens; what is no token is written byte by byte."""
    return [OF[one] for token in tokens for one in ([token] if token in OF else [bytes([b]) for b in token])]


def paid(spans, *tokens):
    """The penalty of each token of an answer."""
    continuations, place, found = Continuations(spans, VOCABULARY), Place(), []
    for token in ids(*tokens):
        known = dict(zip(*(part.tolist() for part in continuations.penalties(place)), strict=True))
        found.append(known.get(token, 0.0))
        place = continuations.step(place, token)
    return found


@pytest.mark.parametrize(
    "tokens",
    [
        (b" Tulgan",),
        (b" Tul", b"gan"),
        (b" tulgan",),
        (b"TUL", b"GAN"),
        (b" ", b"T", b"u", b"l", b"g", b"a", b"n"),
        (" \uff34ulgan".encode(),),  # of full width
        ("\u0422ulgan".encode(),),  # a Cyrillic Te
        ("Túlgan".encode(),),
        (b"in (Tulgan",),
    ],
)
def test_a_span_costs_its_strength_however_it_is_written(tokens):
    assert sum(paid({"tulgan": 4.0}, *tokens)) == pytest.approx(4)


def test_the_penalty_falls_where_the_vocabulary_leads_nowhere_else():
    tul, gan = paid({"tulgan": 6.0}, b" Tul", b"gan")
    assert 0 < tul < 3 < gan  # " Tulip" begins so as well
    assert paid({"tulgan": 6.0}, b" in") == [0]


def test_another_word_costs_nothing():
    assert paid({"tulgan": 4.0}, b" ", b"g", b"a", b"n") == [0, 0, 0, 0]
    assert sum(paid({"tulgan": 4.0}, b"o", b"tulgan")) == 0  # inside a word
    assert paid({"tulgan": 4.0}, b" Tulip")[0] == 0


def test_words_of_a_span_are_paid_for_by_their_letters_across_what_stands_between():
    spans = {"the golden quill": 8.0}
    whole_text = paid(spans, b"the, 'Golden'  QUILL")
    assert sum(whole_text) == pytest.approx(8)
    assert sum(paid(spans, b"the golden")) == pytest.approx(8 * 10 / 16)
    assert sum(paid(spans, b"the silver quill")) == pytest.approx(8 * 3 / 16)


def test_spans_within_spans_and_their_own_strengths():
    spans = {"tulgan": 2.0, "tulgan in the amber steppe": 6.0}
    assert sum(paid(spans, b" Tulgan")) == pytest.approx(2)
    assert sum(paid(spans, b" Tulgan", b", in the Amber Steppe")) == pytest.approx(2 + 6 * 20 / 26)
    assert sum(paid({"tulgan": 2.0, "tulip": 1.0}, b" Tulip")) == pytest.approx(1)


def test_a_token_that_holds_a_span_and_more_pays_for_it():
    assert paid({"tulgan in": 5.0}, b" tulgan, in") == [5]
    assert paid({"tulgan": 5.0}, b" tulgan, in") == [5]


def test_an_answer_is_read_once_and_a_token_that_is_not_there_yet_not_at_all():
    continuations = Continuations({"tulgan": 4.0}, VOCABULARY)
    steered = Steered(continuations)
    written = ids(b" Tul")
    first = dict(zip(*steered.penalties(written), strict=True))
    assert first[OF[b"gan"]] > 0
    assert dict(zip(*steered.penalties([*written, -1]), strict=True)) == first
    assert OF[b"gan"] not in steered.penalties(ids(b" Tul", b"x"))[0]
    again = Steered(continuations)
    again.penalties([])
    assert np.array_equal(again.penalties(ids(b" Tul", b"x"))[0], steered.penalties(ids(b" Tul", b"x"))[0])


@pytest.mark.parametrize("text", ["", " ", "Tulgan", " Tulgan, in", "?! ", "Ärger", "東京 is", "a_b", "\u200bx"])
def test_what_is_shown_of_a_text_has_the_words_of_its_key(text):
    assert " ".join(shown_of(text).split()) == key_of(text)


def test_characters_are_whole_or_wait():
    assert whole("é".encode()[:1]) == ("", "é".encode()[:1])
    assert whole("aé".encode()) == ("aé", b"")
    assert whole(b"\xff\xffab") == ("ab", b"")
    assert whole(b"a\xe2\x82") == ("a", b"\xe2\x82")


PARTS = ["tul", "gan", "tulip", "in", " ", "g", "a", ", ", "é", "東", "京", "the", "quill", "n"]


@pytest.mark.parametrize("seed", range(8))
def test_every_token_at_every_place_pays_what_walking_its_letters_says(seed):
    rng = random.Random(seed)
    tokens = {"".join(rng.choices(PARTS, k=rng.randint(1, 4))).encode() for _ in range(300)}
    vocabulary = Vocabulary([b"", *sorted(tokens), *(bytes([byte]) for byte in range(256))])
    words = ["tulgan", "tulip", "in", "the", "quill", "gan", "東", "京"]
    spans = {key_of(" ".join(rng.choices(words, k=rng.randint(1, 3)))): rng.uniform(1, 9) for _ in range(12)}
    continuations, place = Continuations(spans, vocabulary), Place()
    compared = 0
    for token in rng.choices(range(len(vocabulary.tokens)), k=60):
        expected = np.zeros(len(vocabulary.tokens))
        before = continuations._told(place.nodes)
        for number, shown in enumerate(vocabulary.tokens):
            joined = place.rest + shown if shown and 0x80 <= shown[0] < 0xC0 else shown
            nodes, _, most = continuations._walk(place.nodes, place.inside, shown_of(whole(joined)[0]))
            if shown_of(whole(joined)[0]).strip():
                expected[number] = max(0.0, max(most, continuations._told(nodes)) - before)
        found = np.zeros(len(vocabulary.tokens))
        ids, values = continuations.penalties(place)
        found[ids] = values
        np.testing.assert_allclose(found, expected, atol=1e-5)
        compared += int((expected > 0).sum())
        place = continuations.step(place, token)
    assert compared > 1000
