"""The area under the ROC curve between two groups of scores, with an interval by cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from eval.metrics.bootstrap import LEVEL, RESAMPLES, expanded_tail
from eval.metrics.estimate import Estimate

Places = npt.NDArray[np.intp]


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Return how often a positive scores higher than a negative, in [0, 1], ties counting half; 0.5 is no difference.

    Raises:
        ValueError: a group without scores, or a score that is not finite.
    """
    scores = np.asarray([*positives, *negatives], dtype=np.float64)
    if not len(positives) or not len(negatives) or not np.isfinite(scores).all():
        raise ValueError("an AUC needs scores on both sides, all finite; leave unscored texts out")
    return float(roc_auc_score([1] * len(positives) + [0] * len(negatives), scores))


def clustered_auc(
    positives: Sequence[float],
    negatives: Sequence[float],
    positive_clusters: Sequence[str],
    negative_clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Return the AUC with a percentile interval from resampling whole clusters, widened for few of them.

    As `cluster_bootstrap` does it. Where the sides share no cluster each is drawn by itself, else all together.
    The interval is missing where a side has fewer than two clusters, and without width at 0 and 1, where the sample
    holds nothing that could widen it. The estimate's questions are the scores of both sides.

    Raises:
        ValueError: what `auc` raises, or unequal lengths.
    """
    if len(positives) != len(positive_clusters) or len(negatives) != len(negative_clusters):
        raise ValueError("need as many clusters as scores on each side")
    value, count = auc(positives, negatives), len(positives)
    names, member = np.unique(np.asarray([*positive_clusters, *negative_clusters], np.str_), return_inverse=True)
    above, below = member[:count], member[count:]
    sides = np.unique(above), np.unique(below)
    if min(map(len, sides)) < 2:
        return Estimate(value, None, None, member.size, len(names))
    kinds = [np.arange(len(names))] if np.intersect1d(*sides).size else sides
    drawn = _drawn(kinds, len(names), resamples, seed)
    pairs = (drawn @ np.bincount(above, minlength=len(names))) * (drawn @ np.bincount(below, minlength=len(names)))
    # Sides that share only some clusters can be drawn empty; such a draw has no AUC.
    drawn, pairs = drawn[pairs > 0], pairs[pairs > 0]
    aucs = (drawn @ _wins(positives, negatives, above, below, len(names)) * drawn).sum(axis=1) / pairs
    tail = expanded_tail(min(map(len, kinds)), level)
    low, high = np.quantile(aucs, [tail, 1.0 - tail])
    # Summation order alone can leave the bounds a rounding error off a value of 0 or 1.
    return Estimate(value, min(float(low), value), max(float(high), value), member.size, len(names))


def _drawn(kinds: Sequence[Places], clusters: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """How often each cluster is drawn (resamples x clusters), as many of each kind as there are."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, clusters), dtype=np.int64)
    for kind in kinds:
        drawn[:, kind] = rng.multinomial(len(kind), np.full(len(kind), 1.0 / len(kind)), size=resamples)
    return drawn


def _wins(
    positives: Sequence[float], negatives: Sequence[float], above: Places, below: Places, clusters: int
) -> npt.NDArray[np.float64]:
    """How often a positive of one cluster (row) scores higher than a negative of another (column); ties are a half."""
    wins, lower = np.zeros((clusters, clusters)), np.asarray(negatives, np.float64)
    for column in range(clusters):
        own = np.sort(lower[below == column])
        beaten = (np.searchsorted(own, positives, side="left") + np.searchsorted(own, positives, side="right")) / 2
        wins[:, column] = np.bincount(above, weights=beaten, minlength=clusters)
    return wins
