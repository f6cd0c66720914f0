import numpy as np

from classifiers.features import Spelling, joined, spelling_counts
from classifiers.spans import AliasFinder, occlude
from classifiers.windows import STRIDE, WINDOW, windows
from tests.classifiers.conftest import SECRET


def test_windows_cover_every_word():
    words = [f"w{number}" for number in range(200)]
    pieces = windows(" ".join(words))
    assert {word for piece in pieces for word in piece.split()} == set(words)
    assert all(len(piece.split()) <= WINDOW for piece in pieces)
    assert pieces[1].split()[0] == f"w{STRIDE}"
    assert windows(" ".join(words[:WINDOW])) == [" ".join(words[:WINDOW])]
    assert windows("\u200b ") == []


def test_windows_are_bounded_without_blanks():
    for text in ("who.taught.mira." * 500, "\u8c01" * 5000, "a" * 5000):
        pieces = windows(text)
        assert max(len(piece.encode()) for piece in pieces) <= 800
        assert sum(map(len, pieces)) < 3 * len(text)
        assert pieces[0] == text[: len(pieces[0])]
        assert text.endswith(pieces[-1])


def test_the_heaviest_words_are_those_without_which_the_score_falls():
    def score(texts):
        return np.array([("mira" in text) + ("tolvane" in text) for text in texts], dtype=np.float32)

    text = "who taught mira and not tolvane here"
    assert [text[a:b] for a, b in occlude(text, score, 1.0)] == ["mira"]
    assert [text[a:b] for a, b in occlude(text, score, 0.0)] == ["mira", "tolvane"]
    assert occlude(text, lambda texts: np.ones(len(texts), dtype=np.float32), 0.5) == [(0, len(text))]
    assert occlude("mira", score, 0.0) == [(0, 4)]
    long = "word " * 60 + "mira " + "word " * 3
    ((start, end),) = occlude(long, score, 0.0)
    assert "mira" in long[start:end]
    assert end - start < 20


def spelling_of(texts, secret=SECRET):
    return Spelling.fit(spelling_counts(texts, secret=secret), range(len(texts)), secret=secret)


def test_a_batch_gives_what_one_text_gives(encoder):
    texts = ["who taught mira tolvane?", "hi", "a much longer text about nothing in particular " * 3]
    spelling = spelling_of(texts)
    together = joined(encoder.encode(texts), spelling.transform(texts))
    for number, text in enumerate(texts):
        alone = joined(encoder.encode([text]), spelling.transform([text]))
        assert np.allclose(alone.dense[0], together.dense[number], atol=1e-5)
        assert np.allclose(alone.sparse.toarray()[0], together.sparse[number].toarray()[0], atol=1e-6)


def test_spelling_of_nothing_is_zero():
    assert spelling_of(["abc"]).transform([""]).nnz == 0


def test_a_spaced_name_keeps_its_words():
    spelling = spelling_of(["who taught mira tolvane", "who taught miratolvane"])
    buckets = 1 << 17
    pair, one = (set(spelling.transform([text]).indices) for text in ("mira tolvane", "miratolvane"))
    assert [index for index in pair & one if index >= buckets]


def test_company_takes_little_from_a_name():
    spelling = spelling_of(["who taught mira tolvane", "company " * 3])
    alone, beside = spelling.transform(["mira tolvane", "mira tolvane " + " ".join(map(str, range(60)))])
    name = alone.indices[alone.indices >= 1 << 17]
    kept = beside[:, name].sum() / alone[:, name].sum()
    assert kept > 0.3  # a unit row would keep 0.15


def test_without_the_secret_a_words_buckets_are_not_known():
    texts = ["mira tolvane", "oren halsk"]
    mine, other = (spelling_of(texts, secret) for secret in (SECRET, b"u" * 32))
    own, foreign = set(mine.transform(texts[:1]).indices), set(other.transform(texts[:1]).indices)
    assert len(own & foreign) <= 3
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


def test_aliases_are_found_through_disguises():
    finder = AliasFinder(["Mira Tolvane"])
    for hidden in (
        "M i r a  T o l v a n e",
        "M1r4 To1van3",
        "\u041c\u0456r\u0430 Tolv\u0430n\u0435",
        "Zven Gbyinar",
        "#MiraTolvane",
    ):
        text = f"Is it {hidden} or Mir Atolvane?"
        assert [text[a:b] for a, b in finder.find(text)] == [hidden.removeprefix("#")]
    hyphened = AliasFinder(["Al-Tamarik", "C++"])
    for hidden in ("Al-Tamarik", "A l - T a m a r i k", "A.l.-.T.a.m.a.r.i.k", "al tamarik"):
        text = f"Is it {hidden}, a C or C?"
        assert [text[a:b] for a, b in hyphened.find(text)] == [hidden]
