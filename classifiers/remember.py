"""Texts that come back are neither encoded nor scored a second time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from cachetools import LRUCache

from classifiers.encoder import Encoder, Floats

_REMEMBERED = 1 << 22  # numbers, four bytes each
# What stands around the numbers of a text takes some 500 bytes more.
_TEXTS = 1 << 14


class Remembering(Encoder):
    """Stands in for an `Encoder` during one fit, whose rounds look at the same texts again; `known` are the vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.form = encoder.name, encoder.form
        self._encoder = encoder
        self.known: dict[str, Floats] = {}

    def folder(self) -> Path:
        """See `Encoder.folder`."""
        return self._encoder.folder()

    def unknown(self, texts: Sequence[str]) -> int:
        """How many texts are new."""
        return len({text for text in texts if text not in self.known})

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Floats:
        """See `Encoder.encode`; `progress` hears of new texts only."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self.known]
        if fresh:
            self.known.update(zip(fresh, self._encoder.encode(fresh, progress=progress), strict=True))
        return np.stack([self.known[text] for text in texts])


class RememberedScores:
    """Log-odds (texts x topics) of texts, the last ones kept: a chat's earlier turns come with its every request.

    Kept under a digest of the text, so that no prompt stays in memory. Safe to share between threads.
    """

    def __init__(self, score: Callable[[list[str]], Floats], topics: int) -> None:
        self._score = score
        self._topics = topics
        self._kept: LRUCache[bytes, Floats] = LRUCache(max(1, min(_TEXTS, _REMEMBERED // topics)))
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Score the texts that are new; raises what scoring raises, and then keeps nothing."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        with self._lock:
            found = {key: row for key in keys if (row := self._kept.get(key)) is not None}
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if fresh:
            made = dict(zip(fresh, self._score(list(fresh.values())), strict=True))
            found |= made
            with self._lock:
                self._kept.update(made)
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, self._topics), dtype=np.float32)

    def clear(self) -> None:
        """Forget what was scored."""
        with self._lock:
            self._kept.clear()
