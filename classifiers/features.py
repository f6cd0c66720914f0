"""What a classifier sees of a text: its meaning (an embedding) and its spelling (hashed character n-grams)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from classifiers.encoder import Encoder, Floats

# Hashed, so that no vocabulary stands in the artifact in clear.
_BUCKETS = 1 << 17
_NGRAMS = (2, 5)

# Spelling leads, because names matter more than what is asked; measured on TOFU with authors held out.
_DENSE_WEIGHT = np.float32(0.5)


@dataclass(frozen=True)
class Features:
    """Rows of `dense` (texts x width) and `sparse` (texts x buckets) belong together, one row a text."""

    dense: Floats
    sparse: sp.csr_matrix

    def __len__(self) -> int:
        return int(self.dense.shape[0])

    def take(self, rows: Sequence[int] | np.ndarray) -> Features:
        """The features of some of the texts."""
        return Features(self.dense[rows], self.sparse[rows])


class Spelling:
    """TF-IDF over hashed character 2-5-grams within words (Spärck Jones 1972's idf, smoothed)."""

    def __init__(self, idf: Floats) -> None:
        self.idf = idf

    @classmethod
    def fit(cls, texts: Sequence[str]) -> Spelling:
        """Learn how rare each bucket is among `texts` (normalised)."""
        counts = _vectorizer().transform(texts)
        seen = np.bincount(counts.indices, minlength=_BUCKETS)
        idf = np.log((1 + len(texts)) / (1 + seen)) + 1
        return cls(idf.astype(np.float32))

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Unit rows (texts x buckets); a text without letters has a row of zeros."""
        counts = self._hasher.transform(texts)
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        return sp.csr_matrix(normalize(counts, copy=False))

    @cached_property
    def _hasher(self) -> HashingVectorizer:
        return _vectorizer()


def featurise(
    encoder: Encoder, spelling: Spelling, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
) -> Features:
    """Features of normalised texts."""
    return Features(encoder.encode(texts, progress=progress) * _DENSE_WEIGHT, spelling.transform(texts))


def _vectorizer() -> HashingVectorizer:
    return HashingVectorizer(
        analyzer="char_wb",
        ngram_range=_NGRAMS,
        n_features=_BUCKETS,
        alternate_sign=False,
        norm=None,
        lowercase=False,
        dtype=np.float32,
    )
