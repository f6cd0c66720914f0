"""Two logistic regressions per topic, one of meaning and letters, one of meaning and words; one matrix product for all.

Fitted together, words would explain what letters need not, and a slip of the pen would take a name away. Apart, each
must tell the topic on its own, and either is nearly enough: the score is the mean of their odds with exponent 1/2.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from classifiers.encoder import Floats
from classifiers.features import Features
from classifiers.index import nearest

_C = 10.0

# A text's letters are a unit vector: dropping weights of this norm moves no text's log-odds by more (Cauchy-Schwarz).
# Words have a norm of about seven (TOFU). Thresholds are set on what is left.
_PRUNED = (0.3, 0.07)

# Up to so many (text, topic) pairs every topic learns from every text; beyond, from the negatives nearest to it and
# from a sample of the rest, so that time grows with the topics and not with topics times texts.
_ALL_PAIRS = 100_000
_NEAR, _SAMPLED = 700, 500

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """Weights: `dense` (width x 2 topics), `sparse` (spelling x 2 topics, few of them not zero), `bias` (2 topics).

    The first half of the columns reads letters, the other one words.
    """

    dense: Floats
    sparse: sp.csr_matrix
    bias: Floats

    @property
    def topics(self) -> int:
        """How many topics are scored."""
        return len(self.bias) // 2

    def logits(self, features: Features) -> Floats:
        """Uncalibrated log-odds (texts x topics), one topic against the rest."""
        spelled = (features.sparse @ self.sparse).toarray()
        found = np.asarray(features.dense @ self.dense + spelled + self.bias, dtype=np.float32)
        letters, words = found[:, : self.topics], found[:, self.topics :]
        return 2 * np.logaddexp(letters / 2, words / 2) - np.float32(2 * math.log(2))


def fit_head(features: Features, labels: Sequence[int], topics: int) -> Head:
    """Fit all topics; `labels` holds a topic's number, or -1 for a text that belongs to none."""
    marks = np.asarray(labels)
    chosen = _chosen(features.dense, marks, topics)
    width, half = features.dense.shape[1], features.sparse.shape[1] // 2
    meaning = sp.csr_matrix(features.dense)
    views = [
        sp.hstack([meaning, part], format="csr", dtype=np.float64)
        for part in (features.sparse[:, :half], features.sparse[:, half:])
    ]

    def fit(view: int, topic: int) -> tuple[Floats, sp.csr_matrix, float]:
        rows = chosen[topic]
        weights, bias = _fit_topic(views[view][rows], marks[rows] == topic)
        spelt = [sp.csr_matrix((1, half), dtype=np.float32)] * 2
        spelt[view] = prune(weights[width:], _PRUNED[view])
        return weights[:width], sp.hstack(spelt, format="csr"), bias

    # Not in threads: they would share liblinear's one random generator, and no two fits would be alike.
    dense, sparse, bias = zip(*(fit(view, topic) for view in range(2) for topic in range(topics)), strict=True)
    return Head(np.stack(dense, axis=1), sp.vstack(sparse, format="csr").T.tocsr(), np.array(bias, dtype=np.float32))


def prune(weights: Floats, norm: float) -> sp.csr_matrix:
    """One row without the smallest weights, of this norm together."""
    order = np.argsort(np.abs(weights))
    dropped = np.searchsorted(np.cumsum(np.square(weights[order], dtype=np.float64)), norm**2)
    kept = np.sort(order[dropped:])
    return sp.csr_matrix((weights[kept], (np.zeros(len(kept), dtype=np.int32), kept)), shape=(1, len(weights)))


def _fit_topic(rows: sp.csr_matrix, labels: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
    # Far more columns than rows: the dual problem is the smaller one.
    model = LogisticRegression(
        C=_C, solver="liblinear", dual=True, tol=1e-2, max_iter=1000, class_weight="balanced", random_state=0
    )
    with warnings.catch_warnings():
        # Not quite the best weights are good ones still, and thresholds are set on what they score.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, labels)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def _chosen(dense: Floats, marks: _Rows, topics: int) -> list[_Rows | slice]:
    """For every topic the rows that it learns from."""
    if len(marks) * topics <= _ALL_PAIRS:
        return [slice(None)] * topics
    rng = np.random.default_rng(0)
    centres = np.stack([dense[marks == topic].mean(axis=0) for topic in range(topics)])
    # A topic's own texts are among the nearest; so many more are asked for.
    most = int(np.bincount(marks[marks >= 0], minlength=topics).max())
    _, near = nearest(centres, dense, min(_NEAR + most, len(marks)))
    chosen: list[_Rows | slice] = []
    for topic in range(topics):
        others = near[topic][marks[near[topic]] != topic][:_NEAR]
        sampled = rng.choice(len(marks), min(_SAMPLED, len(marks)), replace=False)
        chosen.append(np.unique(np.concatenate([np.flatnonzero(marks == topic), others, sampled])))
    return chosen
