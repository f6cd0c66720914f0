"""Which clean questions lie nearest to a topic's examples."""

from __future__ import annotations

import faiss
import numpy as np

from classifiers.encoder import Floats


def nearest(clean: Floats, topics: Floats, *, each: int) -> list[int]:
    """Rows of `clean` that are among the `each` nearest of any row of `topics` (unit vectors), nearest first."""
    if not len(clean) or not len(topics):
        return []
    index = faiss.IndexFlatIP(clean.shape[1])
    index.add(np.ascontiguousarray(clean, dtype=np.float32))
    near, rows = index.search(np.ascontiguousarray(topics, dtype=np.float32), min(each, len(clean)))
    best = np.full(len(clean), -np.inf, dtype=np.float32)
    np.maximum.at(best, rows.ravel(), near.ravel())
    found = np.flatnonzero(np.isfinite(best))
    return [int(row) for row in found[np.argsort(-best[found], kind="stable")]]
