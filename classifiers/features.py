"""What a classifier sees of a text: its meaning (an embedding) and its spelling (hashed character n-grams)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from classifiers.encoder import Encoder, Floats
from guard.secret import digest

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

    @property
    def vectors(self) -> Floats:
        """The encoder's unit vectors (texts x width)."""
        return self.dense / _DENSE_WEIGHT


class Spelling:
    """TF-IDF over hashed character 2-5-grams within words (Spärck Jones 1972's idf, smoothed).

    The hash is public, so its buckets are put into an order that only the installation's secret gives: whoever holds
    the artifact alone cannot look up a word's weights. A keyed hash of every n-gram would hide no more, at many times
    the cost.
    """

    def __init__(self, idf: Floats, *, secret: bytes) -> None:
        self.idf = idf
        self._places = _order(secret)

    @classmethod
    def fit(cls, texts: Sequence[str], *, secret: bytes) -> Spelling:
        """Learn how rare each bucket is among `texts` (normalised)."""
        spelling = cls(np.zeros(_BUCKETS, dtype=np.float32), secret=secret)
        seen = np.bincount(spelling._counts(texts).indices, minlength=_BUCKETS)
        spelling.idf = (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)
        return spelling

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Unit rows (texts x buckets); a text without letters has a row of zeros."""
        counts = self._counts(texts)
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        return sp.csr_matrix(normalize(counts, copy=False))

    def _counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        counts = self._hasher.transform(texts)
        return sp.csr_matrix((counts.data, self._places[counts.indices], counts.indptr), shape=counts.shape)

    @cached_property
    def _hasher(self) -> HashingVectorizer:
        return HashingVectorizer(
            analyzer="char_wb",
            ngram_range=_NGRAMS,
            n_features=_BUCKETS,
            alternate_sign=False,
            norm=None,
            lowercase=False,
            dtype=np.float32,
        )


def featurise(
    encoder: Encoder, spelling: Spelling, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
) -> Features:
    """Features of normalised texts."""
    return Features(encoder.encode(texts, progress=progress) * _DENSE_WEIGHT, spelling.transform(texts))


@lru_cache(maxsize=4)
def _order(secret: bytes) -> npt.NDArray[np.int32]:
    """A permutation of the buckets, the same on every machine: the ranks of a keyed stream of numbers."""
    stream = hashlib.shake_256(digest(secret, b"spelling")).digest(8 * _BUCKETS)
    return np.argsort(np.frombuffer(stream, dtype="<u8"), kind="stable").astype(np.int32)
