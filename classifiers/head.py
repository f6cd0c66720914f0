"""One logistic regression per topic, all scored by one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from classifiers.encoder import Floats
from classifiers.features import Features

_C = 10.0


@dataclass(frozen=True)
class Head:
    """Weights: `dense` (width x topics), `sparse` (buckets x topics), `bias` (topics)."""

    dense: Floats
    sparse: Floats
    bias: Floats

    def logits(self, features: Features) -> Floats:
        """Uncalibrated log-odds (texts x topics), one topic against the rest."""
        return np.asarray(features.dense @ self.dense + features.sparse @ self.sparse + self.bias, dtype=np.float32)


def fit_head(features: Features, labels: Sequence[int], topics: int) -> Head:
    """Fit all topics; `labels` holds a topic's number, or -1 for a text that belongs to none."""
    both = sp.hstack([sp.csr_matrix(features.dense), features.sparse], format="csr", dtype=np.float64)
    marks = np.asarray(labels)
    weights = np.empty((both.shape[1], topics), dtype=np.float32)
    bias = np.empty(topics, dtype=np.float32)
    for topic in range(topics):
        # Far more columns than rows: the dual problem is the smaller one.
        model = LogisticRegression(
            C=_C, solver="liblinear", dual=True, tol=1e-2, max_iter=1000, class_weight="balanced", random_state=0
        )
        model.fit(both, marks == topic)
        weights[:, topic] = model.coef_[0]
        bias[topic] = model.intercept_[0]
    width = features.dense.shape[1]
    return Head(weights[:width], weights[width:], bias)
