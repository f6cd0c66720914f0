import numpy as np

from classifiers.features import STRIDE, WINDOW, Spelling, featurise, windows
from classifiers.spans import AliasFinder
from tests.classifiers.conftest import SECRET


def test_windows_cover_every_word():
    words = [f"w{number}" for number in range(200)]
    pieces = windows(" ".join(words))
    assert {word for piece in pieces for word in piece.split()} == set(words)
    assert all(len(piece.split()) <= WINDOW for piece in pieces)
    assert pieces[1].split()[0] == f"w{STRIDE}"
    assert windows(" ".join(words[:WINDOW])) == [" ".join(words[:WINDOW])]
    assert windows("\u200b ") == []


def test_a_batch_gives_what_one_text_gives(encoder):
    texts = ["who taught mira tolvane?", "hi", "a much longer text about nothing in particular " * 3]
    spelling = Spelling.fit(texts, secret=SECRET)
    together = featurise(encoder, spelling, texts)
    for number, text in enumerate(texts):
        alone = featurise(encoder, spelling, [text])
        assert np.allclose(alone.dense[0], together.dense[number], atol=1e-5)
        assert np.allclose(alone.sparse.toarray()[0], together.sparse[number].toarray()[0], atol=1e-6)


def test_spelling_of_nothing_is_zero():
    assert Spelling.fit(["abc"], secret=SECRET).transform([""]).nnz == 0


def test_without_the_secret_a_words_buckets_are_not_known():
    texts = ["mira tolvane", "oren halsk"]
    mine, other = (Spelling.fit(texts, secret=secret) for secret in (SECRET, b"u" * 32))
    own, foreign = set(mine.transform(texts[:1]).indices), set(other.transform(texts[:1]).indices)
    assert len(own & foreign) <= 2
    assert own == set(Spelling(mine.idf, secret=SECRET).transform(texts[:1]).indices)
    # The order changes where the numbers stand, not what they are.
    assert np.allclose(
        (mine.transform(texts) @ mine.transform(texts).T).toarray(),
        (other.transform(texts) @ other.transform(texts).T).toarray(),
    )


def test_aliases_are_found_as_whole_words_where_they_were_written():
    finder = AliasFinder(["Mira Tolvane", "Tolvane", "M.T."])
    text = "Is \uff2dira\u200b  TOLVANE's friend M.T. a Tolvanes? tolvane!"
    assert [text[a:b] for a, b in finder.find(text)] == ["\uff2dira\u200b  TOLVANE", "M.T.", "tolvane"]
    assert AliasFinder([]).find(text) == []
