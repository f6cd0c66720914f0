"""From log-odds to probabilities, and the thresholds that a target false-flag rate asks for."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from classifiers.encoder import Floats
from guard.errors import ConfigError

# A request is scored by the worst of its windows: of many, one scores high by chance. So requests are of four sizes,
# by windows, each with a threshold of its own: a question; a few turns; a chat or a page; a book.
SIZES = (4, 13, 61)
# Of the two largest sizes at least so many may be flagged: held to less, their thresholds hang on the one worst
# neighbour of a topic, and whoever pads a question with enough text would hide it.
_LARGE_RATE = 0.01
LEVELS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Scored:
    """Log-odds of requests, how many windows each was read in, and its group; what shares a group may well agree."""

    scores: Floats
    windows: npt.NDArray[np.int_]
    groups: tuple[str, ...]

    @property
    def sizes(self) -> npt.NDArray[np.int_]:
        """The size of each, as a place in a calibration's thresholds."""
        return np.digitize(self.windows, SIZES)

    def effective(self) -> float:
        """How many independent requests these are worth.

        Kish's design effect 1 + (m - 1) rho, with rho the scores' intra-class correlation (ANOVA estimator) and m
        the size of the group that a request is in, on average (Korn and Graubard 1998). Scores, not flags, give
        rho: without a flag there would be nothing to estimate it from.
        """
        _, index = np.unique(np.asarray(self.groups), return_inverse=True)
        sizes = np.bincount(index).astype(np.float64)
        n, k = len(self.scores), len(sizes)
        if k < 2 or n == k:
            return float(k)
        means = np.bincount(index, weights=self.scores) / sizes
        between = float((sizes * (means - self.scores.mean()) ** 2).sum()) / (k - 1)
        within = float(((self.scores - means[index]) ** 2).sum()) / (n - k)
        typical = (n - float((sizes**2).sum()) / n) / (k - 1)
        total = between + (typical - 1) * within
        rho = min(1.0, max(0.0, (between - within) / total)) if total > 0 else 1.0
        return n / (1 + (float((sizes**2).sum()) / n - 1) * rho)


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * logit + offset); a request is flagged when a logit exceeds its size's threshold.

    `quantiles` are, by size, 101 evenly spaced quantiles of the clean requests that the thresholds came from.
    """

    slope: float
    offset: float
    thresholds: Sequence[float]
    quantiles: Sequence[Sequence[float]] = ()

    def probabilities(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Probabilities that the topic is alive, in the shape of `logits`."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * logits + self.offset, -60, 60))), dtype=np.float64)

    def threshold(self, windows: int) -> float:
        """What a request read in so many windows may score at most."""
        return self.thresholds[bisect_right(SIZES, windows)]

    def quantile(self, windows: int, level: float) -> float:
        """What a share `level` of the sample's clean requests of so many windows score at most."""
        return float(np.interp(level, LEVELS, self.quantiles[bisect_right(SIZES, windows)]))

    def margins(self, scored: Scored) -> Floats:
        """How far each request scores above its threshold; flagged where this is positive."""
        return np.asarray(scored.scores - np.asarray(self.thresholds)[scored.sizes], dtype=np.float32)


def conformal_threshold(scores: Floats, rate: float) -> float:
    """The split-conformal quantile: a new clean request scores above it with probability at most `rate`.

    Vovk et al. 2005, with `scores` one maximum per held-out clean request, exchangeable with what is to come.

    Raises:
        ConfigError: the sample is too small to certify `rate`.
    """
    n = len(scores)
    rank = math.ceil((n + 1) * (1 - rate))
    if rank > n:
        raise ConfigError(
            f"{n} held-out clean questions cannot certify a false-flag rate of {rate:g}; "
            f"set false_flag_rate to {1 / (n + 1):.4f} or more, or give more clean ones"
        )
    return float(np.sort(scores)[rank - 1])


def size_thresholds(
    scored: Scored, sorts: Sequence[str], rate: float, before: Sequence[float] | None = None
) -> tuple[float, ...]:
    """A threshold for each size (conformal per category: Vovk et al. 2005, Mondrian), never falling as sizes rise.

    The two largest sizes are held to one in a hundred at the strictest. Of the sorts that are large enough to certify
    the rate the strictest counts: retained questions share every word but the names with forgotten ones, and would be
    flagged far more often if pooled with easy ones. A size without enough requests takes what stood `before`, or the
    threshold of all requests together.

    Raises:
        ConfigError: even all requests together are too few.
    """
    together = conformal_threshold(scored.scores, rate)
    found = []
    for size in range(len(SIZES) + 1):
        own = scored.sizes == size
        own_rate = rate if size < 2 else max(rate, _LARGE_RATE)
        parts = [own & np.array([sort == one for sort in sorts]) for one in sorted(set(sorts))]
        enough = [part for part in (*parts, own) if part.sum() + 1 >= 1 / own_rate]
        if enough:
            found.append(max(conformal_threshold(scored.scores[part], own_rate) for part in enough))
        else:
            found.append(before[size] if before else together)
    return tuple(float(value) for value in np.maximum.accumulate(found))


def fit_probability(positives: Floats, negatives: Floats) -> tuple[float, float]:
    """Platt scaling (Platt 1999) on held-out log-odds: (slope, offset)."""
    scores = np.concatenate([positives, negatives])[:, None]
    labels = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    model = LogisticRegression(C=1.0).fit(scores, labels)
    # A slope that is not positive would turn the order of topics around; it comes from samples without signal only.
    return max(float(model.coef_[0, 0]), 1e-3), float(model.intercept_[0])


def size_quantiles(scored: Scored) -> tuple[tuple[float, ...], ...]:
    """101 evenly spaced quantiles of each size's scores (of all where it has none), enough to see a drift by."""
    own = [scored.scores[scored.sizes == size] for size in range(len(SIZES) + 1)]
    return tuple(
        tuple(round(float(value), 4) for value in np.quantile(part if len(part) else scored.scores, LEVELS))
        for part in own
    )
