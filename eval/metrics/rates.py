"""Intervals for rates (flagged or not) over clustered questions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from eval.metrics.bootstrap import LEVEL
from eval.metrics.estimate import Estimate


def clustered_rate(hits: Sequence[bool], clusters: Sequence[str], *, level: float = LEVEL) -> Estimate:
    """Return the share of hits with a Clopper-Pearson interval on the effective sample size.

    Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data": the binomial interval with n replaced by what the clusters leave of it. Unlike a
    bootstrap it keeps its width where nobody or everybody was flagged; there the variance says nothing, and
    the number of clusters serves as the sample size, which is the cautious end.

    Raises:
        ValueError: no questions, or unequal lengths.
    """
    flags = np.asarray(hits, dtype=np.float64)
    if flags.size == 0 or len(clusters) != flags.size:
        raise ValueError(f"need as many clusters as outcomes and at least one, got {len(clusters)} and {flags.size}")
    names, member = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)
    count, rate = len(names), float(flags.mean())
    if count < 2:
        return Estimate(rate, None, None, flags.size, count)
    size = _effective_size(flags, member, count, level)
    low, high = clopper_pearson(rate * size, size, level=level)
    return Estimate(rate, low, high, flags.size, count)


def clopper_pearson(hits: float, size: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact binomial interval for `hits` of `size`; both may be fractions of a question."""
    tail = (1 - level) / 2
    low = 0.0 if hits <= 0 else float(stats.beta.ppf(tail, hits, size - hits + 1))
    high = 1.0 if hits >= size else float(stats.beta.ppf(1 - tail, hits + 1, size - hits))
    return low, high


def _effective_size(flags: np.ndarray, member: np.ndarray, count: int, level: float) -> float:
    total, rate = flags.size, float(flags.mean())
    residual = np.bincount(member, weights=flags - rate, minlength=count)
    variance = count / (count - 1) * float(residual @ residual) / total**2
    if rate in (0.0, 1.0):
        return float(count)
    if variance <= 0.0:
        return float(total)
    widen = stats.t.ppf(0.5 + level / 2, total - 1) / stats.t.ppf(0.5 + level / 2, count - 1)
    return float(min(total, rate * (1 - rate) / variance * widen**2))
