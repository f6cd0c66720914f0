"""How much nearer a text stands to a topic's examples than to any other example, as a part of its log-odds.

A regression learns what is typical of a topic. A question that was given and is asked in other words may hold nothing
typical ("the full name of the author born in ..."), but it stands right beside its original: so the nearest neighbour
(Cover and Hart 1967) has a say too, where it is nearer by a margin than the next one that is not the topic's. Weight
and margin are not fitted: they were chosen on splits of TOFU that no figure is of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifiers.encoder import Floats

WEIGHT, MARGIN = 16.0, 0.05  # of cosines
_BLOCK = 256


class Nearness:
    """Examples as unit vectors (examples x width) with their labels: a topic's number, or less than zero if clean."""

    def __init__(self, vectors: Floats, labels: Sequence[int] | np.ndarray, topics: int) -> None:
        marks = np.maximum(np.asarray(labels, dtype=np.int64), -1)
        order = np.argsort(marks, kind="stable")
        self._vectors = np.ascontiguousarray(vectors[order])
        self._labels, self._starts = np.unique(marks[order], return_index=True)
        self._topics = topics

    def logits(self, vectors: Floats) -> Floats:
        """What this adds to the log-odds (texts x topics) of unit vectors (texts x width), never less than nothing.

        Zero for a topic without examples, and for all where there is nothing to compare with.
        """
        found = np.zeros((len(vectors), self._topics), dtype=np.float32)
        if len(self._labels) < 2:
            return found
        known = self._labels >= 0
        for start in range(0, len(vectors), _BLOCK):
            cosines = vectors[start : start + _BLOCK] @ self._vectors.T
            nearest = np.maximum.reduceat(cosines, self._starts, axis=1)
            second, first = np.partition(nearest, -2, axis=1)[:, -2:].T
            rival = np.where(nearest == first[:, None], second[:, None], first[:, None])
            found[start : start + _BLOCK, self._labels[known]] = WEIGHT * np.maximum(
                (nearest - rival)[:, known] - MARGIN, 0
            )
        return found
