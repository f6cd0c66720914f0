"""Bootstrap intervals for means of scores that come in clusters (several questions about one person)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from eval.metrics.estimate import Estimate

RESAMPLES = 2000
LEVEL = 0.95


def cluster_bootstrap(
    scores: Sequence[float],
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Return the mean over all questions with a percentile interval from resampling whole clusters.

    Answers about one person stand or fall together, so people are drawn, not questions; a draw's mean weighs each
    question equally. The quantiles are widened for few clusters (the expanded percentile interval: Hesterberg 2015,
    "What Teachers Should Know About the Bootstrap", section 4.3), without which 15 people would give about 91% cover.
    Scores that are all alike give an interval of no width: the sample holds nothing that could widen it.

    Raises:
        ValueError: no scores, unequal lengths, or a score that is not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0 or len(clusters) != values.size:
        raise ValueError(f"need as many clusters as scores and at least one, got {len(clusters)} and {values.size}")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite; leave unscored questions out")
    names, member = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)
    count, mean = len(names), float(values.mean())
    if count < 2:
        return Estimate(mean, None, None, values.size, count)
    sums = np.bincount(member, weights=values, minlength=count)
    sizes = np.bincount(member, minlength=count)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
    means = (drawn @ sums) / (drawn @ sizes)
    tail = expanded_tail(count, level)
    low, high = np.quantile(means, [tail, 1.0 - tail])
    # Summation order alone can leave the bounds of equal scores a rounding error off their mean.
    return Estimate(mean, min(float(low), mean), max(float(high), mean), values.size, count)


def paired_difference(
    left: Sequence[float],
    right: Sequence[float],
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Return the mean of left - right over the same questions, resampled by cluster.

    Pairing by question takes out how hard each question is, which both systems share.
    """
    if len(left) != len(right):
        raise ValueError(f"paired scores must be of equal number, got {len(left)} and {len(right)}")
    differences = [a - b for a, b in zip(left, right, strict=True)]
    return cluster_bootstrap(differences, clusters, seed=seed, resamples=resamples, level=level)


def expanded_tail(clusters: int, level: float) -> float:
    """Return the tail probability at which a percentile interval is as wide as Student's t makes it."""
    t = stats.t.ppf(0.5 + level / 2, clusters - 1)
    return float(stats.norm.cdf(-np.sqrt(clusters / (clusters - 1)) * t))
